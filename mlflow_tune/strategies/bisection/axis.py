"""The one parameter that a bisection searches, and the bracket that it narrows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias, cast

from mlflow_tune.errors import InputError
from mlflow_tune.space import Dimension, Float, Int, Ordinal, Space, Value
from mlflow_tune.text import param_text, unknown
from mlflow_tune.trial import Trial

Points: TypeAlias = Mapping[float, float]
"""The score of every value that was tried, in ascending order of the values; infinite where no trial gave one."""

SLACK = 1e-9  # a width of 0.1000...01 has reached a tolerance of 0.1


@dataclass(frozen=True)
class Bracket:
    """Where the search still looks: between `low` and `high`; `best` is the answer as far as it is known."""

    low: float
    high: float
    best: float | None = None

    def __str__(self) -> str:
        return f"[{param_text(self.low)}, {param_text(self.high)}]"


@dataclass(frozen=True)
class Axis:
    """The parameter's range on the scale that it is searched on; `tolerance` is a width on that scale.

    A position is the value itself, with `log` its natural logarithm, or of an Ordinal the value's place, from 0.
    `whole` is a point of the space: the parameters beside this one have one value only.
    """

    name: str
    dimension: Float | Int | Ordinal
    tolerance: float
    whole: Mapping[str, Value] = field(default_factory=dict)

    @property
    def low(self) -> float:
        """The smallest value."""
        return self._listed[0] if isinstance(self.dimension, Ordinal) else self.dimension.low

    @property
    def high(self) -> float:
        """The largest value."""
        return self._listed[-1] if isinstance(self.dimension, Ordinal) else self.dimension.high

    def point(self, value: Any) -> dict[str, Value]:
        """Return the point of the space at this value of the parameter."""
        return {**self.whole, self.name: value}

    def number(self, trial: Trial) -> float:
        """Return the parameter's value of a trial."""
        value: Any = self.dimension.decode(trial.params[self.name])
        return cast(float, value)

    def width(self, low: float, high: float) -> float:
        """Return the distance of two values on the scale, negative when `high` is the smaller one."""
        return self._position(high) - self._position(low)

    def close(self, low: float, high: float) -> bool:
        """Return whether two values are no further apart than the tolerance."""
        return abs(self.width(low, high)) <= self.tolerance * (1 + SLACK)

    def shrinks(self, ratio: float) -> int:
        """Return how often the whole range must shrink by `ratio` (below 1) to be no wider than the tolerance."""
        span = self.width(self.low, self.high)
        if span <= 0:
            return 0
        resolution = max(self.tolerance, self._finest(span))
        return max(math.ceil(math.log(span / resolution) / -math.log(ratio) - SLACK), 0)

    def between(self, start: float, end: float, shares: Sequence[float]) -> list[float]:
        """Return the distinct values at these shares of the way from `start` to `end`, ascending, both excluded.

        There are fewer where the values between are fewer than the shares.
        """
        low, high = min(start, end), max(start, end)
        origin = self._position(start)
        way = self.width(start, end)
        positions = sorted(origin + share * way for share in shares)
        if self.dimension.size is not None:
            steps = [self._steps(position) for position in positions]
            return [self._at(index) for index in _on_lattice(steps, self._index(low) + 1, self._index(high) - 1)]
        return [value for value in dict.fromkeys(map(self._value, positions)) if low < value < high]

    @property
    def _listed(self) -> list[int | float]:
        return sorted(self.dimension.numbers or ()) if isinstance(self.dimension, Ordinal) else []

    def _position(self, value: float) -> float:
        if isinstance(self.dimension, Ordinal):
            return float(self._listed.index(value))
        return math.log(value) if self.dimension.log else float(value)

    def _value(self, position: float) -> float:
        return math.exp(position) if self.dimension.log else position

    def _steps(self, position: float) -> float:
        """Return how many steps above the smallest value a position lies, of values that can be counted."""
        if isinstance(self.dimension, Ordinal):
            return position
        return (self._value(position) - self.dimension.low) / (self.dimension.step or 1.0)

    def _index(self, value: float) -> int:
        if isinstance(self.dimension, Ordinal):
            return self._listed.index(value)
        return self.dimension.nearest(value)

    def _at(self, index: int) -> float:
        return self._listed[index] if isinstance(self.dimension, Ordinal) else self.dimension.at(index)

    def _finest(self, span: float) -> float:
        if self.dimension.size is None:
            return span * 2.0**-50
        return self.width(self._at(self.dimension.size - 2), self.high)


def make_axis(space: Space, parameter: str | None, tolerance: float | None) -> Axis:
    """Return the axis of the space's one parameter; `InputError` says what to do about any other space.

    Without a tolerance it is a thousandth of the range for a Float; for an Int the search goes on to its neighbours.
    """
    if parameter is not None and parameter not in space:
        raise InputError(unknown("parameter", parameter, space), "parameter")
    searched = [name for name, dimension in space.items() if dimension.size != 1] or list(space)[:1]
    name = parameter or searched[0]
    if more := [each for each in searched if each != name]:
        raise InputError(
            f"bisection searches one parameter, but the space has {len(searched)} ({', '.join(searched)}): keep one, "
            "and fix the others under run.parameters",
            more[0] if parameter else "",
        )
    dimension = _ordered(name, space[name])
    whole = space.from_unit([0.5] * len(space))
    if tolerance is None:
        axis = Axis(name, dimension, 0.0)
        least = 0.0 if dimension.size is not None else 1e-3 * axis.width(axis.low, axis.high)
        return Axis(name, dimension, least, whole)
    return Axis(name, dimension, math.log1p(tolerance) if dimension.log else tolerance, whole)


def _ordered(name: str, dimension: Dimension) -> Float | Int | Ordinal:
    if isinstance(dimension, Float | Int) or (isinstance(dimension, Ordinal) and dimension.numbers):
        return dimension
    message = "bisection needs an order: a float, an int or an ordinal of numbers, not categories; use grid or random"
    raise InputError(message, name)


def mean(values: Sequence[float]) -> float:
    """Return the mean, rounded once: equal values have themselves for a mean, and none lies outside its values."""
    return float(sum(map(Fraction, values), Fraction()) / len(values))


def _on_lattice(steps: Sequence[float], first: int, last: int) -> list[int]:
    """Return the whole numbers next to `steps`, ascending and distinct, from `first` to `last`; all if so few."""
    if last - first + 1 <= len(steps):
        return list(range(first, last + 1))
    found: list[int] = []
    for left, place in zip(reversed(range(len(steps))), steps, strict=True):
        found.append(min(max(round(place), found[-1] + 1 if found else first), last - left))
    return found
