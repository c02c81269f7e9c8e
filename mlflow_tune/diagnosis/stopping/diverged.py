"""Training that has blown up, as the diagnosis of learning curves finds it: it never comes back.

With too large a learning rate gradient descent raises the training error (Goodfellow et al., 2016, "Deep Learning",
section 11.4.1, https://www.deeplearningbook.org).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mlflow_tune.diagnosis.evidence import gather_evidence
from mlflow_tune.diagnosis.rules import diverged
from mlflow_tune.diagnosis.stopping.base import Course, Peers, Rule, Verdict


@dataclass(frozen=True)
class Diverged(Rule):
    """Stops a trial of which a curve is NaN or infinite, or whose training loss is far above guessing, or grew."""

    name: ClassVar[str] = "diverged"
    absolute: ClassVar[bool] = True

    def judge(self, course: Course, step: int, since: int, peers: Peers) -> Verdict | None:
        """Diagnose the curves as far as they are known; what was logged beside the metric counts at its last step."""
        beside = course.beside if step == len(course) else {}
        own = list(enumerate(course.values[:step], start=1))
        known, evidence = gather_evidence({**beside, course.metric: own}, course.metric, course.goal)
        found = diverged(known, evidence)
        if found is None:
            return None
        return self._verdict(course, step, None, found.text.removeprefix("diverged").strip(": "))
