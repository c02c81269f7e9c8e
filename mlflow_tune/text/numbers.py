"""Numbers, values and points as people read them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TypeGuard

from mlflow_tune.text.safe import one_line
from mlflow_tune.text.values import value_text

METRIC_DIGITS = 6
PARAM_DIGITS = 5


def number_text(value: object, digits: int = METRIC_DIGITS) -> str:
    """Return a value in at most so many significant digits if it is a float, else in full; empty for None."""
    return "" if value is None else _shortened(value, digits)


def _shortened(value: object, digits: int) -> str:
    return f"{value:.{digits}g}" if isinstance(value, float) else value_text(value)


def param_text(value: object) -> str:
    """Return a parameter's value: five significant digits of a float; empty for None, which stands for no value."""
    return number_text(value, PARAM_DIGITS)


def param_of(params: Mapping[str, object], name: str, digits: int = PARAM_DIGITS) -> str:
    """Return a point's value of a parameter as `param_text`, but `null` for None; empty where the point lacks it."""
    return _shortened(params[name], digits) if name in params else ""


def point_text(params: Mapping[str, object], digits: int = PARAM_DIGITS) -> str:
    """Return a point on one line, printable: `lr=0.0031 units=64`."""
    return one_line(" ".join(f"{name}={_shortened(value, digits)}" for name, value in params.items()))


def digits_between(low: float, high: float) -> int:
    """Return how many significant digits tell numbers within a range apart: four, or more where it lies far from 0."""
    size = max(abs(low), abs(high))
    return min(max(4, 2 + math.ceil(math.log10(size / (high - low)))), 15) if low < high else 4


def tick_text(value: float, digits: int = 4) -> str:
    """Return a number in at most so many digits, its exponent without zeros: what an axis has room for."""
    return f"{value:.{digits}g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def count_text(count: float) -> str:
    """Return a count, or a mean of counts, to one decimal: `9.2`, `9`."""
    return f"{count:.1f}".removesuffix(".0")


def factor_text(factor: float | None) -> str:
    """Return by how much something was multiplied, `2.5 times`; empty for None."""
    return "" if factor is None else f"{factor:.3g} times"


def bytes_text(size: int | None) -> str:
    """Return a size in bytes: `1,234 bytes`."""
    return "size unknown" if size is None else f"{size:,} byte{'' if size == 1 else 's'}"


def rounded(value: float, digits: int) -> float:
    """Return the float with so many significant digits that is nearest."""
    return float(f"{value:.{digits}g}")


def json_number(value: float | None) -> float | str | None:
    """Return a number that JSON has, "nan", "inf" or "-inf" for one that it has not, None for None."""
    return value if value is None or math.isfinite(value) else str(float(value))


def is_number(value: object) -> TypeGuard[int | float]:
    """Whether the value is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
