"""What training code logged: to its trial's own run, and to runs that it opened by itself."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from mlflow_tune.errors import TrackingError
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.deletion import is_deleted
from mlflow_tune.tracking.records import KIND, OLDEST_FIRST, all_experiments, now, search, tag_text
from mlflow_tune.trial import OF, OF_STUDY, Trial

logger = logging.getLogger(__name__)
FOLLOWED = "tune.followed"  # the run that a trial's metric was read from
NOTE = "mlflow.note.content"
PARENT = "mlflow.parentRunId"
MOST_OPENED = 200  # runs of one trial: code that opens more is followed no further
MOST_MEANWHILE = 100
MOST_ENTERED = 20  # runs whose nested ones are looked at, of each depth: every one costs a request
DEEPEST = 3


@dataclass(frozen=True)
class LoggedRun:
    """An MLflow run as training code left it; `stepped` are the metrics with steps: the learning curves."""

    run_id: str
    experiment_id: str = ""
    name: str = ""
    status: str = ""
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)
    params: Mapping[str, str] = field(default_factory=dict, repr=False)
    metrics: Mapping[str, float] = field(default_factory=dict, repr=False)
    stepped: Collection[str] = ()

    @property
    def parent(self) -> str:
        """The id of the run that it is nested in, "" where it is in none."""
        return self.tags.get(PARENT, "")


def logged_run(run: Any) -> LoggedRun:
    """Return the MLflow run with the latest value of each of its metrics."""
    info, data = run.info, run.data
    metrics = data.to_proto().metrics
    return LoggedRun(
        info.run_id,
        str(info.experiment_id),
        info.run_name or "",
        info.status,
        dict(data.tags),
        dict(data.params),
        {each.key: each.value for each in metrics},
        [each.key for each in metrics if each.step > 0],
    )


class OpenedRuns:
    """The runs that the code of one trial opened, in any experiment, but for the trial's own."""

    def __init__(self, client: Client, trial: Trial) -> None:
        self._client = client
        self._trial = trial
        self._experiments = all_experiments(client)

    def known(self) -> list[LoggedRun]:
        """Return those that bear our tag, and those that are nested in the trial's run."""
        own = self._trial.run_id
        found = [*self._found(f"tags.`{OF}` = '{own}'"), *self._found(f"tags.`{PARENT}` = '{own}'")]
        return [*{run.run_id: run for run in found if run.run_id != own}.values()]

    def below(self, runs: Sequence[LoggedRun], metric: str) -> list[LoggedRun]:
        """Return these and what is nested in them, as deep as is needed to find the metric.

        `mlflow.run` gives its steps no tag of ours.
        """
        found = {run.run_id: run for run in runs}
        latest = list(runs)
        for _ in range(DEEPEST):
            if any(metric in run.metrics for run in found.values()):
                break
            below = (each for run in latest[:MOST_ENTERED] for each in self._found(f"tags.`{PARENT}` = '{run.run_id}'"))
            latest = [run for run in below if run.run_id not in found and run.run_id != self._trial.run_id]
            found |= {run.run_id: run for run in latest}
        return [*found.values()]

    def meanwhile(self, metric: str, user: str) -> list[LoggedRun]:
        """Return runs with the metric that this user, or nobody known, began while the trial ran: nothing ties them."""
        query = f"attributes.start_time >= {self._trial.start_time}"
        page = self._client.send(
            "search_runs", self._experiments, query, max_results=MOST_MEANWHILE, order_by=OLDEST_FIRST
        )
        runs = [logged_run(run) for run in page if KIND not in run.data.tags and OF not in run.data.tags]
        makers = ("", "unknown", user)  # MlflowClient.create_run writes "unknown"
        return [run for run in runs if metric in run.metrics and run.tags.get("mlflow.user", "") in makers]

    def points(self, run: LoggedRun, metrics: Iterable[str]) -> dict[str, list[Any]] | None:
        """Return MLflow's points of these metrics of a run, None when the run was deleted meanwhile."""
        try:
            return {name: list(self._client.send("get_metric_history", run.run_id, name)) for name in metrics}
        except TrackingError:
            if not is_deleted(self._client, run.run_id):
                raise
            return None

    def _found(self, query: str) -> list[LoggedRun]:
        runs = islice(search(self._client, self._experiments, query), MOST_OPENED)
        return [logged_run(run) for run in runs if KIND not in run.data.tags]  # studies and their trials are no such


def copy_metric(client: Client, trial: Trial, run: LoggedRun, points: Iterable[Any], note: str) -> None:
    """Log points of a followed run to the trial's run, which then says where they come from.

    The points keep their times: written twice they are there once.
    """
    from mlflow.entities import Metric, RunTag

    metrics = [Metric(point.key, point.value, point.timestamp, point.step) for point in points]
    tags = [RunTag(FOLLOWED, run.run_id), RunTag(NOTE, tag_text(note))]
    client.send("log_batch", trial.run_id, metrics=metrics, tags=tags)


def nest(client: Client, trial: Trial, study_id: str, run: LoggedRun, status: str | None) -> None:
    """Nest a run that the trial's code opened under the trial, where it has no parent, and tag it as the trial's.

    One that is still said to run gets the `status`, where one is given. A run that cannot be written to stays as it is.
    """
    from mlflow.entities import RunTag

    tags = {PARENT: trial.run_id, OF: trial.run_id, OF_STUDY: study_id}
    missing = [RunTag(key, value) for key, value in tags.items() if not run.tags.get(key)]
    try:
        if missing:
            client.send("log_batch", run.run_id, tags=missing)
        if status and run.status == "RUNNING":
            client.send("set_terminated", run.run_id, status, trial.end_time or now())
    except TrackingError as error:  # deleted meanwhile, or somebody else's
        logger.info("the run %s is not nested under trial %d: %s", run.run_id, trial.number, error)
