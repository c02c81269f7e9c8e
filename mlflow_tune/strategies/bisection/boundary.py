"""The last value of a parameter that meets a monotone constraint: bisection, k points at once with k workers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias

from mlflow_tune.strategies.bisection.axis import Axis, Bracket, Points, mean
from mlflow_tune.strategies.constraint import Constraint
from mlflow_tune.text import param_text
from mlflow_tune.trial import Trial

Keep: TypeAlias = Literal["largest", "smallest"]


@dataclass(frozen=True)
class Boundary:
    """Scores are shortfalls. The search goes from the near end, where the constraint is met, towards the far end."""

    constraint: Constraint
    keep: Keep

    def score(self, trials: Sequence[Trial]) -> float:
        """Return by how much the trials of one point miss the bound on average, infinite without a value."""
        seen = [self.constraint.value(trial) for trial in trials if trial.outcome == "ok"]
        finite = [value for value in seen if not math.isnan(value)]
        return self.constraint.shortfall(mean(finite)) if finite else math.inf

    def bracket(self, axis: Axis, points: Points) -> Bracket:
        """Return the last value that was seen to meet the constraint, and the next one that was seen not to.

        The ends of the range stand in for what was not seen.
        """
        inner, outer = self._ends(axis, points)
        met = inner in points and points[inner] <= 0
        return Bracket(min(inner, outer), max(inner, outer), inner if met else None)

    def propose(self, axis: Axis, points: Points, count: int) -> list[tuple[float, str]]:
        """Return up to `count` new values with their reasons: missing ends of the range, then points of the bracket."""
        if missing := self._missing(axis, points):
            return missing[:count]
        inner, outer = self._ends(axis, points)
        if points[inner] > 0 or axis.close(inner, outer):
            return []
        found = axis.between(inner, outer, [at / (count + 1) for at in range(1, count + 1)])
        reason = f"{param_text(inner)} meets {self.constraint}, {param_text(outer)} does not"
        bracket = self.bracket(axis, points)
        if count == 1:
            return [(value, f"bisection in {bracket}: {reason}") for value in found]
        total = len(found)
        return [(value, f"point {at} of {total} in {bracket}: {reason}") for at, value in enumerate(found, 1)]

    def length(self, axis: Axis) -> int:
        """Return the most points that one worker tries: two ends, and one for each halving."""
        most = axis.shrinks(0.5) + 2
        return most if axis.dimension.size is None else min(most, axis.dimension.size)

    def findings(self, axis: Axis, points: Points) -> list[str]:
        """Return in words what speaks against the assumption, or for an answer that is none or an end of the range."""
        near, far = self._range(axis)
        order = self._ordered(points)
        flips = [after for before, after in pairwise(order) if (points[before] <= 0) is not (points[after] <= 0)]
        found = []
        if len(flips) > 1:
            words = ", ".join(
                f"{'met' if points[value] <= 0 else 'not met'} at {param_text(value)}" for value in flips[-2:]
            )
            first = "met" if points[order[0]] <= 0 else "not met"
            found.append(
                f"{self.constraint} is not monotone: {first} at {param_text(order[0])}, {words}; "
                "use random or bayesian search, or more replicates if this is noise"
            )
        if far in points and points[far] <= 0:
            other = "smallest" if self.keep == "largest" else "largest"
            wrong = len(flips) == 1 and points[order[0]] > 0
            hint = f"keep: {other} looks for the other side" if wrong else "a wider range would show where it ends"
            found.append(f"the {self.keep} value of the range, {param_text(far)}, meets {self.constraint}; {hint}")
        if near in points and not any(score <= 0 for score in points.values()):
            found.append(
                f"no value was seen to meet {self.constraint}, and {param_text(near)}, where it is easiest, does not"
            )
        return found

    def _range(self, axis: Axis) -> tuple[float, float]:
        return (axis.low, axis.high) if self.keep == "largest" else (axis.high, axis.low)

    def _ordered(self, points: Points) -> list[float]:
        return sorted(points, reverse=self.keep == "smallest")

    def _ends(self, axis: Axis, points: Points) -> tuple[float, float]:
        near, far = self._range(axis)
        order = self._ordered(points)
        met = [at for at, value in enumerate(order) if points[value] <= 0]
        beyond = order[met[-1] + 1 :] if met else order
        return order[met[-1]] if met else near, beyond[0] if beyond else far

    def _missing(self, axis: Axis, points: Points) -> list[tuple[float, str]]:
        near, far = self._range(axis)
        inner, outer = self._ends(axis, points)
        found = []
        if outer not in points:
            found.append((far, f"the {self.keep} value: if it meets {self.constraint}, it is the answer"))
        if inner not in points and inner != outer:
            found.append((near, f"the other end of the range: if it does not meet {self.constraint}, none does"))
        return found
