"""Two rules at once, for `auto`: what is safe from the one is seen by the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlflow_tune.diagnosis.stopping.base import Course, Peers, Rule, Verdict


@dataclass(frozen=True)
class Joined(Rule):
    """Stops a trial that either of two rules stops; the verdict is that of the rule, the first one before the other."""

    first: Rule
    second: Rule
    name: ClassVar[str] = "joined"

    def judge(self, course: Course, step: int, since: int, peers: Peers) -> Verdict | None:
        """Ask the first rule, and where it lets the trial go on, the second."""
        return self.first.judge(course, step, since, peers) or self.second.judge(course, step, since, peers)

    @property
    def label(self) -> str:
        """Both rules with their options: `asha(eta=3, first=4) or extrapolate(probability=0.05)`."""
        return f"{self.first.label} or {self.second.label}"
