"""The percentile stopping rule: the median rule of Golovin et al. (2017) with a bar of one's own, on the values.

As Akiba et al. (2019), "Optuna", https://doi.org/10.1145/3292500.3330701, have it in their `PercentilePruner`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlflow_tune.diagnosis.stopping.base import Course, Peers, Rule, Verdict, curve_words
from mlflow_tune.diagnosis.stopping.options import read_number
from mlflow_tune.text import counted


@dataclass(frozen=True)
class Percentile(Rule):
    """Stops a trial whose best value up to a step is not among the best `keep` per cent of the values there.

    The values are those of the trials that trained to their end; without any of them it stops nothing.
    """

    keep: float = 50.0
    """The percentage of trials that a trial must be among to go on, by its best value so far."""
    name: ClassVar[str] = "percentile"

    def __post_init__(self) -> None:
        read_number(self, "keep", above=0, below=100)

    def judge(self, course: Course, step: int, since: int, peers: Peers) -> Verdict | None:
        """Compare the best value with the percentile of the values."""
        costs = peers.costs(step)
        low = course.lows[step - 1]
        if not costs:
            return None
        place = (len(costs) - 1) * self.keep / 100
        before, after = costs[int(place)], costs[min(int(place) + 1, len(costs) - 1)]
        part = place % 1
        limit = before + part * (after - before) if part else before
        if not low > limit:
            return None
        trials = counted(len(costs), "finished trial")
        bar = f"the best {self.keep:g} % of {trials} had {course.as_value(limit):.6g} there"
        return self._verdict(course, step, limit, f"{curve_words(course, step, low)}, and {bar}")
