"""Trials as nested MLflow runs: started, read back, ended.

A function's trial costs four requests: create_run with all tags, log_batch of the params, log_batch of the result with
its outcome, update_run. Every request may be sent twice without harm: the nonce finds the run that a lost answer made,
and explicit times make a repeated metric point one point.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from mlflow_tune.errors import InternalError
from mlflow_tune.space import Scalar
from mlflow_tune.tracking.artifacts import Artifacts
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.records import KIND, QUEUED, STARTED, TAG_LIMIT, compact, cut, now, search
from mlflow_tune.tracking.studies import StudyRecord, run_with_nonce
from mlflow_tune.trial import Curve, Outcome, OutcomeKind, Params, Suggestion, Trial, is_finite

STATUS: dict[OutcomeKind, str] = {
    "ok": "FINISHED",
    "failed": "FAILED",
    "timeout": "FAILED",
    "not-finite": "FAILED",
    "interrupted": "KILLED",
}
NAME_LIMIT = 120


@dataclass(frozen=True)
class Trials:
    """The trials of one study.

    Those that are started get `source`, the tags that MLflow's client leaves out (user, source, git commit), and the
    `fixed` parameters; to read, neither is needed.
    """

    client: Client
    study: StudyRecord
    source: Mapping[str, str] = field(default_factory=dict)
    fixed: Params = field(default_factory=dict)

    def all(self) -> list[Trial]:
        """Return the latest attempt of every trial, by number."""
        return _latest(trial for run in self._runs() if (trial := read_trial(run)))

    def of_run(self, run_id: str) -> Trial | None:
        """Return the trial of this MLflow run, None while it waits in the queue without a number."""
        return read_trial(self.client.send("get_run", run_id))

    def take_over(self) -> list[Trial]:
        """Return all trials after ending those that a dead driver left open: they are interrupted, to be run again.

        A run whose outcome is known keeps it, and only its status is mended.
        """
        trials = [(run, trial) for run in self._runs() if (trial := read_trial(run))]
        return _latest(self._closed(trial, run.info.status) for run, trial in trials)

    def start(
        self, number: int, suggestion: Suggestion, strategy: str, attempt: int, logs: Mapping[str, float],
        queued_run: str = "",
    ) -> Trial:  # fmt: skip
        """Make the child run, or number the one that was queued; return the running trial.

        `logs` are the metrics known beforehand.
        """
        started, params = now(), compact(suggestion.params)
        if len(params) > TAG_LIMIT:
            raise InternalError(f"the point of trial {number} takes {len(params)} characters, a tag {TAG_LIMIT}")
        tags = {
            **self.source,
            KIND: "trial",
            "mlflow.parentRunId": self.study.run_id,
            "tune.trial": str(number),
            "tune.attempt": str(attempt),
            "tune.params": params,
            "tune.strategy": strategy,
            "tune.why": cut(suggestion.why),
        }
        metrics = {"trial": float(number), **logs, **suggestion.evidence}
        name = run_name(number, suggestion.params)
        if queued_run:
            self._number(queued_run, name, suggestion.params, metrics, {**tags, STARTED: str(started)}, started)
        run_id = queued_run or self._make(name, tags, started)
        if not queued_run:
            self._log_point(run_id, suggestion.params, metrics, started)
        return Trial(
            number, suggestion.params, attempt=attempt, run_id=run_id, strategy=strategy, why=suggestion.why,
            start_time=started, metrics=metrics,
        )  # fmt: skip

    def finish(self, trial: Trial, outcome: Outcome, value: float | None) -> Trial:
        """Write how the trial ended, the outcome last, and return the ended trial."""
        from mlflow.entities import Metric, RunTag

        ended = now()
        # The objective stands first: should MLflow split the batch, it is in the part that holds the outcome.
        metrics = {} if value is None else {"objective": value}
        metrics |= {key: number for key, number in outcome.metrics.items() if math.isfinite(number)}
        points = [Metric(key, number, ended, 0) for key, number in metrics.items()]
        tags = [RunTag("tune.reason", cut(outcome.reason))] if outcome.reason else []
        tags += [RunTag("tune.diagnosis", cut(trial.diagnosis))] if trial.diagnosis else []
        tags.append(RunTag("tune.outcome", outcome.kind))
        self.client.send("log_batch", trial.run_id, metrics=points, tags=tags)
        self._terminate(trial.run_id, outcome.kind, ended)
        return replace(
            trial, outcome=outcome.kind, value=value, reason=outcome.reason, end_time=ended,
            metrics={**trial.metrics, **metrics},
        )  # fmt: skip

    def logged(self, trial: Trial) -> tuple[dict[str, float], list[str]]:
        """Return the latest value of each metric of the trial's run, and the names of those with steps: the curves."""
        metrics = self.client.send("get_run", trial.run_id).data.to_proto().metrics
        return {each.key: each.value for each in metrics}, [each.key for each in metrics if each.step > 0]

    def history(self, trial: Trial, metric: str) -> Curve:
        """Return a metric's learning curve as (step, value), in order of steps."""
        points = self.client.send("get_metric_history", trial.run_id, metric)
        return [(point.step, point.value) for point in sorted(points, key=lambda p: (p.step, p.timestamp))]

    def log_output(self, trial: Trial, output: bytes) -> None:
        """Keep what the trial printed as its artifact `output.log`."""
        Artifacts(self.client, trial.run_id).log_bytes("output.log", output)

    def _make(self, name: str, tags: Mapping[str, str], started: int) -> str:
        nonce, experiment_id = os.urandom(8).hex(), self.study.experiment_id
        known = run_with_nonce(experiment_id, nonce)
        tags = {**tags, "tune.nonce": nonce}
        return str(self.client.send("create_run", experiment_id, started, tags, name, again=known).info.run_id)

    def _number(
        self, run_id: str, name: str, point: Params, metrics: Mapping[str, float], tags: Mapping[str, str], started: int
    ) -> None:
        # Who queued it stays; MLflow commits the tags last, and until then the run is still in the queue.
        kept = {key: value for key, value in tags.items() if key != "mlflow.user"}
        self._log_point(run_id, point, metrics, started, {**kept, QUEUED: "numbered"})
        self.client.send("update_run", run_id, "RUNNING", name)

    def _log_point(
        self,
        run_id: str,
        point: Params,
        metrics: Mapping[str, float],
        started: int,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        from mlflow.entities import Metric, Param, RunTag

        params = [Param(name, str(value)) for name, value in {**self.fixed, **point}.items()]
        points = [Metric(key, value, started, 0) for key, value in metrics.items()]
        entities = [RunTag(key, value) for key, value in (tags or {}).items()]
        self.client.send("log_batch", run_id, params=params, metrics=points, tags=entities)

    def _runs(self) -> Iterator[Any]:
        query = f"tags.`mlflow.parentRunId` = '{self.study.run_id}' and tags.`{KIND}` = 'trial'"
        return search(self.client, [self.study.experiment_id], query)

    def _closed(self, trial: Trial, status: str) -> Trial:
        if trial.outcome is None:
            return self.finish(trial, Outcome("interrupted", reason="its driver ended before the trial did"), None)
        if status != STATUS[trial.outcome]:
            self._terminate(trial.run_id, trial.outcome, ended := trial.end_time or now())
            return replace(trial, end_time=ended)
        return trial

    def _terminate(self, run_id: str, outcome: OutcomeKind, ended: int) -> None:
        self.client.send("set_terminated", run_id, STATUS[outcome], ended)


def _latest(trials: Iterable[Trial]) -> list[Trial]:
    latest: dict[int, Trial] = {}
    for trial in trials:
        known = latest.get(trial.number)
        if known is None or (known.attempt, known.done) < (trial.attempt, trial.done):
            latest[trial.number] = trial
    return [latest[number] for number in sorted(latest)]


def run_name(number: int, params: Params) -> str:
    """Return a child run's name: `#007 lr=0.0031 dropout=0.42`."""
    return f"#{number:03d} {point_text(params)}"


def point_text(params: Params) -> str:
    """Return a point in one line, as short as a run's name should be: `lr=0.0031 dropout=0.42`."""
    words = [f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}" for name, value in params.items()]
    return cut(" ".join(words).replace("\n", " "), NAME_LIMIT)


def read_trial(run: Any) -> Trial | None:
    """Return the trial that an MLflow run holds, None when its tags make no trial."""
    tags, metrics = run.data.tags, run.data.metrics
    try:
        number, attempt = int(tags["tune.trial"]), int(tags.get("tune.attempt", "1"))
        params = json.loads(tags["tune.params"])
    except (KeyError, ValueError):
        return None
    if number < 1 or attempt < 1 or not is_point(params):
        return None
    outcome, value = tags.get("tune.outcome"), metrics.get("objective")
    if outcome not in get_args(OutcomeKind):
        outcome = None
    sound = outcome == "ok" and value is not None and is_finite(value)
    return Trial(
        number=number,
        params=params,
        outcome="not-finite" if outcome == "ok" and not sound else outcome,
        value=value if sound else None,
        attempt=attempt,
        run_id=run.info.run_id,
        strategy=tags.get("tune.strategy", ""),
        why=tags.get("tune.why", ""),
        reason=tags.get("tune.reason", ""),
        metrics=dict(metrics),
        start_time=int(tags[STARTED]) if tags.get(STARTED, "").isdecimal() else run.info.start_time,
        end_time=run.info.end_time,
        diagnosis=tags.get("tune.diagnosis", ""),
    )


def is_point(params: object) -> bool:
    """Whether this is a mapping of names to scalars."""
    return isinstance(params, dict) and all(isinstance(value, Scalar) for value in params.values())
