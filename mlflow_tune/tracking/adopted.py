"""Runs that people made by hand or by autolog: found, made children of a study, or copied into it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mlflow_tune.errors import InputError, TrackingError
from mlflow_tune.tracking.client import Client, first_line
from mlflow_tune.tracking.holder import maker_here
from mlflow_tune.tracking.records import (
    HALF_COPY,
    KIND,
    MAKER,
    STUDY,
    compact,
    learning_curve,
    make_run,
    search,
    tag_text,
)
from mlflow_tune.tracking.run_names import run_name
from mlflow_tune.tracking.studies import StudyRecord
from mlflow_tune.trial import OF, Curve, Trial

BATCH = 1000
COPIED = "tune.copied_from"


@dataclass(frozen=True)
class Run:
    """An MLflow run as its maker left it. Times are milliseconds since the epoch.

    `trial` is the run id of the trial whose training code opened it, "" where none did.
    """

    run_id: str
    experiment_id: str
    name: str
    user: str
    status: str
    params: dict[str, str] = field(repr=False)
    metrics: dict[str, float] = field(repr=False)
    parent: str
    kind: str
    study: str
    trial: str
    start_time: int
    end_time: int | None


class Runs:
    """The runs of one tracking store that are not a study's own."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def matching(self, experiment_id: str, query: str) -> list[Run]:
        """Return the runs of the experiment that MLflow's filter finds, oldest first. Raises InputError."""
        try:
            return [_run_of(run) for run in search(self._client, [experiment_id], query)]
        except TrackingError as error:
            if getattr(error.__cause__, "error_code", "") == "INVALID_PARAMETER_VALUE" and error.__cause__:
                raise InputError(f"MLflow refuses it: {first_line(error.__cause__)}", "--filter") from None
            raise

    def curve(self, run: Run, metric: str) -> Curve:
        """Return a metric's values as (step, value), in order of steps."""
        return learning_curve(self._client, run.run_id, metric)

    def copied(self, study: StudyRecord) -> set[str]:
        """Return the ids of the runs that have been copied into the study."""
        query = f"tags.`mlflow.parentRunId` = '{study.run_id}' and tags.`{COPIED}` LIKE '%'"
        return {run.data.tags[COPIED] for run in search(self._client, [study.experiment_id], query)}

    def adopt(self, run: Run, study: StudyRecord, trial: Trial) -> None:
        """Make the run the finished `trial` of the study: its tags, and the metrics `trial` and `objective`."""
        self._mark(run.run_id, study, trial, run.end_time or run.start_time)

    def copy(
        self, run: Run, study: StudyRecord, trial: Trial, logs: Mapping[str, float], reserved: Collection[str]
    ) -> str:
        """Make a copy of the run, its params and metrics, in the study's experiment; return the copy's run id.

        `logs` are metrics that the study's own trials have too; metrics with `reserved` names are left out. Artifacts
        stay with the original, whose id the copy has as tag `tune.copied_from`.
        """
        from mlflow.entities import Metric, Param

        tags = {COPIED: run.run_id, "mlflow.user": run.user, KIND: HALF_COPY, MAKER: maker_here()}
        name = run_name(trial.number, trial.params)
        made = make_run(self._client, study.experiment_id, name, tags, run.start_time).info.run_id
        params = [Param(key, value) for key, value in run.params.items()]
        self._batches(made, params=params)
        for metric in run.metrics.keys() - set(reserved):
            points = self._client.send("get_metric_history", run.run_id, metric)
            self._batches(made, metrics=[Metric(p.key, p.value, p.timestamp, p.step) for p in points])
        self._batches(made, metrics=[Metric(key, value, run.start_time, 0) for key, value in logs.items()])
        self._mark(made, study, trial, run.end_time or run.start_time)
        self._client.send("set_terminated", made, run.status, run.end_time)
        return str(made)

    def _mark(self, run_id: str, study: StudyRecord, trial: Trial, time: int) -> None:
        from mlflow.entities import Metric, RunTag

        tags = {
            KIND: "trial",
            "mlflow.parentRunId": study.run_id,
            "tune.trial": str(trial.number),
            "tune.attempt": "1",
            "tune.params": compact(trial.params),
            "tune.strategy": trial.strategy,
            "tune.why": tag_text(trial.why),
            "tune.outcome": "ok",
        }
        points = [Metric("trial", trial.number, time, 0), Metric("objective", trial.value, time, 0)]
        self._client.send("log_batch", run_id, metrics=points, tags=[RunTag(*tag) for tag in tags.items()])

    def _batches(self, run_id: str, params: Sequence[Any] = (), metrics: Sequence[Any] = ()) -> None:
        for start in range(0, len(params), 100):
            self._client.send("log_batch", run_id, params=params[start : start + 100])
        for part in _parts(metrics):
            self._client.send("log_batch", run_id, metrics=part)


def _parts(entities: Sequence[Any]) -> Iterable[Sequence[Any]]:
    return (entities[start : start + BATCH] for start in range(0, len(entities), BATCH))


def _run_of(run: Any) -> Run:
    info = run.info
    tags = run.data.tags
    return Run(
        info.run_id,
        str(info.experiment_id),
        info.run_name or "",
        tags.get("mlflow.user", ""),
        info.status,
        dict(run.data.params),
        dict(run.data.metrics),
        tags.get("mlflow.parentRunId", ""),
        tags.get(KIND, ""),
        tags.get(STUDY, ""),
        tags.get(OF, ""),
        info.start_time,
        info.end_time,
    )
