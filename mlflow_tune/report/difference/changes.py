"""Two trials held against each other: what was changed, and what that did to the metric."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_tune.space import Value
from mlflow_tune.text import factor_text, is_number, number_text, param_of, value_text
from mlflow_tune.trial import Goal, Params, Trial


@dataclass(frozen=True)
class Change:
    """One parameter's values in an earlier and a later trial, None where a trial lacks it.

    `texts` are the values as people read them, `null` for one that is null, empty where a trial lacks it.
    """

    name: str
    before: Value
    after: Value
    texts: tuple[str, str]

    @property
    def factor(self) -> float | None:
        """The later value as a multiple of the earlier, None unless both are positive numbers."""
        numbers = [float(value) for value in (self.before, self.after) if is_number(value) and float(value) > 0]
        return numbers[1] / numbers[0] if len(numbers) == 2 else None


def changes(before: Params, after: Params) -> list[Change]:
    """Return the parameters whose values differ, in the order of the later trial."""
    names = dict.fromkeys([*after, *before])
    return [change_of(name, before, after) for name in names if _exact(before, name) != _exact(after, name)]


def change_of(name: str, before: Params, after: Params) -> Change:
    """Return a parameter's values in two points."""
    return Change(name, before.get(name), after.get(name), (param_of(before, name), param_of(after, name)))


def _exact(params: Params, name: str) -> str | None:
    return value_text(params[name]) if name in params else None


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
    before, after = change.texts
    return f"{change.name} {before or 'none'} → {after or 'none'}{factor}"
