"""The problems by name: constants are chosen on those of the half `tune`, and figures reported on the half `report`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mlflow_tune.space import Float, Space
from mlflow_tune.trial import Params
from tests.benchmarks import bayesian_regret as classic
from tests.benchmarks.samples import functions, models
from tests.benchmarks.samples.functions import cube

Half = Literal["tune", "report"]
BRANIN, HARTMANN, MIXED = (problem.space for problem in classic.PROBLEMS)


@dataclass(frozen=True)
class Problem:
    """A value to be minimised over a space. `noisy` says that two trials of one point have different values."""

    name: str
    half: Half
    space: Space
    measure: Callable[[Params, np.random.Generator], float]
    noisy: bool

    def value(self, params: Params, seed: int, number: int) -> float:
        """Return what trial `number` of the study of this seed gets at the point."""
        return self.measure(params, np.random.default_rng([seed, number, 7]))


def exact(name: str, half: Half, space: Space, function: Callable[[Params], float]) -> Problem:
    """Return a problem without noise."""
    return Problem(name, half, space, lambda params, _: function(params), noisy=False)


def blurred(name: str, half: Half, space: Space, function: Callable[[Params], float], std: float) -> Problem:
    """Return a problem whose values have normal noise of this standard deviation."""
    return Problem(name, half, space, lambda params, draws: function(params) + std * draws.standard_normal(), True)


def uneven(params: Params, draws: np.random.Generator) -> float:
    """Return a training run in small whose noise grows with its loss, as that of networks does."""
    loss = classic.mixed(params)
    return loss * float(np.exp(0.15 * draws.standard_normal()))


PAIR = Space({"x": Float(-3, 3), "y": Float(-2, 2)})
PROBLEMS = (
    exact("branin", "tune", BRANIN, classic.branin),
    exact("ackley-5", "tune", cube(5, -20, 30), functions.ackley),
    exact("rosenbrock-4", "tune", cube(4, -2, 3), functions.rosenbrock),
    exact("levy-4", "tune", cube(4, -10, 10), functions.levy),
    exact("styblinski-tang-3", "tune", cube(3, -5, 5), functions.styblinski_tang),
    exact("mixed", "tune", MIXED, classic.mixed),
    blurred("branin, noise 5", "tune", BRANIN, classic.branin, 5.0),
    blurred("styblinski-tang-3, noise 10", "tune", cube(3, -5, 5), functions.styblinski_tang, 10.0),
    blurred("mixed, noise 0.03", "tune", MIXED, classic.mixed, 0.03),
    Problem("neighbours on wine", "tune", models.NEIGHBOURS, models.neighbours, noisy=True),
    Problem("tree on breast cancer", "tune", models.TREE, models.tree, noisy=True),
    exact("hartmann-6", "report", HARTMANN, classic.hartmann),
    exact("rastrigin-2", "report", cube(2, -4, 5), functions.rastrigin),
    exact("griewank-3", "report", cube(3, -50, 80), functions.griewank),
    exact("camel", "report", PAIR, functions.six_hump_camel),
    exact("michalewicz-4", "report", cube(4, 0, float(np.pi)), functions.michalewicz),
    exact("ellipsoid-6", "report", cube(6, -1, 1), functions.ellipsoid),
    blurred("camel, noise 0.5", "report", PAIR, functions.six_hump_camel, 0.5),
    blurred("hartmann-6, noise 0.1", "report", HARTMANN, classic.hartmann, 0.1),
    Problem("mixed, noise by loss", "report", MIXED, uneven, noisy=True),
    Problem("machine on digits", "report", models.MACHINE, models.machine, noisy=True),
    Problem("boosting on diabetes", "report", models.BOOSTING, models.boosting, noisy=True),
)
