"""The queue of a study: points that a person put before whatever the strategy would ask next.

A queued trial is a SCHEDULED child run without a number; whoever drives the study numbers it and runs it next.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.records import KIND, QUEUED, compact, cut, now, search
from mlflow_tune.tracking.studies import StudyRecord, run_with_nonce
from mlflow_tune.tracking.trials import is_point, point_text
from mlflow_tune.trial import Params, Suggestion


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

    def put(self, params: Params, why: str, source: Mapping[str, str]) -> str:
        """Queue the point; return the id of its run. `source` are MLflow's own tags: user, source, git commit."""
        nonce, experiment_id = os.urandom(8).hex(), self.study.experiment_id
        tags = {
            **source,
            KIND: "trial",
            QUEUED: "waiting",
            "mlflow.parentRunId": self.study.run_id,
            "tune.params": compact(params),
            "tune.strategy": "manual",
            "tune.why": cut(why),
            "tune.nonce": nonce,
        }
        known = run_with_nonce(experiment_id, nonce)
        name = f"queued {point_text(params)}"
        run_id = str(self.client.send("create_run", experiment_id, now(), tags, name, again=known).info.run_id)
        # MLflow makes every run RUNNING; the driver takes it as it is should we end before the next line.
        self.client.send("update_run", run_id, "SCHEDULED")
        return run_id

    def waiting(self) -> list[Queued]:
        """Return what waits, in the order in which it was queued; what is no point is left out."""
        query = f"tags.`mlflow.parentRunId` = '{self.study.run_id}' and tags.`{QUEUED}` = 'waiting'"
        found = []
        for run in search(self.client, [self.study.experiment_id], query):
            try:
                params = json.loads(run.data.tags.get("tune.params", ""))
            except ValueError:
                continue
            if is_point(params):
                found.append(Queued(run.info.run_id, Suggestion(params, run.data.tags.get("tune.why", ""))))
        return found
