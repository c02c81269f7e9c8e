"""The dimensions of a search space: a real number, a whole number, one of several values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from numbers import Real
from typing import Any, ClassVar, TypeAlias, cast

from mlflow_tune.errors import InputError
from mlflow_tune.text import as_integer, as_number, at, listed, shown, unknown

Scalar: TypeAlias = bool | int | float | str
ROLES = ("learning_rate", "regularization", "capacity", "batch_size", "epochs")
MAX_GRID = 10_000
MAX_TEXT = 6000
MAX_INT = 10**12  # beyond, the cells of the unit interval are too narrow for a float to tell them apart


def _set(frozen: object, **values: object) -> None:
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


def _share(low: float, high: float, value: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0) if low < high else 0.5


def _mix(low: float, high: float, unit: float) -> float:
    return (1.0 - unit) * low + unit * high


def _cell(unit: float, count: int) -> int:
    return min(max(int(unit * count), 0), count - 1)


class _Dimension:
    grid: Any
    default: Any
    role: str | None

    def check(self, value: object) -> None:
        raise NotImplementedError

    def decode(self, text: object) -> Any:
        raise NotImplementedError

    def contains(self, value: object) -> bool:
        """Return whether `check` accepts the value."""
        try:
            self.check(value)
        except InputError:
            return False
        return True

    def to_json(self) -> dict[str, Any]:
        """Return the mapping that `Space.from_json` reads; what is left at its default is left out."""
        form: dict[str, Any] = {"type": type(self).__name__.lower()}
        for each in fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            if value != each.default:
                form[each.name] = list(value) if isinstance(value, tuple) else value
        return form

    def _read(self, value: object) -> Any:
        value = self.decode(value)
        self.check(value)
        return value

    def _read_grid(self) -> Any:
        return listed(self.grid, "grid", self._read)

    def _settle(self) -> None:
        if self.role is not None and self.role not in ROLES:
            raise InputError(unknown("role", self.role, ROLES), "role")
        if self.grid is not None:
            _set(self, grid=self._read_grid())
        if self.default is not None:
            _set(self, default=at("default", self._read, self.default))


class _Range(_Dimension):
    low: float
    high: float
    log: bool

    def check(self, value: object) -> None:
        """Raise `InputError` unless `value` is a number (not its text) of the dimension's kind within the bounds."""
        if isinstance(value, str):
            raise InputError(f"must be a number, but got the text {value!r}")
        if not self.low <= self.decode(value) <= self.high:
            raise InputError(f"{self.low} <= value <= {self.high} must hold, but got {shown(value)}")

    def _check_bounds(self) -> None:
        if not isinstance(self.log, bool):
            raise InputError(f"must be true or false, but got {shown(self.log)}", "log")
        if not self.low < self.high:
            raise InputError(f"low < high must hold, but got low={self.low}, high={self.high}", "low")
        if self.log and self.low <= 0:
            raise InputError(f"low > 0 must hold on a log scale, but got low={self.low}", "low")

    def _read_grid(self) -> Any:
        if not isinstance(self.grid, str | Real):
            return super()._read_grid()
        count = at("grid", as_integer, self.grid)
        if not 2 <= count <= MAX_GRID:
            raise InputError(f"2 <= number of points <= {MAX_GRID} must hold, but got {count}", "grid")
        return count

    def _spaced(self, count: int) -> list[float]:
        units = [index / (count - 1) for index in range(count)]
        if self.log:
            return [math.exp(_mix(math.log(self.low), math.log(self.high), unit)) for unit in units]
        return [_mix(self.low, self.high, unit) for unit in units]


@dataclass(frozen=True)
class Float(_Range):
    """A real number from `low` to `high`, both included; `log` spreads it evenly over orders of magnitude.

    `grid` is a list of values or a number of points from low to high (geometric with `log`). `role` says what the
    parameter does (one of `ROLES`). A broken rule raises `InputError` whose key is the field, in all three classes.
    """

    low: float
    high: float
    log: bool = False
    grid: Sequence[float] | int | None = None
    default: float | None = None
    role: str | None = None

    def __post_init__(self) -> None:
        _set(self, low=at("low", as_number, self.low), high=at("high", as_number, self.high))
        self._check_bounds()
        if math.isinf(self.high - self.low):
            raise InputError(f"high - low must be finite, but got low={self.low}, high={self.high}", "high")
        self._settle()

    @property
    def size(self) -> int | None:
        """None: the values cannot be counted."""
        return None

    def decode(self, text: object) -> float:
        """Return the number that MLflow holds as text; `InputError` unless it is finite."""
        return as_number(text)

    def to_unit(self, value: object) -> float:
        """Return where the value lies from low (0) to high (1), in its logarithm with `log`."""
        number = self.decode(value)
        if self.log:
            return _share(math.log(self.low), math.log(self.high), math.log(max(number, self.low)))
        return _share(self.low, self.high, number)

    def from_unit(self, unit: float) -> float:
        """Return the value at `unit`: the inverse of `to_unit` up to rounding, never outside [low, high]."""
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        number = _mix(low, high, unit)
        return self._inside(math.exp(number) if self.log else number)

    def grid_values(self) -> tuple[float, ...] | None:
        """Return the values to try on a grid; None without `grid`. Counted points have 12 significant digits."""
        if isinstance(self.grid, int):
            inner = (self._inside(float(f"{number:.12g}")) for number in self._spaced(self.grid)[1:-1])
            return tuple(dict.fromkeys([self.low, *inner, self.high]))
        return None if self.grid is None else tuple(self.grid)

    def _inside(self, number: float) -> float:
        return float(min(max(number, self.low), self.high)) + 0.0


@dataclass(frozen=True)
class Int(_Range):
    """A whole number low, low + step, ..., high; `log` spreads it evenly over orders of magnitude."""

    low: int
    high: int
    log: bool = False
    step: int = 1
    grid: Sequence[int] | int | None = None
    default: int | None = None
    role: str | None = None

    def __post_init__(self) -> None:
        _set(self, **{key: at(key, as_integer, getattr(self, key)) for key in ("low", "high", "step")})
        self._check_bounds()
        for key in ("low", "high"):
            if abs(getattr(self, key)) > MAX_INT:
                raise InputError(f"must lie within +-{MAX_INT}, but got {getattr(self, key)}", key)
        self._check_step()
        self._settle()

    def _check_step(self) -> None:
        if self.step < 1:
            raise InputError(f"step >= 1 must hold, but got step={self.step}", "step")
        if self.log and self.step != 1:
            raise InputError(f"log and step exclude one another, but got log=True, step={self.step}", "step")
        if rest := (self.high - self.low) % self.step:
            near = [high for high in (self.high - rest, self.high - rest + self.step) if high > self.low]
            raise InputError(
                f"high must be low + k*step, but got low={self.low}, high={self.high}, step={self.step}; "
                f"nearest: {' or '.join(map(str, near))}",
                "high",
            )

    @property
    def size(self) -> int:
        """The number of values."""
        return (self.high - self.low) // self.step + 1

    def check(self, value: object) -> None:
        """Raise `InputError` unless `value` is a whole number (not its text) within the bounds and on the step."""
        super().check(value)
        if (self.decode(value) - self.low) % self.step:
            raise InputError(f"must be {self.low} + k*{self.step}, but got {shown(value)}")

    def decode(self, text: object) -> int:
        """Return the number that MLflow holds as text; `InputError` unless it is whole."""
        return as_integer(text)

    def to_unit(self, value: object) -> float:
        """Return the centre of the value's cell: each has one, of equal width or, with `log`, from -.5 to +.5."""
        number = self.decode(value)
        if not self.log:
            return ((number - self.low) // self.step + 0.5) / self.size
        low, high = math.log(self.low - 0.5), math.log(self.high + 0.5)
        return (_share(low, high, math.log(number - 0.5)) + _share(low, high, math.log(number + 0.5))) / 2

    def from_unit(self, unit: float) -> int:
        """Return the value whose cell `unit` lies in: the exact inverse of `to_unit`."""
        if not self.log:
            return self.low + self.step * _cell(unit, self.size)
        return self._round(math.exp(_mix(math.log(self.low - 0.5), math.log(self.high + 0.5), unit)))

    def grid_values(self) -> tuple[int, ...] | None:
        """Return the values to try on a grid; None without `grid`. Counted points are rounded, each taken once."""
        if isinstance(self.grid, int):
            return tuple(dict.fromkeys(self._round(number) for number in self._spaced(self.grid)))
        return None if self.grid is None else tuple(self.grid)

    def _round(self, number: float) -> int:
        return self.low + self.step * min(max(math.floor((number - self.low) / self.step + 0.5), 0), self.size - 1)


@dataclass(frozen=True)
class Categorical(_Dimension):
    """One of `values` (texts, numbers or booleans, distinct as text); `grid` is all of them unless given."""

    log: ClassVar[bool] = False
    values: Sequence[Scalar]
    grid: Sequence[Scalar] | None = None
    default: Scalar | None = None
    role: str | None = None

    def __post_init__(self) -> None:
        _set(self, values=listed(self.values, "values", _as_category))
        self._settle()

    @property
    def size(self) -> int:
        """The number of values."""
        return len(self.values)

    def check(self, value: object) -> None:
        """Raise `InputError` unless `value` is one of the values, of the same type (True is not 1)."""
        if not any(type(value) is type(each) and value == each for each in self.values):
            raise InputError(f"must be one of {shown(list(self.values))}, but got {shown(value)}")

    def decode(self, text: object) -> Scalar:
        """Return the value whose text MLflow holds; `InputError` when there is none."""
        for value in self.values:
            if str(value) == str(text):
                return value
        raise InputError(f"must be one of {shown(list(self.values))}, but got {shown(text)}")

    def to_unit(self, value: object) -> float:
        """Return the centre of the value's cell: each has one, of equal width."""
        return (self.values.index(self.decode(value)) + 0.5) / self.size

    def from_unit(self, unit: float) -> Scalar:
        """Return the value whose cell `unit` lies in: the exact inverse of `to_unit`."""
        return self.values[_cell(unit, self.size)]

    def grid_values(self) -> tuple[Scalar, ...]:
        """Return the values to try on a grid."""
        return tuple(self.values if self.grid is None else self.grid)


def _as_category(value: object) -> Scalar:
    if type(value) not in (bool, int, float, str) or (isinstance(value, float) and not math.isfinite(value)):
        hint = "; if the text is meant, write 'None' in quotes" if value is None else ""
        raise InputError(f"must be a text, a finite number or a boolean, but got {shown(value)}{hint}")
    if len(str(value)) > MAX_TEXT:
        raise InputError(f"must have at most {MAX_TEXT} characters, which a param holds, but got {len(str(value))}")
    return cast(Scalar, value)


Dimension: TypeAlias = Float | Int | Categorical
