"""What the other trials of a study say of moving one parameter of a trial: towards better values, or worse ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_tune.text import is_number, param_text, some_of, trial_label
from mlflow_tune.trial import Goal, Trial

MOST = 3  # trials that a sentence names


@dataclass(frozen=True)
class Neighbours:
    """The trials that did better or worse than one of them, by (number, value of the parameter), and its own value.

    A trial whose metric was not finite is worse than any with a value. One that failed, that breaks the constraint or
    that still runs tells nothing. What the other parameters did is not told apart: so these trials never bear out a
    proposal, they only speak against one.
    """

    label: str
    value: float
    better: Sequence[tuple[int, float]]
    worse: Sequence[tuple[int, float]]

    def against(self, target: float) -> bool:
        """Whether the study's trials speak against the target.

        They do where a worse one lies on the way to it, or where the better ones all lie on the other side.
        """
        up = target > self.value
        if any(self._is_between(value, target) for _, value in self.worse):
            return True
        sides = {value > self.value for _, value in self.better if value != self.value}
        return sides == {not up}

    def rest(self, target: float) -> str:
        """Return which trials a proposal on this side rests on."""
        along = [
            each for each in self.better if each[1] != self.value and (each[1] > self.value) is (target > self.value)
        ]
        return (
            f"rests on {self.label}; {_named(along)} did better that way" if along else f"rests on {self.label} alone"
        )

    def words(self, targets: Sequence[float]) -> str:
        """Return why none of the targets is proposed, and what is instead."""
        sides = [each for each in self.better if each[1] != self.value]
        if sides:
            low, high = min(value for _, value in sides), max(value for _, value in sides)
            there = param_text(low) if low == high else f"{param_text(low)} to {param_text(high)}"
            return f"but {_named(sides)} did better: go on from there, at {there}"
        on_way = [each for each in self.worse if any(self._is_between(each[1], target) for target in targets)]
        return f"but {_named(on_way)}, which went that way, did worse"

    def _is_between(self, value: float, target: float) -> bool:
        return self.value < value <= target or target <= value < self.value


def neighbours(trial: Trial, history: Sequence[Trial], goal: Goal, name: str) -> Neighbours | None:
    """Return what `history` says of the parameter `name` of the trial, None where that is no number there."""
    value = trial.params.get(name)
    if not is_number(value):
        return None
    own = _score(trial, goal)
    own = math.inf if own is None else own
    found = [
        (each.number, at, score)
        for each in history
        if each.number != trial.number and is_number(at := each.params.get(name))
        if (score := _score(each, goal)) is not None
    ]
    return Neighbours(
        trial_label(trial.number),
        value,
        [(number, at) for number, at, score in found if score < own],
        [(number, at) for number, at, score in found if score > own],
    )


def _score(trial: Trial, goal: Goal) -> float | None:
    """Return the value, so that less is better; infinite where it was not finite, None where it tells nothing."""
    if trial.value is not None:
        return trial.value if goal == "minimize" else -trial.value
    return math.inf if trial.outcome == "not-finite" else None


def _named(trials: Sequence[tuple[int, float]]) -> str:
    return some_of([trial_label(number) for number, _ in trials], MOST)
