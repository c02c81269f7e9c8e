"""Extrapolation of learning curves: stop what will hardly beat the best.

After Domhan, Springenberg and Hutter, 2015, "Speeding up automatic hyperparameter optimization of deep neural networks
by extrapolation of learning curves", https://www.ijcai.org/Proceedings/15/Papers/487.pdf: a mixture of parametric
curves says how probable it is that the final value beats the best one, and below 5 % the trial is stopped. Where they
sample by MCMC, each curve here is a + b g(step) with its g from a fixed list, so that a and b have a closed form.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from mlflow_tune.diagnosis.curves import OVERFLOWING
from mlflow_tune.diagnosis.stopping.base import Course, Peers, Rule, Verdict
from mlflow_tune.diagnosis.stopping.options import read_number

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]

LEAST = 4  # steps: fewer do not tell how a curve bends
POWERS = (0.25, 0.5, 1.0, 2.0)  # g = step ^ -power
PACES = (1.0, 0.5, 0.25, 0.125, 0.0625)  # g = exp(-step / (pace x the usual number of steps))
FLOOR = 1e-3  # of a curve's range: no curve is known better than that
PRIOR = 4.0  # made-up errors of the expected size, beside those of the finished curves
WORST = 10.0  # standard deviations: a larger error counts as so large


@dataclass(frozen=True)
class Forecast:
    """What a trial's cost will be at the end: a mixture of normal distributions, a weight for each curve."""

    weights: tuple[float, ...]
    means: tuple[float, ...]
    deviations: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The expected cost."""
        return sum(weight * mean for weight, mean in zip(self.weights, self.means, strict=True))

    @property
    def std(self) -> float:
        """The standard deviation of the cost."""
        middle = self.mean
        parts = zip(self.weights, self.means, self.deviations, strict=True)
        return math.sqrt(sum(weight * (std**2 + (mean - middle) ** 2) for weight, mean, std in parts))

    def below(self, cost: float) -> float:
        """Return how probable it is that the cost ends below this one."""
        parts = zip(self.weights, self.means, self.deviations, strict=True)
        return sum(weight * 0.5 * math.erfc((mean - cost) / (std * math.sqrt(2))) for weight, mean, std in parts)


@dataclass(frozen=True)
class Extrapolate(Rule):
    """Stops a trial whose final value beats the best one of the finished trials with less than this `probability`."""

    probability: float = 0.05
    """How probable it must be that the trial ends better than the best one."""
    name: ClassVar[str] = "extrapolate"

    def __post_init__(self) -> None:
        read_number(self, "probability", above=0, below=1)

    def judge(self, course: Course, step: int, since: int, peers: Peers) -> Verdict | None:
        """Forecast the final value, and compare it with the best one."""
        best = peers.remembered("best", lambda: min((peer.end for peer in peers.ended), default=math.inf))
        if course.lows[step - 1] <= best or (expected := forecast(course, step, peers)) is None:
            return None
        if not (chance := expected.below(best)) < self.probability:
            return None
        words = (
            f"{course.metric} was {course.values[step - 1]:.6g} after its step {step} and is expected to end at "
            f"{course.as_value(expected.mean):.4g} +- {expected.std:.2g}; the probability that it beats "
            f"{course.as_value(best):.6g} is {100 * chance:.2g} %"
        )
        return self._verdict(course, step, best, words)


def forecast(course: Course, step: int, peers: Peers) -> Forecast | None:
    """Return what the trial's cost will be at the end, from its curve up to a step and from the finished ones.

    Which curves are likely is learned from the finished trials, and so is by how much such forecasts miss. None without
    a finished trial, with fewer than `LEAST` steps, with values beyond all measure, and where the finished trials had
    no more steps.
    """
    costs = course.costs[:step]
    if not peers.ended or step < LEAST or not _usable(costs):
        return None
    horizon = peers.remembered("horizon", lambda: round(median(len(peer) for peer in peers.ended)))
    if step >= horizon:
        return None
    shares = peers.remembered(("shares", horizon), lambda: _shares(peers, horizon))
    factor = peers.remembered(("errors", step, horizon), lambda: _typical_error(peers, step, horizon))
    means, deviations, evidence = _fits(costs, horizon)
    weights = _normalised(evidence, shares)
    return Forecast(weights, means, tuple(factor * std for std in deviations))


def _usable(costs: tuple[float, ...]) -> bool:
    return all(abs(cost) < OVERFLOWING for cost in costs)


def _shares(peers: Peers, horizon: int) -> tuple[float, ...]:
    """Return how likely each curve is before a trial is looked at: its mean weight in the finished ones."""
    count = len(POWERS) + len(PACES)
    found = [1.0 / count] * count
    for peer in peers.ended:
        if len(peer) >= LEAST and _usable(peer.costs):
            _, _, evidence = _fits(peer.costs, horizon)
            found = [share + weight for share, weight in zip(found, _normalised(evidence), strict=True)]
    return tuple(share / sum(found) for share in found)


def _typical_error(peers: Peers, step: int, horizon: int) -> float:
    """Return by how many standard deviations forecasts at the step missed what finished trials came to, at least 1."""
    total, count = PRIOR, PRIOR
    for peer in peers.ended:
        if len(peer) > step and _usable(peer.costs):
            total += _missed(peer.costs[:step], peer.end, horizon)
            count += 1
    return max(1.0, math.sqrt(total / count))


@lru_cache(maxsize=20_000)
def _missed(costs: tuple[float, ...], end: float, horizon: int) -> float:
    """Return by how many variances a forecast from these costs misses the end."""
    means, deviations, evidence = _fits(costs, horizon)
    told = Forecast(_normalised(evidence), means, deviations)
    return min((end - told.mean) ** 2 / told.std**2, WORST**2)


def _normalised(evidence: tuple[float, ...], shares: tuple[float, ...] | None = None) -> tuple[float, ...]:
    most = max(evidence)
    found = [math.exp(each - most) for each in evidence]
    if shares:
        found = [each * share for each, share in zip(found, shares, strict=True)]
    total = sum(found)
    return tuple(each / total for each in found)


@lru_cache(maxsize=20_000)
def _fits(costs: tuple[float, ...], horizon: int) -> tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...]]:
    """Return for each curve its mean and standard deviation at the horizon, and the logarithm of its evidence."""
    import numpy as np

    steps = np.arange(1, len(costs) + 1, dtype=float)
    bases, ends = _bases(steps, horizon), _bases(np.array([float(horizon)]), horizon)[:, 0]
    weights = steps / steps.sum()  # later steps tell more of the end
    values = np.asarray(costs, dtype=float)
    centre, level = bases @ weights, float(values @ weights)
    apart = bases - centre[:, None]
    spread = (apart**2) @ weights + 1e-12
    slope = (apart * (values - level)) @ weights / spread
    rest = ((values - level - slope[:, None] * apart) ** 2) @ weights
    floor = (FLOOR * float(np.ptp(values))) ** 2 + 1e-300
    variance = (rest + floor) * len(costs) / (len(costs) - 2)
    means = level + slope * (ends - centre)
    deviations = np.sqrt(variance * (1 + (1 + (ends - centre) ** 2 / spread) / len(costs)))
    evidence = -0.5 * len(costs) * np.log(rest + floor)
    return tuple(means.tolist()), tuple(deviations.tolist()), tuple(evidence.tolist())


def _bases(steps: Array, horizon: int) -> Array:
    import numpy as np

    return np.stack([*(steps**-power for power in POWERS), *(np.exp(-steps / (pace * horizon)) for pace in PACES)])
