"""The problems behind `mlflow-tune advise`: functions of the literature, and small models of scikit-learn.

The functions are those of Surjanovic and Bingham, *Virtual library of simulation experiments*,
https://www.sfu.ca/~ssurjano/optimization.html; Forrester et al., *Engineering design via surrogate modelling*, 2008;
Gramacy and Lee, *Cases for the nugget in modeling computer experiments*, 2012. Those whose values go over orders of
magnitude are taken as log(1 + f), for a metric that people train on seldom does. A `smooth` function has few minima, a
`rugged` one many; a `model` is trained, and its error on held-out data is the loss.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.trial import Params
from tests.benchmarks.bayesian_regret import HARTMANN_A, HARTMANN_P, branin, hartmann, mixed
from tests.benchmarks.bayesian_regret import PROBLEMS as OF_REGRET

Point: TypeAlias = "np.ndarray[Any, np.dtype[np.float64]]"


@dataclass(frozen=True)
class Problem:
    """A loss to be minimised; `optimum` is its least value, None where nobody knows it."""

    name: str
    kind: str
    space: Space
    loss: Callable[[Params], float]
    optimum: float | None = 0.0
    known: dict[tuple[str, ...], float] = field(default_factory=dict, hash=False, compare=False)

    def value(self, params: Params) -> float:
        """Return the loss, computed once a point."""
        point = self.space.identity(params)
        if point not in self.known:
            self.known[point] = float(self.loss(params))
        return self.known[point]


def numbers(params: Params) -> Point:
    """Return the values in the order of their names' numbers."""
    return np.array([float(value) for value in params.values()])  # type: ignore[arg-type]


def box(count: int, low: float, high: float) -> Space:
    """Return so many parameters of one range."""
    return Space({f"x{index}": Float(low, high) for index in range(count)})


def of_numbers(function: Callable[[Point], float], logarithm: bool = False) -> Callable[[Params], float]:
    """Return the function of a point's parameters, or log(1 + it)."""
    return lambda params: math.log1p(function(numbers(params))) if logarithm else float(function(numbers(params)))


def zakharov(x: Point) -> float:
    line = 0.5 * float(np.arange(1, len(x) + 1) @ x)
    return float(x @ x) + line**2 + line**4


def levy(x: Point) -> float:
    w = 1 + (x - 1) / 4
    inner = ((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(math.pi * w[:-1] + 1) ** 2)).sum()
    last = (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    return float(math.sin(math.pi * w[0]) ** 2 + inner + last)


def forrester(x: Point) -> float:
    return float((6 * x[0] - 2) ** 2 * math.sin(12 * x[0] - 4))


def gramacy_lee(x: Point) -> float:
    return float(math.sin(10 * math.pi * x[0]) / (2 * x[0]) + (x[0] - 1) ** 4)


def camel(x: Point) -> float:
    a, b = x
    return float((4 - 2.1 * a**2 + a**4 / 3) * a**2 + a * b + (4 * b**2 - 4) * b**2)


def goldstein_price(x: Point) -> float:
    a, b = x
    one = 1 + (a + b + 1) ** 2 * (19 - 14 * a + 3 * a**2 - 14 * b + 6 * a * b + 3 * b**2)
    two = 30 + (2 * a - 3 * b) ** 2 * (18 - 32 * a + 12 * a**2 + 48 * b - 36 * a * b + 27 * b**2)
    return float(one * two - 3)  # 0 at the optimum, so that its logarithm is


def rosenbrock(x: Point) -> float:
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum())


def ackley(x: Point) -> float:
    wide = -20 * math.exp(-0.2 * math.sqrt(float((x**2).mean())))
    return wide - math.exp(float(np.cos(2 * math.pi * x).mean())) + 20 + math.e


def rastrigin(x: Point) -> float:
    return float(10 * len(x) + (x**2 - 10 * np.cos(2 * math.pi * x)).sum())


def styblinski_tang(x: Point) -> float:
    return float((x**4 - 16 * x**2 + 5 * x).sum() / 2 + 39.16616570377142 * len(x))


def griewank(x: Point) -> float:
    waves = np.cos(x / np.sqrt(np.arange(1, len(x) + 1))).prod()
    return float((x**2).sum() / 4000 - waves + 1)


def hartmann_3(x: Point) -> float:
    a = np.array([[3, 10, 30], [0.1, 10, 35], [3, 10, 30], [0.1, 10, 35]])
    p = np.array([[3689, 1170, 2673], [4699, 4387, 7470], [1091, 8732, 5547], [381, 5743, 8828]]) / 1e4
    return -float(np.array([1, 1.2, 3, 3.2]) @ np.exp(-(a * (x - p) ** 2).sum(1)))


def hartmann_of_ten(x: Point) -> float:
    """Six of ten parameters matter."""
    return -float(np.array([1, 1.2, 3, 3.2]) @ np.exp(-(HARTMANN_A * (x[:6] - HARTMANN_P) ** 2).sum(1)))


@cache
def halves(name: str) -> Sequence[Any]:
    """Return a data set of scikit-learn in two halves: x and y to train on, x and y held out."""
    from sklearn import datasets
    from sklearn.model_selection import train_test_split
    from sklearn.preprocessing import StandardScaler

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    x, y = x[:600], y[:600]
    train, held_out, *answers = train_test_split(x, y, test_size=0.5, random_state=0)
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(held_out), *answers


def model(data: str, make: Callable[[Mapping[str, Any]], Any]) -> Callable[[Params], float]:
    """Return what a model with these parameters loses on the held-out half: its error, or its root mean square."""

    def loss(params: Params) -> float:
        x, held_out, y, answers = halves(data)
        found = make(params).fit(x, y).predict(held_out)
        return float(np.sqrt(((found - answers) ** 2).mean()) if data == "diabetes" else (found != answers).mean())

    return loss


def support_vectors(params: Mapping[str, Any]) -> Any:
    from sklearn.svm import SVC

    return SVC(**params)


def kernel_ridge(params: Mapping[str, Any]) -> Any:
    from sklearn.kernel_ridge import KernelRidge

    return KernelRidge(kernel="rbf", **{"gamma": 0.01, **params})


def tree(params: Mapping[str, Any]) -> Any:
    from sklearn.tree import DecisionTreeRegressor

    return DecisionTreeRegressor(random_state=0, **params)


def linear(params: Mapping[str, Any]) -> Any:
    from sklearn.linear_model import SGDRegressor

    return SGDRegressor(learning_rate="constant", max_iter=30, tol=None, random_state=0, **params)


def boosted(params: Mapping[str, Any]) -> Any:
    from sklearn.ensemble import GradientBoostingRegressor

    return GradientBoostingRegressor(random_state=0, **{"n_estimators": 30, **params})


LOG = {"C": Float(1e-3, 1e3, log=True), "gamma": Float(1e-5, 1, log=True), "alpha": Float(1e-4, 100, log=True)}
TREE = {
    "max_depth": Int(1, 16),
    "min_samples_leaf": Int(1, 64, log=True),
    "max_features": Float(0.1, 1),
    "ccp_alpha": Float(1e-2, 100, log=True),
    "criterion": Categorical(["squared_error", "absolute_error"]),
}
LINEAR = {
    "eta0": Float(1e-5, 0.1, log=True),
    "alpha": Float(1e-6, 1, log=True),
    "l1_ratio": Float(0, 1),
    "loss": Categorical(["squared_error", "huber"]),
}
BOOSTED = {
    "learning_rate": Float(1e-3, 1, log=True),
    "max_depth": Int(1, 8),
    "min_samples_leaf": Int(1, 64, log=True),
    "subsample": Float(0.3, 1),
}
BOOSTED_7 = {
    **BOOSTED,
    "max_features": Float(0.1, 1),
    "n_estimators": Int(5, 60, log=True),
    "min_impurity_decrease": Float(1e-3, 1e3, log=True),
}

PROBLEMS = [
    Problem("Zakharov-1", "smooth", box(1, -5, 10), of_numbers(zakharov, True)),
    Problem("Forrester", "smooth", box(1, 0, 1), of_numbers(forrester), -6.020740055767083),
    Problem("Levy-1", "rugged", box(1, -10, 10), of_numbers(levy)),
    Problem("Gramacy-Lee", "rugged", box(1, 0.5, 2.5), of_numbers(gramacy_lee), -0.8690111349894997),
    Problem("SVC-gamma", "model", Space({"gamma": LOG["gamma"]}), model("digits", support_vectors), None),
    Problem("ridge-alpha", "model", Space({"alpha": LOG["alpha"]}), model("diabetes", kernel_ridge), None),
    Problem("Branin", "smooth", OF_REGRET[0].space, branin, OF_REGRET[0].optimum),
    Problem("camel", "smooth", Space({"x": Float(-3, 3), "y": Float(-2, 2)}), of_numbers(camel), -1.031628453489877),
    Problem("Goldstein-Price", "smooth", box(2, -2, 2), of_numbers(goldstein_price, True)),
    Problem("Rosenbrock-2", "smooth", box(2, -5, 10), of_numbers(rosenbrock, True)),
    Problem("Ackley-2", "rugged", box(2, -25, 40), of_numbers(ackley)),
    Problem("Rastrigin-2", "rugged", box(2, -4, 5.12), of_numbers(rastrigin)),
    Problem("SVC", "model", Space({"C": LOG["C"], "gamma": LOG["gamma"]}), model("digits", support_vectors), None),
    Problem(
        "ridge", "model", Space({"alpha": LOG["alpha"], "gamma": LOG["gamma"]}), model("diabetes", kernel_ridge), None
    ),
    Problem("Hartmann-3", "smooth", box(3, 0, 1), of_numbers(hartmann_3), -3.86278214782076),
    Problem("Hartmann-6", "smooth", OF_REGRET[1].space, hartmann, OF_REGRET[1].optimum),
    Problem("Rosenbrock-4", "smooth", box(4, -5, 10), of_numbers(rosenbrock, True)),
    Problem("Zakharov-4", "smooth", box(4, -5, 10), of_numbers(zakharov, True)),
    Problem("mixed-5", "smooth", OF_REGRET[2].space, mixed, OF_REGRET[2].optimum),
    Problem("Griewank-3", "rugged", box(3, -20, 30), of_numbers(griewank)),
    Problem("Ackley-5", "rugged", box(5, -25, 40), of_numbers(ackley)),
    Problem("Rastrigin-4", "rugged", box(4, -4, 5.12), of_numbers(rastrigin)),
    Problem("Levy-4", "rugged", box(4, -10, 10), of_numbers(levy)),
    Problem("tree", "model", Space(TREE), model("diabetes", tree), None),
    Problem("linear", "model", Space(LINEAR), model("diabetes", linear), None),
    Problem("boosted-4", "model", Space(BOOSTED), model("diabetes", boosted), None),
    Problem("Rosenbrock-8", "smooth", box(8, -5, 10), of_numbers(rosenbrock, True)),
    Problem("Zakharov-8", "smooth", box(8, -5, 10), of_numbers(zakharov, True)),
    Problem("Hartmann-6-of-10", "smooth", box(10, 0, 1), of_numbers(hartmann_of_ten), OF_REGRET[1].optimum),
    Problem("Styblinski-Tang-7", "rugged", box(7, -5, 5), of_numbers(styblinski_tang)),
    Problem("Ackley-8", "rugged", box(8, -25, 40), of_numbers(ackley)),
    Problem("Rastrigin-8", "rugged", box(8, -4, 5.12), of_numbers(rastrigin)),
    Problem("Levy-10", "rugged", box(10, -10, 10), of_numbers(levy)),
    Problem("boosted-7", "model", Space(BOOSTED_7), model("diabetes", boosted), None),
]
