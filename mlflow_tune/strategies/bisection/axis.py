"""The one parameter that a bisection searches, and the bracket that it narrows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from mlflow_tune.errors import InputError
from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.text import param_text, unknown

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

    A position is the value itself or, with `log`, its natural logarithm.
    """

    name: str
    dimension: Float | Int
    tolerance: float

    @property
    def low(self) -> float:
        """The smallest value."""
        return self.dimension.low

    @property
    def high(self) -> float:
        """The largest value."""
        return self.dimension.high

    def width(self, low: float, high: float) -> float:
        """Return the distance of two values on the scale, negative when `high` is the smaller one."""
        return self._position(high) - self._position(low)

    def close(self, low: float, high: float) -> bool:
        """Return whether two values are no further apart than the tolerance."""
        return abs(self.width(low, high)) <= self.tolerance * (1 + SLACK)

    def shrinks(self, ratio: float) -> int:
        """Return how often the whole range must shrink by `ratio` (below 1) to be no wider than the tolerance."""
        span = self.width(self.low, self.high)
        resolution = max(self.tolerance, self._finest(span))
        return max(math.ceil(math.log(span / resolution) / -math.log(ratio) - SLACK), 0)

    def between(self, start: float, end: float, shares: Sequence[float]) -> list[float]:
        """Return the distinct values at these shares of the way from `start` to `end`, ascending, both excluded.

        There are fewer where the values between are fewer than the shares.
        """
        low, high = min(start, end), max(start, end)
        origin = self._position(start)
        way = self.width(start, end)
        values = sorted(self._value(origin + share * way) for share in shares)
        if isinstance(self.dimension, Int):
            return _on_lattice(values, int(low) + self.dimension.step, int(high) - self.dimension.step, self.dimension)
        return [value for value in dict.fromkeys(values) if low < value < high]

    def _position(self, value: float) -> float:
        return math.log(value) if self.dimension.log else float(value)

    def _value(self, position: float) -> float:
        return math.exp(position) if self.dimension.log else position

    def _finest(self, span: float) -> float:
        if isinstance(self.dimension, Float):
            return span * 2.0**-50
        return self.width(self.dimension.high - self.dimension.step, self.dimension.high)


def make_axis(space: Space, parameter: str | None, tolerance: float | None) -> Axis:
    """Return the axis of the space's one parameter; `InputError` says what to do about any other space.

    Without a tolerance it is a thousandth of the range for a Float; for an Int the search goes on to its neighbours.
    """
    if parameter is not None and parameter not in space:
        raise InputError(unknown("parameter", parameter, space), "parameter")
    others = [name for name in space if name != (parameter or next(iter(space)))]
    if others:
        raise InputError(
            f"bisection searches one parameter, but the space has {len(space)} ({', '.join(space)}): keep one, "
            "and fix the others under run.parameters",
            others[0] if parameter else "",
        )
    ((name, dimension),) = space.items()
    if isinstance(dimension, Categorical):
        raise InputError("bisection needs an order: a float or an int, not categories; use grid or random", name)
    if tolerance is None:
        whole = Axis(name, dimension, 0.0)
        return Axis(name, dimension, 1e-3 * whole.width(whole.low, whole.high) if isinstance(dimension, Float) else 0.0)
    return Axis(name, dimension, math.log1p(tolerance) if dimension.log else tolerance)


def mean(values: Sequence[float]) -> float:
    """Return the mean, rounded once: equal values have themselves for a mean, and none lies outside its values."""
    return float(sum(map(Fraction, values), Fraction()) / len(values))


def _on_lattice(values: Sequence[float], first: int, last: int, dimension: Int) -> list[float]:
    step = dimension.step
    if (last - first) // step + 1 <= len(values):
        return list(range(first, last + 1, step))
    found: list[float] = []
    for left, value in zip(reversed(range(len(values))), values, strict=True):
        rounded = dimension.low + step * round((value - dimension.low) / step)
        found.append(min(max(rounded, found[-1] + step if found else first), last - left * step))
    return found
