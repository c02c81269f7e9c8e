"""What every dimension of a search space has, and the ranges: a real number, a whole number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from numbers import Real
from typing import Any, Literal, get_args

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.text import as_integer, as_number, at, listed, plain, shown, unknown

Role = Literal["learning_rate", "regularization", "capacity", "batch_size", "epochs", "seed"]
ROLES: tuple[Role, ...] = get_args(Role)
MAX_GRID = 10_000
MAX_INT = 10**12  # beyond, the cells of the unit interval are too narrow for a float to tell them apart
NEAR = 1e-9  # of a step: a value so near to one of the lattice is that one, as 0.1 + 0.2 is 0.3


def set_field(frozen: object, **values: object) -> None:
    """Set fields of a dimension that is being made."""
    for name, value in values.items():
        object.__setattr__(frozen, name, value)


def _share(low: float, high: float, value: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0) if low < high else 0.5


def _mix(low: float, high: float, unit: float) -> float:
    return (1.0 - unit) * low + unit * high


def cell_of(unit: float, count: int) -> int:
    """Return which of so many cells of equal width the place in the unit interval lies in."""
    return min(max(int(unit * count), 0), count - 1)


class BaseDimension:
    """What all dimensions have in common: a grid, a default, a role, and their form in JSON."""

    grid: Any
    default: Any
    role: str | None

    def check(self, value: object) -> None:
        """Raise `InputError` unless `value` is one of the dimension's, of its type."""
        raise NotImplementedError

    def decode(self, text: object) -> Any:
        """Return the value whose text MLflow holds; `InputError` when it is none."""
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

    def _settle(self, faults: Faults) -> None:
        """Check what goes with the values: the grid, the default; and tell all `faults`."""
        with faults.at():
            if self.grid is not None:
                set_field(self, grid=self._read_grid())
        with faults.at("default"):
            if self.default is not None:
                set_field(self, default=self._read(self.default))
        faults.tell()

    def _check_role(self) -> None:
        if self.role is not None and self.role not in ROLES:
            raise InputError(unknown("role", self.role, ROLES), "role")


class _Range(BaseDimension):
    """Numbers from `low` to `high`: all of them, or those of a lattice, low, low + step, ..., high."""

    low: float
    high: float
    log: bool
    step: Any

    @property
    def size(self) -> int | None:
        """The number of values, None when they cannot be counted."""
        raise NotImplementedError

    def check(self, value: object) -> None:
        """Raise `InputError` unless `value` is a number (not its text) of its kind, in the bounds and on the step."""
        if isinstance(value, str):
            raise InputError(f"must be a number, but got the text {value!r}")
        number = self.decode(value)
        if not self.low <= number <= self.high:
            raise InputError(f"{self.low} <= value <= {self.high} must hold, but got {shown(value)}")
        if self.step is not None and number != self.at(self.nearest(number)):
            raise InputError(f"must be {self.low} + k*{self.step}, but got {shown(value)}")

    def decode(self, text: object) -> Any:
        """Return the number that MLflow holds as text."""
        raise NotImplementedError

    def at(self, index: int) -> Any:
        """Return the value so many steps above the lowest."""
        raise NotImplementedError

    def nearest(self, number: float) -> int:
        """Return how many steps above the lowest value the one next to the number stands."""
        raise NotImplementedError

    def every_value(self) -> list[Any] | None:
        """Return the values in ascending order, None when they cannot be counted."""
        return None if self.size is None else [self.at(index) for index in range(self.size)]

    def _read_numbers(self, faults: Faults, **readers: Any) -> None:
        """Read the fields as numbers, `log` and the role; tell what is wrong with any of them."""
        for key, read in readers.items():
            with faults.at(key):
                set_field(self, **{key: read(getattr(self, key))})
        set_field(self, log=plain(self.log))
        with faults.at():
            if not isinstance(self.log, bool):
                raise InputError(f"must be true or false, but got {shown(self.log)}", "log")
        with faults.at():
            self._check_role()
        faults.tell()

    def _check_bounds(self) -> None:
        if not self.low <= self.high:
            raise InputError(f"low <= high must hold, but got low={self.low}, high={self.high}", "low")
        if self.log and self.low <= 0:
            raise InputError(f"low > 0 must hold on a log scale, but got low={self.low}", "low")

    def _read_grid(self) -> Any:
        grid = plain(self.grid)
        if not isinstance(grid, str | Real):
            return super()._read_grid()
        count = at("grid", as_integer, grid)
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

    With `step` only low, low + step, ..., high are tried. A range of one value is a fixed parameter. `grid` is a list
    of values or a number of points from low to high (geometric with `log`). `role` says what the parameter does (one
    of `ROLES`). A broken rule raises `InputError` whose key is the field, in all classes; several are told at once.
    """

    low: float
    """The lowest value."""
    high: float
    """The highest value, itself included."""
    log: bool = False
    """Whether values are spread evenly over orders of magnitude."""
    grid: Sequence[float] | int | None = None
    """The values that grid search tries: a list, or a number of points from low to high."""
    default: float | None = None
    """The value that you use today."""
    role: Role | None = None
    """What the parameter does; what to change next is said in these terms."""
    step: float | None = None
    """The distance between two values that are tried."""

    def __post_init__(self) -> None:
        faults = Faults()
        stepped = {} if self.step is None else {"step": as_number}
        self._read_numbers(faults, low=as_number, high=as_number, **stepped)
        self._check_bounds()
        if math.isinf(self.high - self.low):
            raise InputError(f"high - low must be finite, but got low={self.low}, high={self.high}", "high")
        if self.step is not None:
            self._check_step(self.step)
        self._settle(faults)

    def _check_step(self, step: float) -> None:
        if step <= 0:
            raise InputError(f"step > 0 must hold, but got step={step}", "step")
        if self.log:
            raise InputError(f"log and step exclude one another, but got log=True, step={step}", "step")
        least = max(4 * math.ulp(max(abs(self.low), abs(self.high))), (self.high - self.low) / MAX_INT)
        if step < least:
            raise InputError(f"step >= {least:.3g} must hold between these ends, but got step={step}", "step")
        steps = (self.high - self.low) / step
        if abs(steps - round(steps)) > NEAR * max(steps, 1.0):
            near = [_on_lattice(self.low, step, count) for count in (math.floor(steps), math.ceil(steps)) if count]
            raise InputError(
                f"high must be low + k*step, but got low={self.low}, high={self.high}, step={step}; "
                f"nearest: {' or '.join(map(str, near))}",
                "high",
            )

    @property
    def size(self) -> int | None:
        """The number of values: 1 when the ends are equal, as many as the steps reach; else None."""
        if self.low == self.high:
            return 1
        return None if self.step is None else round((self.high - self.low) / self.step) + 1

    def at(self, index: int) -> float:
        """Return the value so many steps above the lowest: the number that people would write, 0.3 and not 0.1 * 3."""
        if index <= 0 or self.step is None:
            return self.low
        return self.high if index + 1 == self.size else _on_lattice(self.low, self.step, index)

    def nearest(self, number: float) -> int:
        """Return how many steps above the lowest value the one next to the number stands."""
        if self.step is None or self.low == self.high:
            return 0
        return round((min(max(number, self.low), self.high) - self.low) / self.step)

    def decode(self, text: object) -> float:
        """Return the number that MLflow holds as text, one of the lattice if it is next to it; else `InputError`."""
        number = as_number(text)
        if self.step is None or not self.low <= number <= self.high:
            return number
        near = self.at(self.nearest(number))
        return near if abs(number - near) <= NEAR * self.step else number

    def to_unit(self, value: object) -> float:
        """Return where the value lies from low (0) to high (1), in its logarithm with `log`.

        Of a range with `step`, and of one value, it is the centre of the value's cell, as of an `Int`.
        """
        number = self.decode(value)
        if self.size is not None:
            return (self.nearest(number) + 0.5) / self.size
        if self.log:
            return _share(math.log(self.low), math.log(self.high), math.log(max(number, self.low)))
        return _share(self.low, self.high, number)

    def from_unit(self, unit: float) -> float:
        """Return the value at `unit`: the inverse of `to_unit` up to rounding; 0 and 1 are the very ends."""
        if self.size is not None:
            return self.at(cell_of(unit, self.size))
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        place = _mix(low, high, unit)
        if place <= low or place >= high:  # a logarithm does not lead back to the last digit
            return self.low if place <= low else self.high
        return self._inside(math.exp(place) if self.log else place)

    def grid_values(self) -> tuple[float, ...] | None:
        """Return the values to try on a grid; None without `grid`. Counted points have 12 significant digits."""
        if not isinstance(self.grid, int):
            return None if self.grid is None else tuple(self.grid)
        spaced = self._spaced(self.grid)
        if self.size is not None:
            return tuple(dict.fromkeys(self.at(self.nearest(number)) for number in spaced))
        inner = (self._inside(float(f"{number:.12g}")) for number in spaced[1:-1])
        return tuple(dict.fromkeys([self.low, *inner, self.high]))

    def _inside(self, number: float) -> float:
        return float(min(max(number, self.low), self.high)) + 0.0


def _on_lattice(low: float, step: float, index: int) -> float:
    """Return low + index * step, in decimals: in binary 3 * 0.1 is more than 0.3."""
    return float(Decimal(repr(low)) + index * Decimal(repr(step)))


@dataclass(frozen=True)
class Int(_Range):
    """A whole number low, low + step, ..., high; `log` spreads it evenly over orders of magnitude.

    Raises `InputError` as `Float` does.
    """

    low: int
    """The lowest value."""
    high: int
    """The highest value, itself included."""
    log: bool = False
    """Whether values are spread evenly over orders of magnitude."""
    step: int = 1
    """The distance between two values that are tried."""
    grid: Sequence[int] | int | None = None
    """The values that grid search tries: a list, or a number of points from low to high."""
    default: int | None = None
    """The value that you use today."""
    role: Role | None = None
    """What the parameter does; what to change next is said in these terms."""

    def __post_init__(self) -> None:
        faults = Faults()
        self._read_numbers(faults, low=as_integer, high=as_integer, step=as_integer)
        self._check_bounds()
        for key in ("low", "high"):
            if abs(getattr(self, key)) > MAX_INT:
                raise InputError(f"must lie within +-{MAX_INT}, but got {getattr(self, key)}", key)
        self._check_step()
        self._settle(faults)

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

    def at(self, index: int) -> int:
        """Return the value so many steps above the lowest."""
        return self.low + self.step * index

    def nearest(self, number: float) -> int:
        """Return how many steps above the lowest value the one next to the number stands; a half is rounded up."""
        return min(max(math.floor((number - self.low) / self.step + 0.5), 0), self.size - 1)

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
            return self.at(cell_of(unit, self.size))
        return self.at(self.nearest(math.exp(_mix(math.log(self.low - 0.5), math.log(self.high + 0.5), unit))))

    def grid_values(self) -> tuple[int, ...] | None:
        """Return the values to try on a grid; None without `grid`. Counted points are rounded, each taken once."""
        if isinstance(self.grid, int):
            return tuple(dict.fromkeys(self.at(self.nearest(number)) for number in self._spaced(self.grid)))
        return None if self.grid is None else tuple(self.grid)
