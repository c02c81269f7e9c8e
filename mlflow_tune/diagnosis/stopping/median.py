"""The median stopping rule (Golovin et al., 2017, "Google Vizier", section 3.2, https://doi.org/10.1145/3097983.3098043)."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import ClassVar

from mlflow_tune.diagnosis.stopping.base import Course, Peers, Rule, Verdict, curve_words
from mlflow_tune.text import counted


@dataclass(frozen=True)
class Median(Rule):
    """Stops a trial whose best value up to a step is worse than the median of the running averages there.

    The averages are those of the trials that trained to their end; without any of them it stops nothing.
    """

    name: ClassVar[str] = "median"

    def judge(self, course: Course, step: int, since: int, peers: Peers) -> Verdict | None:
        """Compare the best value with the median of the running averages."""
        means = peers.means(step)
        low = course.lows[step - 1]
        if not means or not low > (limit := median(means)):
            return None
        average = (
            f"{course.as_value(limit):.6g} is the median of the averages of {counted(len(means), 'finished trial')}"
        )
        return self._verdict(course, step, limit, f"{curve_words(course, step, low)}, and {average}")
