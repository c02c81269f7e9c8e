"""Which of a few settings with noisy values is best: how probable that is of each, and which to look at next.

The true values are taken to be normal around a common mean, so that the best of several means is not taken at its word
(Gelman et al., Bayesian Data Analysis, 2013, section 5.4). The next look goes to where it tells most: optimal computing
budget allocation (Chen et al., 2000, https://doi.org/10.1023/A:1008349927281).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Array: TypeAlias = npt.NDArray[np.float64]

DRAWS = 4000
LEAST = 1e-12  # of the noise, in terms of the values
LARGEST = 1e300
SPREADS = (0.05, 10.0)  # of the true values, in terms of the noise: any between them is as likely as any other
WIDER = 3.0  # than the means are spread, so that one that is known well is taken at its word
NEAREST = 0.01  # of the noise: two means that are closer are taken to be so far apart
TAIL = 0.05  # below and above an interval of 90 %


@dataclass(frozen=True, eq=False)
class Belief:
    """What is believed of the true values of k settings, to be minimised: `draws` (n, k) from the posterior."""

    draws: Array

    @cached_property
    def mean(self) -> list[float]:
        """The expected true value of each setting."""
        return [float(mean) for mean in self.draws.mean(axis=0)]

    @cached_property
    def best(self) -> list[float]:
        """The probability of each setting to be the best."""
        first = self.draws.argmin(axis=1)
        return [float((first == index).mean()) for index in range(self.draws.shape[1])]

    @property
    def leader(self) -> int:
        """The setting with the best mean."""
        return min(range(len(self.mean)), key=self.mean.__getitem__)

    def ahead(self, one: int, other: int) -> float:
        """Return the probability that one setting is better than the other."""
        return float((self.draws[:, one] < self.draws[:, other]).mean())

    def interval(self, index: int) -> tuple[float, float]:
        """Return between which values a setting's true value lies, to 90 %."""
        import numpy

        low, high = numpy.quantile(self.draws[:, index], [TAIL, 1 - TAIL]).tolist()
        return low, high


def mean_of(values: Sequence[float]) -> float:
    """Return the mean of the values, however large they are."""
    size = max(map(abs, values)) or 1.0
    return math.fsum(value / size for value in values) / len(values) * size


def pooled(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Return the standard deviation of the values around the means of their groups, and its degrees of freedom."""
    groups = [group for group in groups if group]
    freedom = sum(len(group) - 1 for group in groups)
    if not freedom:
        return 0.0, 0
    size = max(abs(value) for group in groups for value in group) or 1.0
    centred = [(mean_of(group), group) for group in groups]
    squares = math.fsum((value / size - mean / size) ** 2 for mean, group in centred for value in group)
    return min(math.sqrt(squares / freedom) * size, LARGEST), freedom


def believe(observed: Sequence[Sequence[float]], noise: float, freedom: int) -> Belief:
    """Return what the values `observed` of each setting, at least one, tell of its true value.

    `noise` is the standard deviation of one value, known with so many degrees of freedom, at least one: see `pooled`.
    """
    import numpy

    size = max(abs(value) for values in observed for value in values) or 1.0
    counts = numpy.array([len(values) for values in observed], dtype=float)
    means = numpy.array([mean_of(values) / size for values in observed])
    return Belief(_draws(means, counts, max(noise / size, LEAST), freedom) * size)


def _draws(means: Array, counts: Array, noise: float, freedom: int) -> Array:
    """Return draws (n, k) from the posterior of the true values of k settings; equal arguments give equal draws."""
    import numpy

    random = numpy.random.default_rng([len(means), freedom])
    variance = noise**2 * freedom / random.chisquare(freedom, DRAWS)
    widest = max(SPREADS[1], WIDER * float(numpy.ptp(means)) / noise)
    spread = numpy.exp(random.uniform(math.log(SPREADS[0]), math.log(widest), DRAWS)) ** 2
    variances = variance[:, None] * (spread[:, None] + 1 / counts)  # of each mean around the common one
    common = 1 / (1 / variances).sum(axis=1)
    centre = common * (means / variances).sum(axis=1)
    away = ((means - centre[:, None]) ** 2 / variances).sum(axis=1)
    likelihood = (numpy.log(common) - numpy.log(variances).sum(axis=1) - away) / 2
    chosen = _resampled(likelihood, random.random())
    variance, spread, common, centre = variance[chosen], spread[chosen], common[chosen], centre[chosen]
    centre = centre + numpy.sqrt(common) * random.standard_normal(DRAWS)
    trust = spread[:, None] / (spread[:, None] + 1 / counts)  # in a setting's own mean
    deviation = numpy.sqrt(variance[:, None] * trust / counts)
    own = trust * means + (1 - trust) * centre[:, None]
    return numpy.asarray(own + deviation * random.standard_normal((DRAWS, len(counts))))


def _resampled(likelihood: Array, start: float) -> npt.NDArray[np.int64]:
    """Return indices (n,) drawn by the likelihood's logarithms (n,): systematic resampling."""
    import numpy

    weights = numpy.exp(likelihood - likelihood.max())
    places = (numpy.arange(len(weights)) + start) / len(weights)
    return numpy.minimum(numpy.searchsorted(numpy.cumsum(weights) / weights.sum(), places), len(weights) - 1)


def next_setting(means: Sequence[float], noise: float, counts: Sequence[int], most: int) -> int | None:
    """Return which setting to look at next, None when each was looked at `most` times.

    `means` are of what was seen, to be minimised, `noise` is the standard deviation of one look, and `counts` are the
    looks so far.
    """
    free = [index for index, count in enumerate(counts) if count < most]
    if not free:
        return None
    shares = _shares(means, noise)
    total = sum(counts) + 1
    return max(free, key=lambda index: total * shares[index] - counts[index])


def _shares(means: Sequence[float], noise: float) -> list[float]:
    """Return which share of all looks each setting should have (Chen et al., theorem 1, where all are as noisy)."""
    best = min(range(len(means)), key=means.__getitem__)
    others = [index for index in range(len(means)) if index != best]
    if not others:
        return [1.0]
    nearest = NEAREST * noise or 1e-300
    away = {index: max(means[index] - means[best], nearest) for index in others}
    closest = min(away.values())  # in whose terms no weight overflows
    weights = {index: (closest / away[index]) ** 2 for index in others}
    weights[best] = math.sqrt(math.fsum(weight**2 for weight in weights.values()))
    whole = math.fsum(weights.values())
    return [weights[index] / whole for index in range(len(means))]
