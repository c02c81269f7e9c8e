"""Why no rule can ever stop a trial of a study: said after its first trial, and not when the budget is spent."""

from __future__ import annotations

from collections.abc import Collection

from mlflow_tune.diagnosis.stopping.watch import Terms
from mlflow_tune.text import counted, nearest
from mlflow_tune.trial import Curve


def why_blind(metric: str, curve: Curve, logged: Collection[str], number: int, terms: Terms) -> str:
    """Return in words why no rule could have stopped a trial that trained to its end, "" when one could.

    `curve` is what it logged of the metric, a point for each value, `logged` the names of all that it logged.
    """
    steps = len({step for step, _ in curve})
    log = f"log it after each epoch, by mlflow.log_metric({metric!r}, value, step=epoch)"
    why = ""
    if metric not in logged:
        near = nearest(metric, logged)
        hint = f"did you mean {near!r}?" if near else f"it logged {', '.join(sorted(logged)) or 'nothing'}"
        why = f"trial {number} did not log {metric!r}; {hint}"
    elif len(curve) < 2:
        why = f"trial {number} gave {metric!r} once, at its end: {log}"
    elif steps < 2:
        why = f"trial {number} logged {metric!r} {len(curve)} times, all at step {curve[0][0]}: {log}"
    elif steps <= max(terms.after, terms.every):
        asked = f"after: {terms.after}" if terms.after >= steps else f"every: {terms.every}"
        why = f"trial {number} has only {counted(steps, 'step')} of {metric!r}, and stop_trials says {asked}"
    return f"stop_trials can stop nothing: {why}" if why else ""
