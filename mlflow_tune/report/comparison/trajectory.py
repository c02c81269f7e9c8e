"""How one study went: the best so far against the number of trials, and against the hours that they ran.

The *number of trials* counts those that ended by themselves, failures too, in the order of their numbers. Replicates
are none of them: a confirmation searches nothing, and the luckiest of many tries of a point is not its value. The
*hours* are the time during which at least one attempt at any trial ran, until the last trial ended that counts: idle
time between sessions costs nothing, and two at once cost the time of one. The stop rule `time` goes by the same clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_tune.report.subject import Subject, scored, value_of
from mlflow_tune.trial import Goal, Trial, best_so_far, busy_clock, searched

SECONDS_AN_HOUR = 3600
Steps = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Course:
    """How one study went: how many trials ended, and how many of these failed; the hours; the best so far.

    `by_trial` and `by_hour` hold (trials or hours, best value) at each improvement.
    """

    trials: int
    failures: int
    hours: float
    by_trial: Steps
    by_hour: Steps


def course(subject: Subject, trials: Sequence[Trial]) -> Course:
    """Return how a study went, from its trials."""
    ended = sorted((trial for trial in trials if trial.done), key=lambda trial: trial.number)
    latest = max((trial.end_time or 0 for trial in ended), default=0)
    done = searched(ended)
    clock = busy_clock(trials, latest)
    counted = {trial.number: float(index) for index, trial in enumerate(done, start=1)}
    found = [trial for trial in scored(done) if trial.number not in subject.unmet]
    by_trial = [(counted[trial.number], value_of(trial)) for trial in best_so_far(found, subject.goal)]
    by_hour: list[tuple[float, float]] = []
    for trial in sorted(found, key=lambda trial: (trial.end_time or 0, trial.number)):
        if not by_hour or _better(value_of(trial), by_hour[-1][1], subject.goal):
            by_hour.append((clock(trial.end_time or 0) / SECONDS_AN_HOUR, value_of(trial)))
    failures = sum(trial.value is None and trial.outcome != "pruned" for trial in done)
    return Course(len(done), failures, clock(latest) / SECONDS_AN_HOUR, tuple(by_trial), tuple(by_hour))


def best_at(steps: Steps, x: float) -> float | None:
    """Return the best value after `x` trials or hours, None when there is none yet."""
    at = bisect_right(steps, x, key=lambda step: step[0])
    return steps[at - 1][1] if at else None


def reached_at(steps: Steps, target: float, goal: Goal) -> float | None:
    """Return after how many trials or hours the target was reached, None when it was not."""
    return next((x for x, value in steps if value == target or _better(value, target, goal)), None)


def _better(value: float, than: float, goal: Goal) -> bool:
    return value < than if goal == "minimize" else value > than
