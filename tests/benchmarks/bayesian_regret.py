"""Regret of the Bayesian strategy against plain scikit-optimize, on paired seeds.

`python tests/benchmarks/bayesian_regret.py --seeds 20 --trials 40` prints a table: mean regret of both, the mean of the
paired differences with its 95 % interval, and the regret where `--pending` other trials (default 4) run while one is
chosen, in terms of the sequential regret. The last column is the sequential regret so many trials earlier, in the same
terms: what it costs to choose without these results. `--first` names the first seed. What a suggestion costs in time
is measured by `suggest_cost.py`.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.strategies import Bayesian, Strategy
from mlflow_tune.trial import Params, Trial

HARTMANN_A = np.array([[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8],
                       [17, 8, 0.05, 10, 0.1, 14]])  # fmt: skip
HARTMANN_P = np.array([[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
                       [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]) / 1e4  # fmt: skip


@dataclass(frozen=True)
class Problem:
    name: str
    space: Space
    loss: Callable[[Params], float]
    optimum: float


def branin(params: Params) -> float:
    x, y = float(params["x"]), float(params["y"])
    curve = y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6
    return curve**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def hartmann(params: Params) -> float:
    point = np.array([float(value) for value in params.values()])
    return -float(np.array([1, 1.2, 3, 3.2]) @ np.exp(-(HARTMANN_A * (point - HARTMANN_P) ** 2).sum(1)))


def mixed(params: Params) -> float:
    """A training run in small: the best learning rate depends on the optimiser, the best dropout on the width."""
    best_rate, offset = {"sgd": (-1.5, 0.15), "adam": (-3.0, 0.0), "rmsprop": (-3.5, 0.08)}[str(params["optimiser"])]
    rate = math.log10(float(params["lr"])) - best_rate
    width = math.log2(float(params["units"]) / 84)
    layers = int(params["layers"]) - 3
    dropout = float(params["dropout"]) - 0.05 * math.log2(float(params["units"]))
    return 1 - math.exp(-0.4 * rate**2 - 0.06 * width**2 - 0.1 * layers**2 - 4 * dropout**2) + offset


PROBLEMS = [
    Problem("Branin", Space({"x": Float(-5, 10), "y": Float(0, 15)}), branin, 0.39788735772973816),
    Problem("Hartmann-6", Space({f"x{index}": Float(0, 1) for index in range(6)}), hartmann, -3.32236801141551),
    Problem(
        "mixed",
        Space(
            {
                "lr": Float(1e-5, 1, log=True),
                "units": Int(8, 512, log=True),
                "layers": Int(1, 8),
                "dropout": Float(0, 0.8),
                "optimiser": Categorical(["sgd", "adam", "rmsprop"]),
            }
        ),
        mixed,
        0.0,
    ),
]


def study(problem: Problem, strategy: Strategy, trials: int, pending: int = 0) -> list[float]:
    """Return the least regret after each trial of a study in which up to `pending` others run while one is chosen."""
    history: list[Trial] = []
    while len(history) < trials:
        (suggestion,) = strategy.suggest(problem.space, history, 1)
        history.append(Trial(number=len(history) + 1, params=suggestion.params))
        running = [index for index, trial in enumerate(history) if trial.running]
        if len(running) > pending:
            first = history[running[0]]
            history[running[0]] = replace(first, outcome="ok", value=problem.loss(first.params))
    return np.minimum.accumulate([problem.loss(trial.params) - problem.optimum for trial in history]).tolist()


def plain(problem: Problem, seed: int, trials: int) -> float:
    """Return the regret of `skopt.gp_minimize` as it comes."""
    import skopt

    names = list(problem.space)

    def loss(point: Sequence[object]) -> float:
        return problem.loss(dict(zip(names, point, strict=True)))  # type: ignore[arg-type]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = skopt.gp_minimize(loss, skopt_dimensions(problem.space), n_calls=trials, random_state=seed)
    return float(result.fun) - problem.optimum


def skopt_dimensions(space: Space) -> list[object]:
    """Return the space in the terms of scikit-optimize."""
    from skopt import space as terms

    found: list[object] = []
    for dimension in space.values():
        if isinstance(dimension, Categorical):
            found.append(terms.Categorical(list(dimension.values)))
        else:
            kind = terms.Real if isinstance(dimension, Float) else terms.Integer
            found.append(kind(dimension.low, dimension.high, "log-uniform" if dimension.log else "uniform"))
    return found


def compare(problem: Problem, seeds: range, trials: int, pending: int) -> str:
    """Return a row of the table for one problem."""
    curves = [study(problem, Bayesian(seed=seed), trials) for seed in seeds]
    ours, earlier = ([curve[-1 - late] for curve in curves] for late in (0, pending))
    wide = [study(problem, Bayesian(seed=seed), trials, pending)[-1] for seed in seeds]
    theirs = [plain(problem, seed, trials) for seed in seeds]
    differences = [mine - their for mine, their in zip(ours, theirs, strict=True)]
    middle, half = statistics.mean(differences), interval(differences)
    mean, late, parallel = statistics.mean(ours), statistics.mean(earlier), statistics.mean(wide)
    return (
        f"| {problem.name} | {mean:.4g} | {statistics.mean(theirs):.4g} | {middle:+.4g} "
        f"[{middle - half:+.4g}, {middle + half:+.4g}] | {parallel:.4g} | {parallel / mean:.2f} | {late / mean:.2f} |"
    )


def interval(values: Sequence[float]) -> float:
    """Return half the width of the 95 % interval of the mean (Student's t)."""
    from scipy.stats import t

    return float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--pending", type=int, default=4)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.seeds)
    print(f"Mean regret after {options.trials} trials, {len(seeds)} paired seeds from {options.first}")
    print(
        f"| problem | bayesian | gp_minimize | difference [95 %] | with {options.pending} pending | ratio "
        f"| ratio {options.pending} trials earlier |"
    )
    print("|---|---|---|---|---|---|---|")
    for problem in PROBLEMS:
        print(compare(problem, seeds, options.trials, options.pending), flush=True)


if __name__ == "__main__":
    main()
