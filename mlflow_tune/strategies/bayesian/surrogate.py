"""Surrogates: what predicts a trial's value, with its uncertainty, from the trials before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mlflow_tune.strategies.bayesian.encoding import Array
from mlflow_tune.strategies.bayesian.gp import gaussian_process
from mlflow_tune.strategies.bayesian.targets import Scale, targets

LEAST_VARIANCE = 1e-12
TREES = 100  # of a forest


class Surrogate(Protocol):
    """A model of the targets (values in the model's units, to be minimised) at points (n, columns)."""

    @property
    def noise(self) -> float:
        """The variance of a target around the function."""
        ...

    @property
    def smoothed(self) -> Array:
        """The function's predicted mean (n,) at the points that the model is given."""
        ...

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Return the function's predicted mean and standard deviation at points (m, columns): two arrays (m,)."""
        ...

    def given(self, points: Array, targets: Array) -> Surrogate:
        """Return the model that is given these points (k, columns) and targets (k,) too."""
        ...


@dataclass(frozen=True, eq=False)
class Forest:
    """scikit-optimize's random forest (RF) or extremely randomised trees (ET).

    Their standard deviation follows Hutter et al., 2014, section 4.3.2, https://arxiv.org/abs/1211.0906.
    """

    kind: str
    points: Array
    targets: Array
    seed: int
    model: Any
    noise: float = 0.0

    @classmethod
    def of(cls, kind: str, points: Array, targets: Array, seed: int) -> Forest:
        """Return a forest that is fitted to points (n, columns) and targets (n,)."""
        from skopt.learning import ExtraTreesRegressor, RandomForestRegressor

        maker = RandomForestRegressor if kind == "RF" else ExtraTreesRegressor
        model = maker(n_estimators=TREES, min_samples_leaf=3, random_state=seed)
        return cls(kind, points, targets, seed, model.fit(points, targets))

    @property
    def smoothed(self) -> Array:
        """The predicted mean (n,) at the points that the forest is given."""
        return self.predict(self.points)[0]

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Return the predicted mean and standard deviation at points (m, columns): two arrays (m,)."""
        # What the model's own predict(return_std=True) returns: that checks the points anew for each of its trees,
        # which takes ten times as long as all the rest.
        rows = points.astype(np.float32)
        leaves = [(each.tree_, each.tree_.apply(rows)) for each in self.model.estimators_]
        means = np.array([tree.value[leaf, 0, 0] for tree, leaf in leaves])
        variances = np.array([tree.impurity[leaf] for tree, leaf in leaves])
        mean = means.mean(axis=0)
        return mean, np.sqrt(np.maximum((variances + means**2).mean(axis=0) - mean**2, LEAST_VARIANCE))

    def given(self, points: Array, targets: Array) -> Forest:
        """Return the forest that is fitted to these points (k, columns) and targets (k,) too."""
        points = np.vstack([self.points, points])
        targets = np.concatenate([self.targets, targets])
        return self.of(self.kind, points, targets, self.seed)


def fit_surrogate(
    kind: str, points: Array, values: Array, owners: tuple[int, ...], seed: int, errors: Array | None = None
) -> tuple[Surrogate, Scale]:
    """Return the surrogate GP, RF or ET for points (n, columns) and values (n,), NaN where a trial has none.

    `owners` has the index of each column's parameter. The scale leads from the surrogate's units to the values'.
    `errors` (n,) are the standard deviations of values that are uncertain, else 0; forests do not heed them.
    """
    if kind == "GP":
        return gaussian_process(points, values, owners, errors)
    aims, scale = targets(values)
    return Forest.of(kind, points, aims, seed), scale
