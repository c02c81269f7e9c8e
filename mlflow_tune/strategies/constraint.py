"""What a trial must keep besides having a good value: a bound for a metric that it logs."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from mlflow_tune.errors import InputError
from mlflow_tune.text import number_text
from mlflow_tune.trial import Goal, Trial

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?"
_CONSTRAINT = re.compile(rf"\s*([\w\-.:/][\w\-. :/]{{0,239}}?)\s*([<>]=)\s*({_NUMBER})\s*")
_LONGEST = 300


@dataclass(frozen=True)
class Constraint:
    """A floor (`>=`) or a ceiling (`<=`) for a metric that the trials log; `bound` has the margin in it."""

    metric: str
    sense: Literal[">=", "<="]
    bound: float

    def __str__(self) -> str:
        return f"{self.metric} {self.sense} {self.bound:.12g}"

    @property
    def goal(self) -> Goal:
        """Which way is better for the metric."""
        return "maximize" if self.sense == ">=" else "minimize"

    def value(self, trial: Trial) -> float:
        """Return what was seen of the metric, NaN unless that is finite.

        It is the trial's `constraint` where the study logged it, because another step than the metric's last counts
        (`value: best`), else the metric itself.
        """
        found = trial.metrics.get("constraint", trial.metrics.get(self.metric, math.nan))
        return found if math.isfinite(found) else math.nan

    def shortfall(self, value: float) -> float:
        """Return by how much the value misses the bound: 0 or less when it keeps it."""
        return self.bound - value if self.sense == ">=" else value - self.bound

    def text(self, trial: Trial) -> str:
        """Return what was seen of the metric, marked where it breaks the bound; empty while the trial runs."""
        if trial.outcome != "ok":
            return ""
        value = self.value(trial)
        seen = "none" if math.isnan(value) else number_text(value)
        return seen if self.is_met(trial) else f"{seen} (not met)"

    def named_text(self, trial: Trial) -> str:
        """Return the same after the metric's name, as `recall=0.9 (not met)`."""
        seen = self.text(trial)
        return f"{self.metric}={seen}" if seen else ""

    def is_met(self, trial: Trial) -> bool:
        """Return whether the trial ended well and keeps the bound; one without a finite value does not."""
        return trial.outcome == "ok" and self.shortfall(self.value(trial)) <= 0


def parse_constraint(text: object, margin: float = 0.0) -> Constraint:
    """Return the constraint that `recall >= 0.95` describes, tightened by `margin`; it is parsed, never evaluated.

    Raises `InputError` with the key `constraint` for anything else.
    """
    match = _CONSTRAINT.fullmatch(text) if isinstance(text, str) and len(text) <= _LONGEST else None
    if match is None or not math.isfinite(float(match[3])):
        raise InputError(
            f"a metric, >= or <=, and a number, as in 'recall >= 0.95', must be given: {text!r}", "constraint"
        )
    # In decimals, since 0.9 + 0.05 is more than 0.95 in binary.
    slack = Decimal(repr(margin))
    if match[2] == ">=":
        return Constraint(match[1], ">=", float(Decimal(match[3]) + slack))
    return Constraint(match[1], "<=", float(Decimal(match[3]) - slack))
