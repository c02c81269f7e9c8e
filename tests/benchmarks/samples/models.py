"""Models of scikit-learn on its own small tables, to be minimised. Each trial draws its split anew: values are noisy.

Accuracies on small test sets have plateaus, and the limits of a tree make steps.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.trial import Params

NEIGHBOURS = Space({"k": Int(1, 60, log=True), "power": Float(1, 6), "weights": Categorical(["uniform", "distance"])})
TREE = Space({"depth": Int(1, 16), "leaf": Int(1, 64, log=True), "prune": Float(1e-5, 0.1, log=True)})
MACHINE = Space({"C": Float(1e-3, 1e3, log=True), "gamma": Float(1e-6, 1, log=True)})
KERNEL = Space(
    {"alpha": Float(1e-3, 10, log=True), "gamma": Float(1e-4, 1, log=True), "kernel": Categorical(["rbf", "laplacian"])}
)
FOREST = Space(
    {
        "trees": Int(1, 30),
        "depth": Int(1, 12),
        "split": Int(2, 60, log=True),
        "features": Int(1, 13),
        "part": Float(0.1, 1),
    }
)
BOOSTING = Space({"rate": Float(0.01, 1, log=True), "trees": Int(5, 60), "depth": Int(1, 6), "part": Float(0.3, 1)})


def neighbours(params: Params, draws: np.random.Generator) -> float:
    """Return the error of nearest neighbours on wine."""
    from sklearn.neighbors import KNeighborsClassifier

    options: dict[str, Any] = {"n_neighbors": params["k"], "p": params["power"], "weights": params["weights"]}
    return _lost("wine", KNeighborsClassifier(**options), draws)


def tree(params: Params, draws: np.random.Generator) -> float:
    """Return the error of a decision tree on breast cancer."""
    from sklearn.tree import DecisionTreeClassifier

    options: dict[str, Any] = {
        "max_depth": params["depth"],
        "min_samples_leaf": params["leaf"],
        "ccp_alpha": params["prune"],
    }
    return _lost("breast_cancer", DecisionTreeClassifier(random_state=0, **options), draws)


def machine(params: Params, draws: np.random.Generator) -> float:
    """Return the error of a support vector machine on 500 digits."""
    from sklearn.svm import SVC

    options: dict[str, Any] = {"C": params["C"], "gamma": params["gamma"]}
    return _lost("digits", SVC(**options), draws)


def boosting(params: Params, draws: np.random.Generator) -> float:
    """Return one less the R2 of boosted trees on diabetes."""
    from sklearn.ensemble import GradientBoostingRegressor

    options: dict[str, Any] = {
        "learning_rate": params["rate"],
        "n_estimators": params["trees"],
        "max_depth": params["depth"],
        "subsample": params["part"],
    }
    return _lost("diabetes", GradientBoostingRegressor(random_state=0, **options), draws)


def kernel(params: Params, draws: np.random.Generator) -> float:
    """Return one less the R2 of ridge regression with a kernel on diabetes."""
    from sklearn.kernel_ridge import KernelRidge

    options: dict[str, Any] = dict(params)
    return _lost("diabetes", KernelRidge(**options), draws)


def forest(params: Params, draws: np.random.Generator) -> float:
    """Return the error of a random forest on wine."""
    from sklearn.ensemble import RandomForestClassifier

    options: dict[str, Any] = {
        "n_estimators": params["trees"],
        "max_depth": params["depth"],
        "min_samples_split": params["split"],
        "max_features": params["features"],
        "max_samples": params["part"],
    }
    return _lost("wine", RandomForestClassifier(random_state=0, **options), draws)


def _lost(table: str, model: Any, draws: np.random.Generator) -> float:
    """Return one less the model's score on a test set of a third that is drawn anew."""
    from sklearn.model_selection import train_test_split

    rows, aims = _table(table)
    parts = train_test_split(rows, aims, test_size=1 / 3, random_state=int(draws.integers(2**31)))
    return 1 - float(model.fit(parts[0], parts[2]).score(parts[1], parts[3]))


@cache
def _table(name: str) -> tuple[Any, Any]:
    from sklearn import datasets

    rows, aims = getattr(datasets, f"load_{name}")(return_X_y=True)
    return (rows - rows.mean(0))[:500] / (rows.std() if name == "digits" else rows.std(0)), aims[:500]
