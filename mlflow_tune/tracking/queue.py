"""The queue of a study: points that a person put before whatever the strategy would ask next.

A queued trial is a SCHEDULED child run without a number; whoever drives the study numbers it and runs it next.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.holder import maker_here
from mlflow_tune.tracking.reading import is_waiting, off_space, read_params, read_trial, space_of
from mlflow_tune.tracking.records import KIND, MAKER, NEWS, QUEUED, compact, make_run, now, search, tag_text
from mlflow_tune.tracking.run_names import short_point
from mlflow_tune.tracking.studies import StudyRecord
from mlflow_tune.tracking.trials import STATUS, terminate
from mlflow_tune.trial import Params, Suggestion

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Queued:
    """A point that waits, and the run that stands for it."""

    run_id: str
    suggestion: Suggestion


@dataclass(frozen=True)
class Queue:
    """The queue of one study."""

    client: Client
    study: StudyRecord
    told: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def put(self, params: Params, why: str, source: Mapping[str, str]) -> str:
        """Queue the point; return the id of its run. `source` are MLflow's own tags: user, source, git commit."""
        tags = {
            **source,
            KIND: "trial",
            "mlflow.parentRunId": self.study.run_id,
            "tune.params": compact(params),
            "tune.strategy": "manual",
            "tune.why": tag_text(why),
            QUEUED: "waiting",
            MAKER: maker_here(),
        }
        name = f"queued {short_point(params)}"
        run_id = str(make_run(self.client, self.study.experiment_id, name, tags, now()).info.run_id)
        # That is queued, in one request. What follows makes a driver look at once, and the run look as it is.
        self.client.send("set_tag", self.study.run_id, NEWS, str(now()))
        self.client.send("update_run", run_id, "SCHEDULED")
        self._leave_to_driver(run_id)
        return run_id

    def _leave_to_driver(self, run_id: str) -> None:
        """Give a run back the status that a driver gave it, who was faster than we were."""
        while not is_waiting((run := self.client.send("get_run", run_id)).data.tags):
            trial = read_trial(run)
            if trial is None or run.info.status == (STATUS[trial.outcome] if trial.outcome else "RUNNING"):
                return
            if trial.outcome is None:
                self.client.send("update_run", run_id, "RUNNING")
            else:
                terminate(self.client, trial)

    def withdraw(self, run_ids: Iterable[str]) -> None:
        """Take those of these runs out of the queue that nobody has numbered yet."""
        for run_id in run_ids:
            if is_waiting(self.client.send("get_run", run_id).data.tags):
                self.client.send("set_tag", run_id, QUEUED, "withdrawn")
                self.client.send("set_terminated", run_id, "KILLED", now())

    def waiting(self) -> list[Queued]:
        """Return what waits, in the order in which it was queued; what is no point is left out, in words."""
        query = f"tags.`mlflow.parentRunId` = '{self.study.run_id}' and tags.`{QUEUED}` = 'waiting'"
        found = []
        space = space_of(self.study.definition)
        for run in search(self.client, [self.study.experiment_id], query):
            run_id = run.info.run_id
            tags = run.data.tags
            if not is_waiting(tags):  # it has a number already, so it is a trial
                continue
            params = read_params(tags)
            why = "it has no point" if params is None else off_space(params, space)
            if params is not None and not why:
                found.append(Queued(run_id, Suggestion(params, tags.get("tune.why", ""))))
            elif run_id not in self.told:
                self.told.add(run_id)
                logger.warning("the queued run %s is left out: %s", run_id, why)
        return found
