"""Learning curves as the rules read them: clean, short, and lower is better."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from mlflow_tune.diagnosis import names
from mlflow_tune.trial import Goal

MAX_POINTS = 100  # longer curves are cut into as many pieces, each its median: noise of single minibatches goes
OVERFLOWING = 1e150  # beyond it no training recovers, and differences of such numbers overflow
LONG_PIECE = 4  # from so many points a piece, what noise of single points leaves in the medians can be told
FIRST_OUTLIER = 20.0  # a first value from which the first step falls 20 times as far as all others is left out


@dataclass(frozen=True)
class CostCurve:
    """One metric of one trial, of at most `MAX_POINTS` points.

    `values` are the finite ones in order of `steps`, `costs` the same with lower = better: a share of 1 (accuracy, AUC)
    is taken as 1 - share, another metric that is to rise is negated. `falls` tells which way is better as it was
    logged; `is_loss` is false for a score, by its name. `count` is how many finite steps were logged, before a long
    curve was cut, `broken` the first step of a not-finite end, and `grain` the jitter that white noise of single
    points leaves in the cut curve.
    """

    name: str
    steps: tuple[int, ...]
    values: tuple[float, ...]
    costs: tuple[float, ...]
    falls: bool
    is_loss: bool
    count: int
    broken: int | None = None
    grain: float = 0.0

    @property
    def late(self) -> tuple[float, ...]:
        """The costs of the last two thirds, where the first large steps are over."""
        return self.costs[len(self.costs) // 3 :]

    @property
    def body(self) -> int:
        """The index of the first point that counts: a lone huge first value would make all that follows look flat."""
        low = min(self.costs)
        first = 0
        while first < len(self.costs) // 10 + 1 and self._is_outlier(first, low):
            first += 1
        return first

    def _is_outlier(self, index: int, low: float) -> bool:
        here, following = self.costs[index], self.costs[index + 1]
        return following > low and here - following > FIRST_OUTLIER * (following - low)

    @property
    def start(self) -> float:
        """The cost that training began with."""
        return self.costs[self.body]

    @property
    def best(self) -> float:
        """The lowest cost."""
        return min(self.costs)

    @property
    def end(self) -> float:
        """The cost at the end: the median of the last fifth."""
        return median(self.costs[-max(1, len(self.costs) // 5) :])

    def level(self, index: int) -> float:
        """Return the cost at a point: the median of as many points up to it as are 5 % of the curve."""
        return median(self.costs[max(0, index + 1 - max(1, len(self.costs) // 20)) : index + 1])

    @property
    def floor(self) -> float:
        """The lowest level: `best` without the luck of a single point."""
        return min(self.level(index) for index in range(len(self.costs)))

    @property
    def spread(self) -> float:
        """The highest minus the lowest cost."""
        return max(self.costs[self.body :]) - min(self.costs)

    @property
    def jitter(self) -> float:
        """How far a point of the last two thirds lies off the middle of its neighbours: the median.

        A straight line has none, white noise of standard deviation s about 0.8 s.
        """
        return _jitter(self.late)

    @property
    def rises(self) -> float:
        """Which share of the movement in the last two thirds goes up: 0 for a steady fall, 0.5 for noise."""
        moves = [after - before for before, after in pairwise(self.late)]
        total = sum(abs(move) for move in moves)
        return sum(move for move in moves if move > 0) / total if total else 0.0


def index_at(curve: CostCurve, progress: float) -> int:
    """Return the index of the last point at or before `progress`, from 0 (first step) to 1 (last step)."""
    first, last = curve.steps[0], curve.steps[-1]
    return max(index for index, step in enumerate(curve.steps) if step - first <= progress * (last - first))


def progress_at(curve: CostCurve, index: int) -> float:
    """Return how much of the steps lie before a point, from 0 to 1."""
    first, last = curve.steps[0], curve.steps[-1]
    return (curve.steps[index] - first) / (last - first) if last > first else 1.0


def read_curves(curves: Mapping[str, Sequence[tuple[int, float]]], metric: str, goal: Goal) -> dict[str, CostCurve]:
    """Return the curves whose better direction is known, the tuned metric first, the others by name.

    Points are sorted by step; of a repeated step the last counts. Curves without a point are left out.
    """
    found = {}
    for name in [metric, *sorted(set(curves) - {metric})]:
        falls = goal == "minimize" if name == metric else names.falls(name)
        points = dict(sorted(curves.get(name, ()), key=lambda point: point[0]))
        if falls is not None and points:
            found[name] = _cost_curve(name, points, falls)
    return found


def _cost_curve(name: str, points: Mapping[int, float], falls: bool) -> CostCurve:
    finite = [
        (step, float(value)) for step, value in points.items() if math.isfinite(value) and abs(value) < OVERFLOWING
    ]
    pieces = _pieces(finite)
    values = tuple(median(value for _, value in piece) for piece in pieces)
    last = finite[-1][0] if finite else None
    broken = next((step for step in points if last is None or step > last), None)
    costs = _costs(name, values, falls)
    grain = _grain(_costs(name, tuple(value for _, value in finite), falls))
    steps = tuple(piece[-1][0] for piece in pieces)
    is_loss = names.falls(name) is not False  # a name that does not tell may be anything: the stricter rules hold
    return CostCurve(name, steps, values, costs, falls, is_loss, len(finite), broken, grain)


def _jitter(costs: Sequence[float]) -> float:
    inner = zip(costs, costs[1:], costs[2:], strict=False)
    return median(abs(here - (before + after) / 2) for before, here, after in inner)


def _grain(costs: Sequence[float]) -> float:
    """Return the jitter of medians of `piece` points with white noise: 1.25 / sqrt(piece) of that of the points."""
    piece = len(costs) / MAX_POINTS
    return 1.25 * _jitter(costs[len(costs) // 3 :]) / math.sqrt(piece) if piece >= LONG_PIECE else 0.0


def _pieces(points: Sequence[tuple[int, float]]) -> list[Sequence[tuple[int, float]]]:
    count = min(len(points), MAX_POINTS)
    cuts = [len(points) * index // count for index in range(count + 1)] if count else [0]
    return [points[low:high] for low, high in pairwise(cuts)]


def _costs(name: str, values: tuple[float, ...], falls: bool) -> tuple[float, ...]:
    if falls and not names.is_share(name):
        return values
    gains = [-value for value in values] if falls else list(values)
    whole = 1.0 if max(gains, default=0.0) <= 1 else 100.0
    if names.is_share(name) and all(0 <= gain <= whole for gain in gains):
        return tuple(1 - gain / whole for gain in gains)
    return tuple(-gain for gain in gains)
