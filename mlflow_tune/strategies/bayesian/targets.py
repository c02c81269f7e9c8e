"""From the metric's values to what a model is fitted to, and back.

With m the median less the minimum, values above the median + 2 m are compressed into the 2 m above it, so that a
diverged trial does not flatten the rest. Then all are made more normal by a power transform (Yeo and Johnson, 2000,
https://doi.org/10.1093/biomet/87.4.954), as HEBO does (Cowen-Rivers et al., 2022, section 4.2,
https://doi.org/10.1613/jair.1.13643), and standardised. Each step has an inverse, so that predictions lead back.
The inverse is trusted where values were seen. Beyond them it may rise without end, for the compression has a largest
value; so the way back goes on no faster than the values themselves were spread.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_tune.strategies.bayesian.encoding import Array

POWERS = np.linspace(0.0, 2.0, 21)  # within [0, 2] the transform reaches every real number, so it has an inverse
DIVERGED = 100.0  # so many times farther from the least value than all better ones: no measure of how values spread
FAR = 20.0  # units beyond the values seen, where the way back may end: nothing is predicted there


@dataclass(frozen=True)
class Scale:
    """The way from values (to be minimised) to the model's units, in which they have mean 0 and variance 1.

    `least` and `most` are the ends of the values seen, diverged ones left out, in terms of `size`.
    """

    size: float = 1.0
    ceiling: float = 1.0
    reach: float = 1.0
    shift: float = 0.0
    width: float = 1.0
    power: float = 1.0
    mean: float = 0.0
    std: float = 1.0
    least: float = -1.0
    most: float = 1.0

    @classmethod
    def of(cls, values: Array) -> Scale:
        """Return the scale that makes these finite values (n,) nearly normal; n > 0."""
        size = float(np.abs(values).max()) or 1.0
        middle, least, most = (float(np.quantile(values / size, share)) for share in (0.5, 0.0, 1.0))
        ceiling, reach = (middle + 2 * (middle - least), middle - least) if middle > least else (most, 1.0)
        low = _compress(values / size, ceiling, reach)
        shift = float(low.mean())
        width = float(low.std()) or 1.0
        standard = (low - shift) / width
        power = max(POWERS.tolist(), key=lambda power: _likelihood(standard, power))
        bent = _bend(standard, power)
        mean, std = float(bent.mean()), float(bent.std()) or 1.0
        ends = least, max(_largest(values / size), min(most, ceiling + DIVERGED * reach))
        return cls(size, ceiling, reach, shift, width, power, mean, std, *ends)

    def forward(self, values: Array) -> Array:
        """Return the values in the model's units."""
        low = _compress(values / self.size, self.ceiling, self.reach)
        return (_bend((low - self.shift) / self.width, self.power) - self.mean) / self.std

    def variances(self, values: Array, errors: Array) -> Array:
        """Return the variances (n,), in the model's units, of values that have these standard deviations."""
        half = (self.forward(values + errors) - self.forward(values - errors)) / 2
        return np.where(errors > 0, half**2, 0.0)

    def back(self, units: Array) -> Array:
        """Return the values that are so many of the model's units: it rises with them.

        Between the values seen it is the inverse of `forward`. Beyond their ends it follows the inverse, but changes by
        a unit no more than the values seen do on average: m units beyond, it is within m times that of the end. A
        diverged value comes back as the end of the others, or as little more.
        """
        first, last = self.forward(np.array([self.least, self.most]) * self.size)
        slope = (self.most - self.least) / (last - first) if last > first else self.width * self.std
        near = np.clip(units, first - FAR, last + FAR)
        low = _straighten(near * self.std + self.mean, self.power) * self.width + self.shift
        found = _expand(low, self.ceiling, self.reach)
        found = np.where(units > last, np.minimum(found, self.most + slope * (units - last)), found)
        found = np.where(units < first, np.maximum(found, self.least - slope * (first - units)), found)
        return np.asarray(found * self.size)


def targets(values: Array) -> tuple[Array, Scale]:
    """Return what the model is fitted to (n,), and its scale.

    A trial without a value (NaN) counts as bad as the worst that was seen, up to where values are compressed.
    """
    known = values[~np.isnan(values)]
    if not known.size:
        return np.zeros(len(values)), Scale()
    scale = Scale.of(known)
    penalty = min(float(known.max()), scale.ceiling * scale.size)
    return scale.forward(np.where(np.isnan(values), penalty, values)), scale


def _compress(values: Array, ceiling: float, reach: float) -> Array:
    excess = np.maximum(values - ceiling, 0.0) / reach
    return np.asarray(np.minimum(values, ceiling) + 2 * reach * (1 - 1 / np.sqrt(1 + excess)))


def _expand(values: Array, ceiling: float, reach: float) -> Array:
    share = np.clip((values - ceiling) / (2 * reach), 0.0, 1 - 1e-8)
    return np.asarray(np.minimum(values, ceiling) + reach * ((1 - share) ** -2 - 1))


def _largest(values: Array) -> float:
    """Return the largest of the values (n,) that did not diverge; at least half of them did not."""
    away = np.sort(values) - values.min()
    worse = away[len(away) // 2 :]
    jumps = (worse[1:] > DIVERGED * worse[:-1]) & (worse[:-1] > 0)
    return float(values.min() + worse[int(np.argmax(jumps)) if jumps.any() else -1])


def _bend(values: Array, power: float) -> Array:
    up, down = np.maximum(values, 0.0), np.maximum(-values, 0.0)
    risen = np.log1p(up) if power == 0 else ((up + 1) ** power - 1) / power
    fallen = np.log1p(down) if power == 2 else ((down + 1) ** (2 - power) - 1) / (2 - power)
    return np.asarray(risen - fallen)


def _straighten(values: Array, power: float) -> Array:
    up, down = np.maximum(values, 0.0), np.maximum(-values, 0.0)
    risen = np.expm1(up) if power == 0 else (power * up + 1) ** (1 / power) - 1
    fallen = np.expm1(down) if power == 2 else ((2 - power) * down + 1) ** (1 / (2 - power)) - 1
    return np.asarray(risen - fallen)


def _likelihood(values: Array, power: float) -> float:
    variance = float(_bend(values, power).var())
    jacobian = (power - 1) * float((np.sign(values) * np.log1p(np.abs(values))).sum())
    return jacobian - len(values) / 2 * float(np.log(variance)) if variance > 0 else -np.inf
