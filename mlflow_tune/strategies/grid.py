"""Grid search: every combination of the values that the parameters' grids name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.space import Dimension, Space, Value
from mlflow_tune.strategies.base import Strategy
from mlflow_tune.text import copied, value_text
from mlflow_tune.trial import Suggestion, Trial


@dataclass(frozen=True)
class Grid(Strategy):
    """Tries the points of the grid in order: the last parameter of the space varies fastest.

    A point that any trial of the history has is skipped, whichever strategy chose it and whatever came of it.
    """

    name: ClassVar[str] = "grid"
    has_end: ClassVar[bool] = True

    def check(self, space: Space) -> None:
        """Raise `InputError` with the key `<param>.grid` for each parameter that has no grid."""
        _value_lists(space)

    def length(self, space: Space) -> int:
        """Return the number of points of the grid; `InputError` as in `check`."""
        return math.prod(len(values) for values in _value_lists(space))

    def suggest(self, space: Space, history: Sequence[Trial], count: int) -> list[Suggestion]:
        """Return the next `count` points that no trial has, fewer at the end of the grid."""
        visited = space.identities(trial.params for trial in history)
        values = _value_lists(space)
        total = self.length(space)
        texts = product(*(map(value_text, each) for each in values))
        found: list[Suggestion] = []
        for index, (identity, point) in enumerate(zip(texts, product(*values), strict=True), start=1):
            if len(found) >= count:
                break
            if identity not in visited:
                params = {name: copied(value) for name, value in zip(space, point, strict=True)}
                found.append(Suggestion(params, f"point {index} of {total} of the grid"))
        return found


def _value_lists(space: Space) -> list[Sequence[Value]]:
    found: list[Sequence[Value]] = []
    faults = Faults()
    for name, dimension in space.items():
        with faults.at(f"{name}.grid"):
            found.append(_values_of(dimension))
    faults.tell()
    return found


def _values_of(dimension: Dimension) -> Sequence[Value]:
    if (values := dimension.grid_values()) is not None:
        return values
    if dimension.size == 1:
        return dimension.every_value() or ()
    raise InputError(
        "strategy 'grid' needs the values to try: write a list of them, or a number of points, as in 'grid: 5'"
    )
