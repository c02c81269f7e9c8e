"""The search for the point that promises most: random points, and steps around the best ones, all of them valid."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mlflow_tune.space import Space
from mlflow_tune.strategies.bayesian.encoding import Array, every_point, snapped, widths

ROUNDS = 3
CENTRES = 5
STEPS = (-3.5, -0.5)  # a step's size is ten to a power between these, in terms of the range


def promising_points(
    space: Space, judge: Callable[[Array], Array], starts: Array, draws: np.random.Generator, budget: int
) -> tuple[Array, Array]:
    """Return candidates (m, d) in the unit cube and their judgements (m, k), those with the largest score first.

    `judge` maps coordinates (m, d) to judgements (m, k), whose first column is the score. `starts` (s, d) are points to
    search around, and `budget` is about how many candidates are judged. A small space is judged as a whole.
    """
    points = every_point(space)
    if points is not None:
        return _sorted(points, judge(points))
    anywhere = snapped(space, draws.random((budget // 4, len(space))))
    points = np.vstack([anywhere, _around(space, starts, budget // 4, draws)])
    points, judged = _sorted(points, judge(points))
    for _ in range(ROUNDS):
        more = _around(space, points[:CENTRES], budget // 2 // ROUNDS, draws)
        points, judged = _sorted(np.vstack([points, more]), np.vstack([judged, judge(more)]))
    return points, judged


def _sorted(points: Array, judged: Array) -> tuple[Array, Array]:
    order = np.argsort(-judged[:, 0], kind="stable")
    return points[order], judged[order]


def _around(space: Space, centres: Array, count: int, draws: np.random.Generator) -> Array:
    """Return valid points (count, d) that differ from one of the centres (s, d) in about two parameters."""
    shape = (count, len(space))
    size = 10 ** draws.uniform(*STEPS, (count, 1))
    steps = draws.standard_normal(shape) * np.maximum(size, widths(space))
    moved = draws.random(shape) < 2 / len(space)
    moved[np.arange(count), draws.integers(len(space), size=count)] = True
    points = centres[draws.integers(len(centres), size=count)] + steps * moved
    return snapped(space, np.clip(points, 0.0, 1.0))
