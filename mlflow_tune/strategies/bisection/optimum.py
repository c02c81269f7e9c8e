"""The one extremum of a unimodal function: golden section, and block search with several workers.

Kiefer (1953), "Sequential minimax search for a maximum", https://doi.org/10.1090/S0002-9939-1953-0055639-3.
Avriel and Wilde (1966), "Optimal search for a maximum with sequences of simultaneous function evaluations",
https://doi.org/10.1287/mnsc.12.9.722.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from mlflow_tune.strategies.bisection.axis import Axis, Bracket, Points, mean
from mlflow_tune.text import param_text
from mlflow_tune.trial import Goal, Trial


@dataclass(frozen=True)
class Optimum:
    """Scores are costs: the smallest is the best, and a point without a value is worse than all others."""

    goal: Goal

    def score(self, trials: Sequence[Trial]) -> float:
        """Return the mean cost of the trials of one point, infinite when none of them has a value."""
        values = [trial.value for trial in trials if trial.value is not None]
        sign = 1.0 if self.goal == "minimize" else -1.0
        return sign * mean(values) if values else math.inf

    def bracket(self, axis: Axis, points: Points) -> Bracket:
        """Return the neighbours of the best point (the middle of equals), or the range's ends where it has none."""
        if not points:
            return Bracket(axis.low, axis.high)
        least = min(points.values())
        equals = [value for value, score in points.items() if score == least]
        best = equals[(len(equals) - 1) // 2]
        below = max((value for value in points if value < best), default=axis.low)
        above = min((value for value in points if value > best), default=axis.high)
        return Bracket(below, above, best)

    def propose(self, axis: Axis, points: Points, count: int) -> list[tuple[float, str]]:
        """Return up to `count` new values with their reasons; none when the bracket is within the tolerance.

        The ends of the range are tried last, and only where the bracket still reaches them.
        """
        bracket = self.bracket(axis, points)
        if found := _inside(axis, bracket, count):
            return found
        ends = [end for end in dict.fromkeys((bracket.low, bracket.high)) if end not in points]
        return [(end, f"the end of the range, which the bracket {bracket} still reaches") for end in ends[:count]]

    def length(self, axis: Axis) -> int:
        """Return the most points that one worker tries: a first one, one for each shrinking, and one end."""
        most = max(axis.shrinks(_short(1)) + 2, 3)
        return most if axis.dimension.size is None else min(most, axis.dimension.size)

    def findings(self, axis: Axis, points: Points) -> list[str]:  # noqa: ARG002 - the boundary's needs the axis
        """Return in words the point that most clearly lies between two better ones, if there is any."""
        values = [value for value, score in points.items() if math.isfinite(score)]
        scores = [points[value] for value in values]
        left = list(accumulate(scores, min))
        right = list(accumulate(reversed(scores), min))[::-1]
        excess = [score - max(before, after) for score, before, after in zip(scores, left, right, strict=True)]
        worst = max(range(len(values)), key=excess.__getitem__, default=0)
        if not excess or excess[worst] <= 0:
            return []
        triple = [scores.index(left[worst]), worst, len(scores) - 1 - scores[::-1].index(right[worst])]
        sign, kind = (1.0, "minimum") if self.goal == "minimize" else (-1.0, "maximum")
        return [
            f"not one {kind}: {', '.join(param_text(values[at]) for at in triple)} gave "
            f"{', '.join(param_text(sign * scores[at] + 0.0) for at in triple)}; use random or bayesian search, "
            "or more replicates if this is noise"
        ]


def _inside(axis: Axis, bracket: Bracket, count: int) -> list[tuple[float, str]]:
    if bracket.best is None:
        # The interval at the far end must be a long one: a short one there would make the first bracket wider.
        found = axis.between(axis.low, axis.high, _shares(count, short_first=count % 2 == 1))
        return _explained(found, count, bracket, "first point")
    if axis.close(bracket.low, bracket.high):
        return []
    sides = [(abs(axis.width(bracket.best, end)), end) for end in (bracket.low, bracket.high)]
    for _, end in sorted(sides, reverse=True):
        if found := axis.between(bracket.best, end, _shares(count, short_first=True)):
            side = "smaller" if end < bracket.best else "larger"
            return _explained(found, count, bracket, f"{side} side of {param_text(bracket.best)}")
    return []


def _explained(found: Sequence[float], count: int, bracket: Bracket, where: str) -> list[tuple[float, str]]:
    if count == 1:
        return [(value, f"golden section in {bracket}: {where}") for value in found]
    total = len(found)
    where = "" if bracket.best is None else f", {where}"
    return [(value, f"point {at} of {total} of a block in {bracket}{where}") for at, value in enumerate(found, 1)]


def _short(count: int) -> float:
    """Return the ratio of short to long intervals that repeats itself from round to round (Avriel and Wilde)."""
    return (math.sqrt(1 + 8 / (count + 1)) - 1) / 2 if count % 2 else 2 / (count + 2)


def _shares(count: int, short_first: bool) -> list[float]:
    """Return the shares of the way at which `count` points part it into short and long intervals by turns."""
    lengths = [_short(count) if (at % 2 == 0) is short_first else 1.0 for at in range(count + 1)]
    return [reached / math.fsum(lengths) for reached in accumulate(lengths[:-1])]
