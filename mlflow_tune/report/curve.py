"""The best-so-far curve, as metric points of the parent run."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_tune.trial import Goal, Trial, best_trial


def best_curve(history: Sequence[Trial], goal: Goal) -> list[tuple[int, float, int]]:
    """Return (trial number, best value up to it, time in ms) for the trials before the first unfinished one.

    A trial that still runs holds back the points after it, so that no point ever changes: written again, from this
    process or another, the curve is the same.
    """
    points: list[tuple[int, float, int]] = []
    best: Trial | None = None
    latest = 0
    for trial in sorted(history, key=lambda trial: trial.number):
        if not trial.done:
            break
        best = best_trial([*([best] if best else []), trial], goal)
        latest = max(latest, trial.end_time or 0)
        if best is not None and best.value is not None:
            points.append((trial.number, best.value, latest))
    return points
