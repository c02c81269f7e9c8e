"""Curves over the trials, as metric points of the parent run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile
from typing import TypeAlias

from mlflow_tune.trial import Goal, Trial, best_trial

Point: TypeAlias = tuple[int, float, int]


def best_curve(history: Sequence[Trial], goal: Goal) -> list[Point]:
    """Return (trial number, best value up to it, time in ms) for the trials before the first unfinished one.

    A trial that still runs holds back the points after it, so that no point ever changes: written again, from this
    process or another, the curve is the same.
    """
    points: list[Point] = []
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


def count_curves(history: Sequence[Trial]) -> dict[str, list[Point]]:
    """Return how many trials had ended well and otherwise after each, as points like those of `best_curve`.

    Those that were stopped are counted apart, from the first of them on.
    """
    curves: dict[str, list[Point]] = {"trials_ok": [], "trials_failed": []}
    good = pruned = latest = 0
    done = takewhile(lambda trial: trial.done, sorted(history, key=lambda trial: trial.number))
    for count, trial in enumerate(done, start=1):
        good += trial.outcome == "ok"
        pruned += trial.outcome == "pruned"
        latest = max(latest, trial.end_time or 0)
        curves["trials_ok"].append((trial.number, good, latest))
        curves["trials_failed"].append((trial.number, count - good - pruned, latest))
        if pruned:
            curves.setdefault("trials_pruned", []).append((trial.number, pruned, latest))
    return curves


def new_points(points: Sequence[Point], step: int, value: float) -> list[Point]:
    """Return the points after the last one that was written, or that one where it ends the curve with another value."""
    after = [each for each in points if each[0] > step]
    return after or [each for each in points[-1:] if each[0] == step and each[1] != value]
