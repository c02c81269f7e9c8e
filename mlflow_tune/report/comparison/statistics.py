"""What several studies tell of a mean, and of the difference between two.

The interval of a mean is Student's t-interval at 95 %, https://doi.org/10.1093/biomet/6.1.1; that of a difference is
Welch's, https://doi.org/10.1093/biomet/34.1-2.28, at 95 % for all pairs of groups together (Bonferroni). Both take the
studies for independent draws, so studies whose seeds repeat, or that have none, get no interval.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

LEVEL = 0.95
Interval = tuple[float, float]


@dataclass(frozen=True)
class Sample:
    """One number of each study of a group, None where a study has none.

    `independent` says that the studies differ in their seeds; `least` is what the number cannot go below.
    """

    values: tuple[float | None, ...]
    independent: bool
    least: float = -math.inf

    @property
    def known(self) -> list[float]:
        """The numbers that there are."""
        return [value for value in self.values if value is not None]

    @property
    def mean(self) -> float | None:
        """The mean of the numbers that there are: of all studies only where none is missing."""
        try:
            return math.fsum(self.known) / len(self.known) if self.known else None
        except OverflowError:
            return math.fsum(value / len(self.known) for value in self.known)

    @property
    def interval(self) -> Interval | None:
        """The interval of the mean at 95 %; None of one study, of dependent ones, and where a number is missing."""
        spread = self.spread
        if spread is None or self.mean is None:
            return None
        half = _student(len(self.values) - 1, LEVEL) * spread
        return _finite(max(self.mean - half, self.least), self.mean + half)

    @property
    def spread(self) -> float | None:
        """The standard error of the mean; None where there is no interval."""
        count, mean = len(self.values), self.mean
        if not self.independent or count < 2 or len(self.known) < count or mean is None:
            return None
        return math.hypot(*(value - mean for value in self.known)) / math.sqrt(count * (count - 1))


def difference(first: Sample, second: Sample, pairs: int = 1) -> Interval | None:
    """Return the interval of the second mean less the first, one of so many `pairs`; None where one has no spread."""
    one, two = first.spread, second.spread
    if one is None or two is None or first.mean is None or second.mean is None:
        return None
    apart, error = second.mean - first.mean, math.hypot(one, two)
    if error == 0:
        return _finite(apart, apart)
    shares = [((each / error) ** 4, len(sample.values) - 1) for each, sample in ((one, first), (two, second))]
    freedom = 1 / sum(share / count for share, count in shares)
    half = _student(freedom, 1 - (1 - LEVEL) / pairs) * error
    return _finite(apart - half, apart + half)


def told_apart(first: Sample, second: Sample, pairs: int = 1) -> bool:
    """Whether two means differ: neither their intervals overlap, nor does that of the difference hold zero."""
    one, two, apart = first.interval, second.interval, difference(first, second, pairs)
    if one is None or two is None or apart is None:
        return False
    return (one[1] < two[0] or two[1] < one[0]) and not apart[0] <= 0 <= apart[1]


def _finite(low: float, high: float) -> Interval | None:
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _student(freedom: float, level: float) -> float:
    from scipy.special import stdtrit  # type: ignore[import-untyped]

    return float(stdtrit(freedom, (1 + level) / 2))
