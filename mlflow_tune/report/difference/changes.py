"""Two trials held against each other: what was changed, and what that did to the metric."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_tune.space import Scalar
from mlflow_tune.text import factor_text, is_number, number_text, param_text
from mlflow_tune.trial import Goal, Params, Trial


@dataclass(frozen=True)
class Change:
    """One parameter's values in an earlier and a later trial, None where a trial lacks it."""

    name: str
    before: Scalar | None
    after: Scalar | None

    @property
    def factor(self) -> float | None:
        """The later value as a multiple of the earlier, None unless both are positive numbers."""
        numbers = [float(value) for value in (self.before, self.after) if is_number(value) and float(value) > 0]
        return numbers[1] / numbers[0] if len(numbers) == 2 else None


def changes(before: Params, after: Params) -> list[Change]:
    """Return the parameters whose values differ, in the order of the later trial."""
    names = dict.fromkeys([*after, *before])
    pairs = [Change(name, before.get(name), after.get(name)) for name in names]
    return [change for change in pairs if str(change.before) != str(change.after)]


def against(trial: Trial, other: Trial, metric: str, goal: Goal) -> str:
    """Return in one sentence what was changed since `other`, and what that did to the metric."""
    words = ", ".join(map(_changed, changes(other.params, trial.params))) or "nothing was changed"
    if trial.value is None or other.value is None:
        lacking = trial if trial.value is None else other
        return f"{words}; trial {lacking.number} has no value to compare"
    values = f"{number_text(other.value)} → {number_text(trial.value)}"
    return f"{words}; {metric} {values}, {_verdict(trial.value, other.value, goal)}"


def _verdict(value: float, before: float, goal: Goal) -> str:
    gain = (before - value) if goal == "minimize" else (value - before)
    if gain == 0:
        return "the same"
    share = f" ({abs(gain / before):.1%})" if before else ""
    return f"{'better' if gain > 0 else 'worse'} by {abs(gain):.4g}{share}"


def _changed(change: Change) -> str:
    factor = "" if change.factor is None else f" ({factor_text(change.factor)})"
    return f"{change.name} {param_text(change.before) or 'none'} → {param_text(change.after) or 'none'}{factor}"
