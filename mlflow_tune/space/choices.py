"""The dimensions that list their values: categories, and values in an order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.space.dimensions import BaseDimension, Role, cell_of, set_field
from mlflow_tune.text import (
    Value,
    as_value,
    copied,
    is_number,
    is_same,
    listed,
    plain_value,
    shown,
    spellings,
    value_text,
)

MAX_TEXT = 6000


@dataclass(frozen=True, eq=False)
class Choice(BaseDimension):
    """One of `values`: null, texts, numbers, booleans or lists of such, distinct as text; `grid` is all of them.

    Values are told apart by type and value: 1, 1.0 and true are three. Two choices are equal when all of that is.
    """

    log: ClassVar[bool] = False
    values: Sequence[Value]
    """The values: text, numbers, true, false, null, or lists of them."""
    grid: Sequence[Value] | None = None
    """The values that grid search tries; all of them unless given."""
    default: Value = None
    """The value that you use today."""
    role: Role | None = None
    """What the parameter does; what to change next is said in these terms."""

    def __post_init__(self) -> None:
        faults = Faults()
        with faults.at():
            set_field(self, values=listed(self.values, "values", _as_choice))
        with faults.at():
            self._check_role()
        faults.tell()
        # A text means the value that it is the own text of, and only then one that it is another spelling of.
        own = {value_text(value): index for index, value in enumerate(self.values)}
        others = {text: index for index, value in enumerate(self.values) for text in spellings(value)}
        set_field(self, _indices={**others, **own})
        self._settle(faults)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Choice) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    @property
    def _text(self) -> str:
        return json.dumps(self.to_json())

    @property
    def size(self) -> int:
        """The number of values."""
        return len(self.values)

    @property
    def numbers(self) -> list[int | float] | None:
        """The values, when all of them are numbers."""
        found = [value for value in self.values if is_number(value)]
        return found if len(found) == self.size else None

    def check(self, value: object) -> None:
        """Raise `InputError` unless `value` is one of the values, of the same type (True is not 1)."""
        found = plain_value(value)
        index = self._index(found)
        if index is None or not is_same(found, self.values[index]):
            raise self._unknown(value)

    def decode(self, text: object) -> Value:
        """Return the value whose text MLflow holds, however it is spelt (`null` or None); `InputError` if none is."""
        index = self._index(plain_value(text))
        if index is None:
            raise self._unknown(text)
        return copied(self.values[index])

    def index(self, value: object) -> int:
        """Return the place of the value, or of its text, among the values; `InputError` when it is none of them."""
        index = self._index(plain_value(value))
        if index is None:
            raise self._unknown(value)
        return index

    def every_value(self) -> list[Value]:
        """Return the values in their order."""
        return [copied(value) for value in self.values]

    def to_unit(self, value: object) -> float:
        """Return the centre of the value's cell: each has one, of equal width."""
        return (self.index(value) + 0.5) / self.size

    def from_unit(self, unit: float) -> Value:
        """Return the value whose cell `unit` lies in: the exact inverse of `to_unit`."""
        return copied(self.values[cell_of(unit, self.size)])

    def grid_values(self) -> tuple[Value, ...]:
        """Return the values to try on a grid."""
        return tuple(copied(value) for value in (self.values if self.grid is None else self.grid))

    def _index(self, value: object) -> int | None:
        indices: dict[str, int] = self.__dict__["_indices"]
        return indices.get(value_text(value))

    def _unknown(self, value: object) -> InputError:
        return InputError(f"must be one of {shown(list(self.values))}, but got {shown(value)}")


@dataclass(frozen=True, eq=False)
class Categorical(Choice):
    """One of `values`, in no order: null, texts, numbers, booleans or lists of such, distinct as text.

    `grid` is all of them unless given. A function gets the value as Python's own: None, [64, 32]. A broken rule raises
    `InputError`, whose key is the field.
    """


@dataclass(frozen=True, eq=False)
class Ordinal(Choice):
    """One of `values`, in the order in which they stand: what lies next to one another is taken to be alike.

    So a model and the pictures see one axis with the values at equal distances. Numbers must ascend or descend, else
    `InputError`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        steps = [after - before for before, after in pairwise(self.numbers or ())]
        if not all(step > 0 for step in steps) and not all(step < 0 for step in steps):
            hint = f"the order in which they stand is the one that counts, but got {shown(list(self.values))}"
            raise InputError(f"numbers must ascend or descend, as {hint}", "values")


def _as_choice(value: object) -> Value:
    found = as_value(value)
    if (length := len(value_text(found))) > MAX_TEXT:
        raise InputError(f"must have at most {MAX_TEXT} characters, which a param holds, but got {length}")
    return found
