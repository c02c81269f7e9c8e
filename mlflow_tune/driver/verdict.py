"""What an attempt is worth: from its exit and its metrics to the outcome and the value that strategies see."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlflow_tune.strategies import reserved_names
from mlflow_tune.trial import Goal, Outcome, is_finite


def verdict(
    outcome: Outcome, metrics: Mapping[str, float], metric: str, constrained: str | None = None
) -> tuple[Outcome, float | None]:
    """Return the final outcome and the value of `metric`, None unless the outcome is "ok".

    `constrained` is the metric that a constraint of the study is about: it must be there and finite as well.
    """
    if outcome.kind != "ok":
        return outcome, None
    for name in (metric, constrained or metric):
        if name not in metrics:
            return replace(outcome, kind="failed", reason=_missing(metrics, name)), None
        value = metrics[name]
        if not is_finite(value):
            shown = value if math.isnan(value) else math.copysign(math.inf, value)
            return replace(outcome, kind="not-finite", reason=f"the metric {name!r} is {shown}"), None
    return outcome, metrics[metric]


def without_reserved(outcome: Outcome, ours: Mapping[str, float], logged: Mapping[str, float]) -> Outcome:
    """Return the outcome, failed when the training code returned or logged a metric that bears one of our names.

    `ours` are the metrics that the study wrote before the trial, `logged` what the run holds after it.
    """
    changed = {name for name, value in logged.items() if value != ours.get(name)}
    taken = sorted((changed | set(outcome.metrics)).intersection(reserved_names()))
    if outcome.kind != "ok" or not taken:
        return outcome
    reason = f"the training code gave a metric named {taken[0]!r}, which is reserved: log it under another name"
    return replace(outcome, kind="failed", reason=reason, metrics={})


def best_of_curve(curve: Sequence[tuple[int, float]], goal: Goal) -> float:
    """Return the best finite value of a learning curve of (step, value), NaN when it has none."""
    finite = [value for _, value in curve if is_finite(value)]
    return (min if goal == "minimize" else max)(finite, default=math.nan)


def _missing(metrics: Mapping[str, float], metric: str) -> str:
    reserved = reserved_names()
    logged = sorted(key for key in metrics if key not in reserved and not key.startswith("log10_"))
    if not logged:
        return f"the metric {metric!r} was not logged, nor was any other"
    return f"the metric {metric!r} was not logged; logged were {', '.join(map(repr, logged[:20]))}"
