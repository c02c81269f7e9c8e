"""Grid search: every combination of the values that the parameters' grids name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

from mlflow_tune.errors import InputError
from mlflow_tune.space import Scalar, Space
from mlflow_tune.strategies.base import Strategy
from mlflow_tune.trial import Suggestion, Trial


@dataclass(frozen=True)
class Grid(Strategy):
    """Tries the points of the grid in order: the last parameter of the space varies fastest.

    A point that any trial of the history has is skipped, whichever strategy chose it and whatever came of it.
    """

    name: ClassVar[str] = "grid"

    def check(self, space: Space) -> None:
        """Raise `InputError` with the key `<param>.grid` for the first parameter that has no grid."""
        _value_lists(space)

    def length(self, space: Space) -> int:
        """Return the number of points of the grid; `InputError` as in `check`."""
        return math.prod(len(values) for values in _value_lists(space))

    def suggest(self, space: Space, history: Sequence[Trial], count: int) -> list[Suggestion]:
        """Return the next `count` points that no trial has, fewer at the end of the grid."""
        visited = space.identities(trial.params for trial in history)
        values = _value_lists(space)
        total = self.length(space)
        texts = product(*([str(value) for value in each] for each in values))
        found: list[Suggestion] = []
        for index, (identity, point) in enumerate(zip(texts, product(*values), strict=True), start=1):
            if len(found) >= count:
                break
            if identity not in visited:
                found.append(Suggestion(dict(zip(space, point, strict=True)), f"point {index} of {total} of the grid"))
        return found


def _value_lists(space: Space) -> list[tuple[Scalar, ...]]:
    found: list[tuple[Scalar, ...]] = []
    for name, dimension in space.items():
        values = dimension.grid_values()
        if values is None:
            raise InputError(
                "strategy 'grid' needs the values to try: write a list of them, or a number of points, as in 'grid: 5'",
                f"{name}.grid",
            )
        found.append(values)
    return found
