"""The random forests behind a report: fitted once, read by every figure that tells what moves the metric.

They are scikit-learn's, keyed, so that the same trials give the same pictures. Five are fitted, each to all but a fifth
of the trials: the importance is judged on what a forest has not seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlflow_tune.report.places import Array, limits, unit_places
from mlflow_tune.report.subject import Subject, scored, value_of
from mlflow_tune.trial import Trial

LEAST_TRIALS = 20
LEAST_PER_PARAMETER = 4
FOLDS, TREES = 5, 100
MOST_FITTED = 500  # trials: fitting takes longer than their number grows, and the bars hardly move any more


@dataclass(frozen=True, eq=False)
class Part:
    """A forest, and the trials that it has not seen: their points (n, d) and values (n,)."""

    forest: Any
    rows: Array
    values: Array


class Forests:
    """What is fitted to the trials of a study, when it is first asked for.

    `used` are the trials with a value and a whole point, `rows` (n, d) their points in the unit cube.
    """

    def __init__(self, subject: Subject, trials: Sequence[Trial], seed: int = 0) -> None:
        self._subject, self._seed = subject, seed
        self.used, self.rows = points_of(subject, trials)

    @property
    def enough(self) -> bool:
        """Whether there are trials enough to fit a forest to them."""
        return len(self.used) >= least_trials(self._subject)

    @property
    def fitted(self) -> int:
        """How many trials the forests are fitted to: all that are used, at most 500 of them."""
        return min(len(self.used), MOST_FITTED)

    @property
    def words(self) -> str:
        """Which trials the forests are fitted to, in words."""
        if self.fitted == len(self.used):
            return f"{self.fitted} trials"
        return f"{self.fitted} of {len(self.used)} trials, drawn at random"

    @cached_property
    def values(self) -> Array:
        """The values (n,) that are fitted: those far on the worse side count as the end of the metric's axis."""
        values = np.array([value_of(trial) for trial in self.used])
        low, high = limits(values, self._subject.goal)
        clipped: Array = np.clip(values, low, high)
        chosen: Array = clipped[self._chosen]
        return chosen

    @cached_property
    def parts(self) -> Sequence[Part]:
        """The forests, each with the fifth of the trials that it has not seen."""
        from sklearn.model_selection import KFold  # type: ignore[import-untyped]

        rows, values = self.rows[self._chosen], self.values
        folds = KFold(FOLDS, shuffle=True, random_state=self._seed).split(rows)
        return [
            Part(_fit(rows[seen], values[seen], self._seed + part), rows[held], values[held])
            for part, (seen, held) in enumerate(folds)
        ]

    @cached_property
    def splits(self) -> Array:
        """How much of the forests' splitting each parameter has (d,)."""
        return np.asarray(np.mean([part.forest.feature_importances_ for part in self.parts], axis=0), dtype=float)

    def predict(self, points: Array) -> Array:
        """Return the prediction at points (m, d): the mean over a fifth of the trees of each forest."""
        trees = [tree for part in self.parts for tree in part.forest.estimators_[: TREES // FOLDS]]
        asked = np.ascontiguousarray(points, dtype=np.float32)  # as scikit-learn's trees take it
        total = np.zeros(len(points))
        for tree in trees:
            total += tree.predict(asked, check_input=False)
        return total / len(trees)

    @cached_property
    def _chosen(self) -> Any:
        if self.fitted == len(self.used):
            return slice(None)
        draws = np.random.default_rng([self._seed, len(self.used)])
        return np.sort(draws.choice(len(self.used), MOST_FITTED, replace=False))


def least_trials(subject: Subject) -> int:
    """Return how many trials with a value a forest needs: 20, and 4 a parameter."""
    return max(LEAST_TRIALS, LEAST_PER_PARAMETER * len(subject.space))


def points_of(subject: Subject, trials: Sequence[Trial]) -> tuple[list[Trial], Array]:
    """Return the trials with a value and a whole point, and their points in the unit cube (n, d)."""
    found = scored(trials)
    columns = [unit_places(dimension, name, found) for name, dimension in subject.space.items()]
    rows = np.stack(columns, axis=1)
    whole = np.flatnonzero(~np.isnan(rows).any(axis=1))
    return [found[index] for index in whole], rows[whole]


def _fit(rows: Array, targets: Array, seed: int) -> Any:
    """Return scikit-learn's random forest, fitted to `targets` (n,) at the points `rows` (n, d)."""
    from sklearn.ensemble import RandomForestRegressor  # type: ignore[import-untyped]

    return RandomForestRegressor(TREES, min_samples_leaf=2, random_state=seed).fit(rows, targets)
