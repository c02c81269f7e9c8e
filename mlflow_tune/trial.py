"""Trials, suggestions and outcomes: the plain data that crosses room boundaries."""

from __future__ import annotations

import math
import statistics
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from mlflow_tune.space import Value

Params: TypeAlias = Mapping[str, Value]
Goal: TypeAlias = Literal["minimize", "maximize"]
OF = "tune.of"  # the tag of a run that training code opened: the id of its trial's run
OF_STUDY = "tune.of_study"  # and the id of the study's
SEED = "seed"  # what a command calls the random seed that a trial brings: {seed}
INFINITE = 1.797e308  # what MLflow's SQL stores make of infinity
EXPECTED, EXPECTED_STD = "expected_end", "expected_end_std"  # metrics of a pruned trial: what it would have come to
STEPS_USED = "steps_used"  # the metric of a trial in a study that may stop trials: how many values its curve has
Curve: TypeAlias = Sequence[tuple[int, float]]  # a learning curve: step and value, in order of steps
Devices: TypeAlias = tuple[str, ...]  # of a trial, as CUDA_VISIBLE_DEVICES names them
OutcomeKind: TypeAlias = Literal["ok", "failed", "timeout", "not-finite", "pruned", "interrupted"]


@dataclass(frozen=True)
class TrainOn:
    """A person's wish that a trial be trained on: by an attempt `after` this one, with these parameters raised."""

    after: int
    params: Params


@dataclass(frozen=True)
class Trial:
    """One point of the search space and what came of its latest attempt.

    `outcome` is None while the trial runs. `value` is the objective, in the metric's own sign, and is
    present exactly when `outcome` is "ok". `diagnosis` is what its learning curves show, as JSON, empty where there are
    none; `curve` is the metric's own, as JSON, in a study that may stop trials. Times are milliseconds since the epoch;
    `earlier` are those of the attempts before, (start, end) each. A replicate tries the point of an earlier trial
    again, whose number is in `replicate`, else 0; `seed` is the random seed that it was given, None for that of all.

    An attempt that trains the trial on has its epochs `raised`, which are no part of the point, and goes on from the
    attempt `before`; a replicate of such a trial has them raised too, and begins anew. `train_on` is what is yet to be
    done of that.
    """

    number: int
    params: Params
    outcome: OutcomeKind | None = None
    value: float | None = None
    attempt: int = 1
    run_id: str = ""
    strategy: str = ""
    why: str = ""
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)
    start_time: int = 0
    end_time: int | None = None
    diagnosis: str = ""
    curve: str = ""
    earlier: Sequence[tuple[int, int]] = ()
    replicate: int = 0
    seed: int | None = None
    raised: Params = field(default_factory=dict)
    before: Trial | None = field(default=None, repr=False, compare=False)
    train_on: TrainOn | None = None

    @property
    def trained_with(self) -> dict[str, Value]:
        """The point, and what was raised beside it."""
        return {**self.params, **self.raised}

    @property
    def attempts(self) -> Sequence[tuple[int, int]]:
        """The times of all attempts that have ended, (start, end) each."""
        return self.earlier if self.end_time is None else (*self.earlier, (self.start_time, self.end_time))

    @property
    def running(self) -> bool:
        """Whether the trial has not ended yet."""
        return self.outcome is None

    @property
    def done(self) -> bool:
        """Whether the trial ended by itself; an interrupted one is not done, it runs again."""
        return self.outcome not in (None, "interrupted")


@dataclass(frozen=True)
class Suggestion:
    """What a strategy asks for next: a point, the rule that chose it, and the numbers behind the choice.

    A point that is to be tried again has the number of its trial in `replicate`, may have another `seed`, and trains as
    long as that trial did: what that has `raised` comes with it.
    """

    params: Params
    why: str
    evidence: Mapping[str, float] = field(default_factory=dict)
    replicate: int = 0
    seed: int | None = None
    raised: Params = field(default_factory=dict)


@dataclass(frozen=True)
class Job:
    """All that a launcher needs to run one trial; it travels to other processes and machines.

    `slot` is one of the study's places for trials, from 0, which no other running trial has; `devices` are those that
    it may see, None where the study gives out none.
    With `bind` the training code's first run is the trial's own; without, it opens runs as by hand. `resume_from` is
    the run of the attempt that a trial which is trained on goes on from.
    """

    number: int
    params: Params
    run_id: str
    experiment_id: str
    tracking_uri: str
    slot: int = 0
    devices: Devices | None = None
    study_id: str = ""
    bind: bool = True
    resume_from: str = ""


@dataclass(frozen=True)
class Outcome:
    """How one attempt ended, as its launcher saw it.

    `metrics` is what a function returned. `logged` says that the training code may have logged to the
    child run itself, so that the run must be read. `output` is the tail of what it printed. `lost` says that it was
    interrupted by the death of its worker, so that it is to run again. `devices` are those that the trial had, where
    they were chosen by the worker that ran it.
    """

    kind: OutcomeKind
    metrics: Mapping[str, float] = field(default_factory=dict)
    logged: bool = False
    reason: str = ""
    output: bytes = b""
    lost: bool = False
    devices: Devices = ()
    certain: bool = False


def end_metrics(value: float | None, outcome: Outcome) -> dict[str, float]:
    """Return what a trial's end adds to its metrics: the objective first, if it has one, then what is finite."""
    metrics = {} if value is None else {"objective": value}
    return metrics | {key: number for key, number in outcome.metrics.items() if math.isfinite(number)}


def ended_trial(trial: Trial, outcome: Outcome, value: float | None, at: int) -> Trial:
    """Return the running trial as it ended, with its objective `value` if it has one; `at` is in milliseconds."""
    metrics = {**trial.metrics, **end_metrics(value, outcome)}
    return replace(trial, outcome=outcome.kind, value=value, reason=outcome.reason, end_time=at, metrics=metrics)


def standing(trial: Trial) -> Trial:
    """Return the trial as it counts: one that was trained on in vain is what it was before.

    What was broken off is still to be done.
    """
    before = trial.before
    if before is None or trial.outcome in (None, "ok"):
        return trial
    others = tuple(span for span in trial.attempts if span not in before.attempts[-1:])
    wish = TrainOn(trial.attempt, trial.raised) if trial.outcome == "interrupted" else None
    return replace(before, attempt=trial.attempt, earlier=others, train_on=wish)


def as_known(history: Iterable[Trial]) -> list[Trial]:
    """Return the history as strategies and rules see it: a trial that is being trained on is what it was before."""
    return [trial.before if trial.running and trial.before else trial for trial in history]


def is_finite(value: float) -> bool:
    """Whether the value is a finite number also after MLflow's SQL stores have held it."""
    return math.isfinite(value) and abs(value) < INFINITE


def finite_points(curve: Curve) -> list[tuple[int, float]]:
    """Return the points of a learning curve that are finite numbers, also after MLflow's stores have held them."""
    return [(step, value) for step, value in curve if is_finite(value)]


def ranked(trials: Iterable[Trial], goal: Goal) -> list[Trial]:
    """Return the trials that have a value, the best first, the earlier of equals first.

    Replicates are left out where others have one: the luckiest of several trials of one point is no better point.
    """
    valued = [trial for trial in trials if trial.value is not None]
    return sorted(searched(valued) or valued, key=_rank(goal))


def searched(trials: Iterable[Trial]) -> list[Trial]:
    """Return the trials that are no replicates of others."""
    return [trial for trial in trials if not trial.replicate]


def best_trial(trials: Iterable[Trial], goal: Goal) -> Trial | None:
    """Return the first of those that are `ranked`; None when no trial has a value."""
    return next(iter(ranked(trials, goal)), None)


def _rank(goal: Goal) -> Callable[[Trial], tuple[float, int]]:
    sign = 1.0 if goal == "minimize" else -1.0
    return lambda trial: (sign * (trial.value or 0.0), trial.number)


def best_so_far(trials: Sequence[Trial], goal: Goal) -> list[Trial]:
    """Return the trials that were the best when they were found, in order of number."""
    found: list[Trial] = []
    for trial in sorted(trials, key=lambda trial: trial.number):
        if trial.value is not None and best_trial([*found[-1:], trial], goal) is trial:
            found.append(trial)
    return found


def usual_seconds(trials: Iterable[Trial]) -> float:
    """Return the median of the seconds that the last attempts at the trials took, of those that have ended; else 0."""
    took = [(trial.end_time - trial.start_time) / 1000 for trial in trials if trial.end_time]
    return statistics.median(took) if took else 0.0


def busy_clock(trials: Iterable[Trial], now: float) -> Callable[[float], float]:
    """Return the clock that goes while at least one attempt at one of the trials runs: from a time in ms to seconds.

    All attempts count, the interrupted and repeated ones too: an attempt that still runs does so until `now`
    (milliseconds). Time in which none ran costs nothing, and two at once cost the time of one.
    """
    spans = [span for trial in trials for span in _spans(trial, now)]
    starts: list[float] = []
    ends: list[float] = []
    before: list[float] = []  # milliseconds in the stretches before the one that begins at the same index
    for start, end in sorted(spans):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            before.append(before[-1] + ends[-1] - starts[-1] if ends else 0)
            starts.append(start)
            ends.append(max(start, end))

    def clock(time: float) -> float:
        at = bisect_right(starts, time) - 1
        return 0.0 if at < 0 else (before[at] + min(time, ends[at]) - starts[at]) / 1000

    return clock


def _spans(trial: Trial, now: float) -> list[tuple[float, float]]:
    """Return when the attempts at a trial ran, one that runs until `now`."""
    return [*trial.attempts, *([(trial.start_time, now)] if trial.end_time is None else [])]
