"""Asynchronous successive halving in its stopping form.

Li et al., 2020, "A system for massively parallel hyperparameter tuning", https://arxiv.org/abs/1810.05934; the form
that stops instead of pausing is the one of Ray Tune and Syne Tune.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import ClassVar

from mlflow_tune.diagnosis.stopping.base import Course, Peers, Rule, Verdict
from mlflow_tune.diagnosis.stopping.options import read_count


@dataclass(frozen=True)
class Asha(Rule):
    """Stops a trial at a rung unless its value there is in the best 1/eta of all that reached the rung.

    Rungs stand after `first` x eta^k steps. The first trial to arrive at one passes, and so does each that is the best.
    """

    eta: int = 3
    """Of those that reach a rung, one in `eta` goes on; the next rung is `eta` times as far."""
    first: int = 1
    """After how many steps the first rung stands."""
    name: ClassVar[str] = "asha"

    def __post_init__(self) -> None:
        read_count(self, "eta", least=2)
        read_count(self, "first", least=1)

    def judge(self, course: Course, step: int, since: int, peers: Peers) -> Verdict | None:
        """Compare the values at a rung that the trial has reached since it was judged before."""
        rung = self._rung(step)
        if rung <= since:
            return None
        costs = peers.reached(step)
        place = bisect_left(costs, course.costs[step - 1]) + 1
        passing = max(1, (len(costs) + 1) // self.eta)
        if place <= passing:
            return None
        limit = costs[passing - 1]
        words = (
            f"{course.metric} was {course.values[step - 1]:.6g} at rung {rung}, place {place} of {len(costs) + 1} "
            f"there, and the best {passing} go on, up to {course.as_value(limit):.6g}"
        )
        return self._verdict(course, step, limit, words)

    def _rung(self, step: int) -> int:
        """Return the last rung at or before the step, 0 before the first one."""
        rung = self.first
        while rung * self.eta <= step:
            rung *= self.eta
        return rung if rung <= step else 0
