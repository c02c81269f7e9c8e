"""Trials as nested MLflow runs: started, read back, ended.

A function's trial costs four requests: create_run with all tags, log_batch of the params, log_batch of the result with
its outcome, update_run. Every request may be sent twice without harm: the nonce finds the run that a lost answer made,
and explicit times make a repeated metric point one point.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from mlflow_tune.errors import InternalError, StudyConflict, TrackingError
from mlflow_tune.space import Space
from mlflow_tune.text import value_text
from mlflow_tune.tracking.artifacts import Artifacts
from mlflow_tune.tracking.attempts import latest
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.deletion import without_run
from mlflow_tune.tracking.latest import Latest, latest_points
from mlflow_tune.tracking.logged import NOTE, LoggedRun, logged_run
from mlflow_tune.tracking.reading import MOST_TRIALS, is_queued, read_trial, why_unsound
from mlflow_tune.tracking.records import (
    DEVICES,
    EVIDENCE,
    KIND,
    QUEUED,
    RAISED,
    REPLICATE,
    SEED,
    STARTED,
    TAG_LIMIT,
    TRAIN_ON,
    compact,
    learning_curve,
    make_run,
    now,
    search,
    tag_text,
)
from mlflow_tune.tracking.run_names import run_name
from mlflow_tune.tracking.studies import StudyRecord
from mlflow_tune.tracking.trial_note import nothing_seen, trial_note
from mlflow_tune.trial import (
    OF,
    OF_STUDY,
    Curve,
    Devices,
    Outcome,
    OutcomeKind,
    Params,
    Suggestion,
    TrainOn,
    Trial,
    end_metrics,
    ended_trial,
)

logger = logging.getLogger(__name__)
STATUS: dict[OutcomeKind, str] = {
    "ok": "FINISHED",
    "failed": "FAILED",
    "timeout": "FAILED",
    "not-finite": "FAILED",
    "pruned": "KILLED",
    "interrupted": "KILLED",
}
LEFT_OPEN = "its driver ended before the trial did"
MOST_LISTED = 10


@dataclass(frozen=True)
class Trials:
    """The trials of one study.

    Those that are started get `source`, the tags that MLflow's client leaves out (user, source, git commit), and the
    `fixed` parameters, a replicate with its own seed in `seed_name`; to read, none of them is needed. What is no point
    of the `space`, where one is given, is left out. `seen` tells in words what an ended trial shows of the study's
    constraint.
    `_described` are the runs to which the training code has given a description of its own.
    """

    client: Client
    study: StudyRecord
    source: Mapping[str, str] = field(default_factory=dict)
    fixed: Params = field(default_factory=dict)
    space: Space | None = None
    seed_name: str = ""
    seen: Callable[[Trial], str] = field(default=nothing_seen, repr=False, compare=False)
    _described: set[str] = field(default_factory=set, init=False, repr=False, compare=False)

    def all(self, deleted: bool = False) -> list[Trial]:
        """Return the latest attempt of every trial, by number; with `deleted` also of those whose run was deleted."""
        found = [trial for run in self._runs() if (trial := read_trial(run, self.space))]
        return latest([*found, *self._deleted(found)] if deleted else found)

    def of_run(self, run_id: str) -> Trial | None:
        """Return the trial of this MLflow run, None while it waits in the queue without a number."""
        return read_trial(self.client.send("get_run", run_id))

    def take_over(self) -> list[Trial]:
        """Return all trials after ending those that a dead driver left open: they are interrupted, to be run again.

        A run whose outcome is known keeps it, and only its status is mended. Trials whose run was deleted are among
        them, so that nobody's number and point come twice. What is no trial of this study is left out, in words.
        """
        read = [self._read(run) for run in self._runs()]
        self._tell_left_out(read)
        found = [self._closed(trial, info.status) for info, trial, _ in read if trial]
        return latest([*found, *self._deleted(found)])

    def start(
        self,
        number: int,
        suggestion: Suggestion,
        strategy: str,
        attempt: int,
        logs: Mapping[str, float],
        queued_run: str = "",
        log: bool = True,
        devices: Devices | None = None,
        raised: Params | None = None,
    ) -> Trial:
        """Make the child run, or number the one that was queued; return the running trial.

        `logs` are the metrics known beforehand, `devices` those that the trial is given, `raised` what it has beside
        its point. Without `log` a run that is made has its tags alone, which hold the point, until `log_point` is
        called.
        """
        started = now()
        tags = self._tags(number, suggestion, strategy, attempt)
        more = dict(raised or {})
        begun = Trial(
            number,
            suggestion.params,
            attempt=attempt,
            strategy=strategy,
            why=suggestion.why,
            replicate=suggestion.replicate,
            seed=suggestion.seed,
            raised=more,
        )
        tags[NOTE] = trial_note(self.study, begun)
        tags |= {RAISED: compact(more)} if more else {}
        tags |= {DEVICES: ",".join(devices)} if devices else {}
        tags |= {EVIDENCE: compact(dict(suggestion.evidence))} if suggestion.evidence else {}
        metrics = {"trial": float(number), **logs, **suggestion.evidence}
        name = run_name(number, begun.trained_with)
        run_id = queued_run or self._make(name, tags, started)
        trial = replace(begun, run_id=run_id, start_time=started, metrics=metrics)
        if queued_run:
            self._number(trial, name, {**tags, STARTED: str(started)})
        elif log:
            self.log_point(trial)
        return trial

    def _tags(self, number: int, suggestion: Suggestion, strategy: str, attempt: int) -> dict[str, str]:
        """Return the tags of a child run that begins. Raises StudyConflict when the numbers are used up."""
        params = compact(suggestion.params)
        if number > MOST_TRIALS:
            raise StudyConflict(
                f"the study has a trial {number - 1}, and numbers end at {MOST_TRIALS}: delete that run if no "
                "driver made it (tag tune.trial)"
            )
        if len(params) > TAG_LIMIT:
            raise InternalError(f"the point of trial {number} takes {len(params)} characters, a tag {TAG_LIMIT}")
        return {
            **self.source,
            KIND: "trial",
            "mlflow.parentRunId": self.study.run_id,
            "tune.trial": str(number),
            "tune.attempt": str(attempt),
            "tune.params": params,
            "tune.strategy": strategy,
            "tune.why": tag_text(suggestion.why),
            **({REPLICATE: str(suggestion.replicate)} if suggestion.replicate else {}),
            **({SEED: str(suggestion.seed)} if suggestion.seed is not None else {}),
        }

    def log_point(self, trial: Trial) -> str:
        """Log the params of a trial that was started, and its metrics known beforehand.

        Return in words which param the training code has logged with another value meanwhile, "" when it has none.
        """
        params = self._texts(trial)
        try:
            self._log(trial, params)
            return ""
        except StudyConflict:
            self._bury(trial.run_id)
            raise
        except TrackingError as error:
            held = self._held_params(trial.run_id, error)
            if not (other := [name for name in params if held.get(name, params[name]) != params[name]]):
                raise
            self._log(trial, {name: text for name, text in params.items() if name not in held})
            name = other[0]
            return (
                f"the training code logged {held[name]!r} as the param key={name!r}, which was given {params[name]!r}"
            )

    def _held_params(self, run_id: str, error: TrackingError) -> Mapping[str, str]:
        if getattr(error.__cause__, "error_code", "") != "INVALID_PARAMETER_VALUE":
            return {}
        params: Mapping[str, str] = self.client.send("get_run", run_id).data.params
        return params

    def finish(self, trial: Trial, outcome: Outcome, value: float | None = None) -> Trial:
        """Write how the running trial ended, and return the ended trial."""
        ended = ended_trial(trial, outcome, value, now())
        self.log_end(ended, outcome)
        self.terminate(ended)
        return ended

    def log_end(self, trial: Trial, outcome: Outcome) -> None:
        """Log what an ended trial came to, the outcome last: from then on it is done.

        Params that training code may have logged with another text, such as None for null, are logged now.
        """
        from mlflow.entities import Metric, Param, RunTag

        # The objective stands first: should MLflow split the batch, it is in the part that holds the outcome.
        metrics = end_metrics(trial.value, outcome)
        points = [Metric(key, number, trial.end_time or now(), 0) for key, number in metrics.items()]
        late = self._texts(trial, late=True)
        tags = [RunTag("tune.reason", tag_text(outcome.reason))] if outcome.reason else []
        tags += [RunTag("tune.diagnosis", tag_text(trial.diagnosis))] if trial.diagnosis else []
        tags += [RunTag("tune.curve", trial.curve)] if trial.curve else []
        tags += [RunTag(DEVICES, tag_text(",".join(outcome.devices)))] if outcome.devices else []
        if not self.is_described(trial):
            tags.append(RunTag(NOTE, tag_text(trial_note(self.study, trial, self.seen(trial)))))
        tags.append(RunTag("tune.outcome", outcome.kind))
        try:
            self.client.send("log_batch", trial.run_id, points, [Param(*each) for each in late.items()], tags)
        except TrackingError as error:
            held = self._held_params(trial.run_id, error) if late else {}
            if not late.keys() & held:
                raise
            # The training code has logged one of them with a text of its own, which is as good.
            params = [Param(name, text) for name, text in late.items() if name not in held]
            self.client.send("log_batch", trial.run_id, points, params, tags)

    def ask_on(self, trial: Trial, wish: TrainOn) -> Trial:
        """Write that a person has the trial trained on, and return it so; whoever drives the study does it."""
        form = {"after": wish.after, "raised": dict(wish.params)}
        self.client.send("set_tag", trial.run_id, TRAIN_ON, compact(form))
        return replace(trial, train_on=wish)

    def terminate(self, trial: Trial) -> None:
        """Give the run of an ended trial its status and its end."""
        terminate(self.client, trial)

    def logged(self, trial: Trial) -> LoggedRun:
        """Return the trial's run with what the training code has logged to it.

        A description that the code gave its run is noted, and stays.
        """
        run = self.client.send("get_run", trial.run_id)
        if run.data.tags.get(NOTE, "") not in ("", trial_note(self.study, trial)):
            self.keep_description(trial)
        return logged_run(run)

    def is_described(self, trial: Trial) -> bool:
        """Whether the trial's run has a description that its end is not to replace."""
        return trial.run_id in self._described

    def keep_description(self, trial: Trial) -> None:
        """Leave the description of the trial's run as it is when the trial ends."""
        self._described.add(trial.run_id)

    def latest(self, experiments: Sequence[str] = ()) -> dict[str, dict[str, Latest]]:
        """Return the latest point of each metric of the trials that run, by the id of their run: one search.

        Where `experiments` are given, another one finds there what runs of the training code's own have logged.
        """
        found: dict[str, dict[str, Latest]] = {}
        own = f"tags.`mlflow.parentRunId` = '{self.study.run_id}' and attributes.status = 'RUNNING'"
        for run in search(self.client, [self.study.experiment_id], own):
            found[run.info.run_id] = latest_points(run)
        opened = f"tags.`{OF_STUDY}` = '{self.study.run_id}' and attributes.status = 'RUNNING'"
        for run in search(self.client, experiments, opened) if experiments else ():
            held = found.setdefault(run.data.tags.get(OF, ""), {})
            held |= {name: point for name, point in latest_points(run).items() if name not in held}
        return found

    def history(self, trial: Trial, metric: str) -> Curve:
        """Return a metric's learning curve as (step, value), in order of steps."""
        return learning_curve(self.client, trial.run_id, metric)

    def log_output(self, trial: Trial, output: bytes) -> None:
        """Keep what the trial printed as its artifact `output.log`."""
        Artifacts(self.client, trial.run_id).log_bytes("output.log", output)

    def _make(self, name: str, tags: Mapping[str, str], started: int) -> str:
        return str(make_run(self.client, self.study.experiment_id, name, tags, started).info.run_id)

    def _bury(self, run_id: str) -> None:
        """End a run that was made too late: the study was somebody else's already, who may not know of it."""
        from mlflow.entities import RunTag

        tags = [
            RunTag("tune.reason", "made by a driver that had lost its study"),
            RunTag("tune.outcome", "interrupted"),
        ]
        with suppress(TrackingError):
            if "tune.outcome" not in self.client.once("get_run", run_id).data.tags:
                self.client.once("log_batch", run_id, [], [], tags)
                self.client.once("set_terminated", run_id, STATUS["interrupted"], now())

    def _number(self, trial: Trial, name: str, tags: Mapping[str, str]) -> None:
        # Who queued it stays; MLflow commits the tags last, and until then the run is still in the queue.
        kept = {key: value for key, value in tags.items() if key != "mlflow.user"}
        self._log(trial, self._texts(trial), {**kept, QUEUED: "numbered"})
        self.client.send("update_run", trial.run_id, "RUNNING", name)

    def _texts(self, trial: Trial, late: bool = False) -> dict[str, str]:
        """Return the params that are logged before the training code runs, or the `late` ones that are not.

        Those have a text that Python does not make of them: code that logs its own would be refused.
        """
        own = {self.seed_name: trial.seed} if self.seed_name and trial.seed is not None else {}
        given = {**self.fixed, **trial.trained_with, **own}
        found = {name: (value_text(value), str(value)) for name, value in given.items()}
        return {name: text for name, (text, own) in found.items() if (text != own) == late}

    def _log(self, trial: Trial, params: Mapping[str, str], tags: Mapping[str, str] | None = None) -> None:
        from mlflow.entities import Metric, Param, RunTag

        points = [Metric(key, value, trial.start_time, 0) for key, value in trial.metrics.items()]
        self.client.send(
            "log_batch",
            trial.run_id,
            metrics=points,
            params=[Param(*each) for each in params.items()],
            tags=[RunTag(*each) for each in (tags or {}).items()],
        )

    def _runs(self, deleted: bool = False) -> Iterator[Any]:
        query = f"tags.`mlflow.parentRunId` = '{self.study.run_id}' and tags.`{KIND}` = 'trial'"
        return search(self.client, [self.study.experiment_id], query, deleted)

    def _read(self, run: Any) -> tuple[Any, Trial | None, str]:
        """Return a run's info, its trial, and why it has none: of thousands of runs nothing else is kept."""
        trial = read_trial(run, self.space)
        tags = run.data.tags
        return run.info, trial, "" if trial or is_queued(tags) else why_unsound(tags, self.space)

    def _tell_left_out(self, read: Iterable[tuple[Any, Trial | None, str]]) -> None:
        """Warn in one line of the runs that are left out, and why."""
        seen: set[tuple[int, int]] = set()
        left_out: list[str] = []
        for info, trial, unsound in read:
            why = unsound
            if trial is not None:
                attempt = (trial.number, trial.attempt)
                why = f"trial {trial.number} has another run" if attempt in seen else ""
                seen.add(attempt)
            left_out += [f"{info.run_id} ({why})"] if why else []
        if left_out:
            listed = ", ".join(left_out[:MOST_LISTED]) + (", ..." if len(left_out) > MOST_LISTED else "")
            logger.warning("left out %d run%s: %s", len(left_out), "s" * (len(left_out) > 1), listed)

    def _deleted(self, found: Iterable[Trial]) -> Iterator[Trial]:
        """Yield the attempts whose run was deleted, but for those of which another run is `found`."""
        known = {(trial.number, trial.attempt) for trial in found}
        for run in self._runs(deleted=True):
            if (trial := read_trial(run, self.space)) and (trial.number, trial.attempt) not in known:
                yield without_run(trial, trial.end_time or trial.start_time)

    def _closed(self, trial: Trial, status: str) -> Trial:
        if trial.outcome is None:
            logger.info("trial %d attempt %d was left open by a driver that is gone", trial.number, trial.attempt)
            if "trial" not in trial.metrics:  # the driver had not logged the point yet
                logs = self.space.log10_metrics(trial.params) if self.space else {}
                trial = replace(trial, metrics={**trial.metrics, "trial": float(trial.number), **logs})
                self.log_point(trial)
            self.logged(trial)  # a description that the code gave its run stays
            return self.finish(trial, Outcome("interrupted", reason=LEFT_OPEN))
        if status != STATUS[trial.outcome]:
            ended = replace(trial, end_time=trial.end_time or now())
            self.terminate(ended)
            return ended
        return trial


def terminate(client: Client, trial: Trial) -> None:
    """Give the run of an ended trial its status and its end."""
    assert trial.outcome is not None
    client.send("set_terminated", trial.run_id, STATUS[trial.outcome], trial.end_time or now())
