"""Early stopping by patience (Prechelt, 1998, "Early stopping - but when?", https://doi.org/10.1007/3-540-49430-8_3).

Prechelt's third class of criteria stops after so many strips of training without a gain; frameworks call it patience.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlflow_tune.diagnosis.stopping.base import Course, Peers, Rule, Verdict
from mlflow_tune.diagnosis.stopping.options import read_count
from mlflow_tune.text import counted


@dataclass(frozen=True)
class Patience(Rule):
    """Stops a trial that has not gained on its own best value for `steps` steps. It asks for no other trial."""

    steps: int = 10
    """For how many steps a trial may fail to improve on its own best value."""
    name: ClassVar[str] = "patience"

    def __post_init__(self) -> None:
        read_count(self, "steps", least=1)

    def judge(self, course: Course, step: int, since: int, peers: Peers) -> Verdict | None:
        """Look for a gain within the last steps."""
        before = step - self.steps
        if before < 1 or course.lows[step - 1] < course.lows[before - 1]:
            return None
        low = course.lows[before - 1]
        at = course.costs.index(low) + 1
        words = (
            f"{course.metric} has not got better than {course.as_value(low):.6g} (its step {at}) in "
            f"{counted(step - at, 'step')}, and is {course.values[step - 1]:.6g}"
        )
        return self._verdict(course, step, low, words)
