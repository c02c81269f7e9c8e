"""Babysitting: a person chooses the points, and looks at each result before the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.space import Space, Value
from mlflow_tune.strategies.base import Strategy
from mlflow_tune.text import at, plain, plain_value, shown
from mlflow_tune.trial import Suggestion, Trial


@dataclass(frozen=True)
class Manual(Strategy):
    """Tries the `points` that a person wrote down, in their order, and then leaves the choice to `mlflow-tune try`.

    A point that any trial of the history has is skipped. Without points it asks for nothing by itself. `InputError` for
    points that are no list of mappings.
    """

    name: ClassVar[str] = "manual"
    by_hand: ClassVar[bool] = True
    points: Sequence[Mapping[str, Value]] = field(default=(), hash=False)
    """The points to try first, in this order: a value for each parameter."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "points", plain(self.points))
        listed = isinstance(self.points, Sequence) and not isinstance(self.points, str)
        if not listed or not all(isinstance(point, Mapping) for point in self.points):
            raise InputError(f"must be a list of points such as {{lr: 0.01}}, but got {shown(self.points)}", "points")
        points = tuple({name: plain_value(value) for name, value in point.items()} for point in self.points)
        object.__setattr__(self, "points", points)

    def check(self, space: Space) -> None:
        """Raise `InputError` with the key `points.<index>.<param>` for each point that is not in the space."""
        faults = Faults()
        for index, point in enumerate(self.points):
            with faults.at(f"points.{index}"):
                space.check(self._read(space, point))
        faults.tell()

    def length(self, space: Space) -> int:
        """Return the number of different points."""
        return len(space.identities(self._read(space, point) for point in self.points))

    def suggest(self, space: Space, history: Sequence[Trial], count: int) -> list[Suggestion]:
        """Return the next `count` points that no trial has, fewer at the end of the list."""
        visited = space.identities(trial.params for trial in history)
        found: list[Suggestion] = []
        for index, written in enumerate(self.points, start=1):
            point = self._read(space, written)
            if len(found) < count and space.identity(point) not in visited:
                visited.add(space.identity(point))
                found.append(Suggestion(point, f"point {index} of {len(self.points)} that a person wrote down"))
        return found

    def conclusion(self, _space: Space, _history: Sequence[Trial]) -> str:
        """Return what a person may do next."""
        return "every point that was asked for has been tried; `mlflow-tune try` runs the next"

    @staticmethod
    def _read(space: Space, point: Mapping[str, Value]) -> dict[str, Value]:
        """Return the point with numbers in place of their texts: `1e-4` is text to YAML."""
        return {name: at(name, space[name].decode, value) if name in space else value for name, value in point.items()}
