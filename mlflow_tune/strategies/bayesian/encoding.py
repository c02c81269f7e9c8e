"""What a model sees of a space and of a history: rows of numbers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from mlflow_tune.space import Categorical, Float, Space, Value
from mlflow_tune.space.choices import Choice
from mlflow_tune.trial import EXPECTED, EXPECTED_STD, Goal, Params, Trial

Array: TypeAlias = npt.NDArray[np.float64]
Row: TypeAlias = tuple[float, ...]
WIDEST = 1000  # spaces with at most so many points are searched point by point
LARGEST = 1e150  # larger values are taken for infinite, which MLflow holds as 1.797e308


@dataclass(frozen=True)
class Observations:
    """The trials of a history that lie in the space, as coordinates in the unit cube (a row a trial, by number).

    `points` (n, d) are those that ended, with their `values` (n,), to be minimised and NaN where there is none, their
    `errors` (n,), the standard deviations of those values that were only predicted, else 0, and `seconds` (n,), NaN
    where they are not known. `pending` (k, d) are those that run. `visited` has those that were
    interrupted too: they will run again, so they tell nothing yet, but nobody should propose them.
    """

    points: Array
    values: Array
    errors: Array
    seconds: Array
    pending: Array
    visited: frozenset[Row]


def observe(space: Space, history: Sequence[Trial], goal: Goal) -> Observations:
    """Return what the history tells about the space; points outside of it are left out."""
    text = json.dumps(space.to_json())
    rows = [(trial, row) for trial in history if (row := _point_row(text, _typed_items(trial.params))) is not None]
    ended = [(trial, row) for trial, row in rows if trial.done]
    sign = 1.0 if goal == "minimize" else -1.0
    values = np.array([sign * _value(trial) for trial, _ in ended], dtype=float)
    return Observations(
        points=_matrix([row for _, row in ended], len(space)),
        values=np.where(np.abs(values) < LARGEST, values, np.nan),
        errors=np.array([_error(trial) for trial, _ in ended], dtype=float),
        seconds=np.array([_trial_seconds(trial) for trial, _ in ended], dtype=float),
        pending=_matrix([row for trial, row in rows if trial.running], len(space)),
        visited=frozenset(row for _, row in rows),
    )


def features(space: Space, units: Array) -> tuple[Array, tuple[int, ...]]:
    """Return the columns that a model sees of rows (n, d) of the unit cube, and for each column its parameter's index.

    A category becomes one column a value (one-hot), scaled so that two different ones are at distance 1, as the ends
    of a range are. Ordered values stay one column, as numbers do.
    """
    columns: list[Array] = []
    owners: list[int] = []
    for index, dimension in enumerate(space.values()):
        column = units[:, [index]]
        if isinstance(dimension, Categorical):
            column = (_cells(column, dimension.size) == np.arange(dimension.size)) / np.sqrt(2.0)
        columns.append(column)
        owners += [index] * column.shape[1]
    return np.hstack(columns), tuple(owners)


def snapped(space: Space, units: Array) -> Array:
    """Return the coordinates (n, d) of the valid points next to these, so that a model judges what would be run."""
    found = units.copy()
    for index, dimension in enumerate(space.values()):
        if isinstance(dimension, Choice):
            found[:, index] = (_cells(units[:, index], dimension.size) + 0.5) / dimension.size
        elif not isinstance(dimension, Float) or dimension.size is not None:
            found[:, index] = [dimension.to_unit(dimension.from_unit(unit)) for unit in units[:, index].tolist()]
    return found


def _cells(units: Array, size: int) -> npt.NDArray[np.int64]:
    """Return which of so many cells of equal width each number from 0 to 1 lies in."""
    return np.minimum(units * size, size - 1).astype(np.int64)


def widths(space: Space) -> Array:
    """Return each parameter's least step to another value (d,): 0 for real numbers, 1 for categories."""
    steps = [1.0 if isinstance(each, Categorical) else 1.0 / each.size if each.size else 0.0 for each in space.values()]
    return np.array(steps)


def every_point(space: Space) -> Array | None:
    """Return the coordinates of all points of a small space, None for one with more than `WIDEST`."""
    if space.size is None or space.size > WIDEST:
        return None
    units = [[dimension.to_unit(value) for value in dimension.every_value() or ()] for dimension in space.values()]
    return np.array(list(product(*units)), dtype=float)


# Checking a thousand points takes longer than predicting from them, and most of them were checked before.
@lru_cache(maxsize=20_000)
def _point_row(space: str, params: tuple[tuple[str, type, Any], ...]) -> Row | None:
    point = {name: json.loads(value) if kind is list else value for name, kind, value in params}
    return tuple(_parsed_space(space).to_unit(point)) if _parsed_space(space).contains(point) else None


@lru_cache(maxsize=8)
def _parsed_space(text: str) -> Space:
    return Space.from_json(json.loads(text))


def _typed_items(params: Params) -> tuple[tuple[str, type, Any], ...]:
    """Return the point as a key of a cache: as values True and 1 are equal, and a list is no key."""
    return tuple((name, type(value), _hashable(value)) for name, value in params.items())


def _hashable(value: Value) -> Any:
    return json.dumps(value) if isinstance(value, list) else value


def _value(trial: Trial) -> float:
    """Return the trial's value: of one that was stopped what it would have come to, NaN where nobody knows."""
    value = trial.metrics.get(EXPECTED) if trial.outcome == "pruned" else trial.value
    return float("nan") if value is None else value


def _error(trial: Trial) -> float:
    """Return how uncertain the trial's value is: that of one that was stopped is a prediction."""
    error = trial.metrics.get(EXPECTED_STD, 0.0) if trial.outcome == "pruned" else 0.0
    return error if 0.0 <= error < LARGEST else 0.0


def _trial_seconds(trial: Trial) -> float:
    if trial.outcome == "pruned":
        return float("nan")  # it would have taken longer
    taken = (trial.end_time or 0) - trial.start_time
    return taken / 1000 if taken > 0 else float("nan")


def _matrix(rows: Sequence[Row], width: int) -> Array:
    return np.array(rows, dtype=float).reshape(len(rows), width)
