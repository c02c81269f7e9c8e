"""Functions of the literature, all to be minimised: multimodal, ill-scaled, of low effective dimension, mixed.

Formulas and optima: S. Surjanovic and D. Bingham, Virtual Library of Simulation Experiments,
https://www.sfu.ca/~ssurjano/optimization.html.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from mlflow_tune.space import Float, Space
from mlflow_tune.trial import Params

Point = npt.NDArray[np.float64]
SHEKEL = (([4, 4, 4, 4], 0.1), ([1, 1, 1, 1], 0.2), ([8, 8, 8, 8], 0.2), ([6, 6, 6, 6], 0.4), ([3, 7, 3, 7], 0.4))


def cube(size: int, low: float, high: float) -> Space:
    """Return a space of so many numbers in one range."""
    return Space({f"x{index}": Float(low, high) for index in range(size)})


def point(params: Params) -> Point:
    numbers: list[Any] = list(params.values())
    return np.array(numbers, dtype=float)


def ackley(params: Params) -> float:
    x = point(params)
    far, waves = math.sqrt(float((x**2).mean())), float(np.cos(2 * np.pi * x).mean())
    return -20 * math.exp(-0.2 * far) - math.exp(waves) + 20 + math.e


def rosenbrock(params: Params) -> float:
    x = point(params)
    return float((100 * (x[1:] - x[:-1] ** 2) ** 2 + (x[:-1] - 1) ** 2).sum())


def levy(params: Params) -> float:
    w = 1 + (point(params) - 1) / 4
    middle = ((w[:-1] - 1) ** 2 * (1 + 10 * np.sin(np.pi * w[:-1] + 1) ** 2)).sum()
    last = (w[-1] - 1) ** 2 * (1 + np.sin(2 * np.pi * w[-1]) ** 2)
    return float(np.sin(np.pi * w[0]) ** 2 + middle + last)


def styblinski_tang(params: Params) -> float:
    x = point(params)
    return float((x**4 - 16 * x**2 + 5 * x).sum() / 2)


def rastrigin(params: Params) -> float:
    x = point(params)
    return float((x**2 - 10 * np.cos(2 * np.pi * x) + 10).sum())


def griewank(params: Params) -> float:
    x = point(params)
    waves = np.cos(x / np.sqrt(np.arange(1, len(x) + 1))).prod()
    return float((x**2).sum() / 4000 - waves + 1)


def six_hump_camel(params: Params) -> float:
    x, y = point(params)
    return float((4 - 2.1 * x**2 + x**4 / 3) * x**2 + x * y + (4 * y**2 - 4) * y**2)


def michalewicz(params: Params) -> float:
    x = point(params)
    return float(-(np.sin(x) * np.sin(np.arange(1, len(x) + 1) * x**2 / np.pi) ** 20).sum())


def ellipsoid(params: Params) -> float:
    """An ill-scaled bowl: its last parameter matters a thousand times as much as its first."""
    x = point(params)
    return float((10 ** np.linspace(0, 3, len(x)) * (x - 0.4) ** 2).sum())


def zakharov(params: Params) -> float:
    """The logarithm of a plate in a valley that lies across all parameters."""
    x = point(params)
    across = float((np.arange(1, len(x) + 1) * x).sum()) / 2
    return math.log1p(float((x**2).sum()) + across**2 + across**4)


def shekel(params: Params) -> float:
    """Five narrow holes of different depth in a plain."""
    x = point(params)
    return -sum(1 / (float(((x - hole) ** 2).sum()) + width) for hole, width in SHEKEL)


def first_two(function: Callable[[Params], float]) -> Callable[[Params], float]:
    """Return a function of the first two parameters alone: one of low effective dimension."""
    return lambda params: function(dict(list(params.items())[:2]))
