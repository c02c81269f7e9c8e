"""The page about one trial: how it ended, against the best and the one before, its diagnosis, what to change next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlflow_tune.diagnosis import Neighbours, diagnosis_lines, findings_from_json, neighbours, suggestions
from mlflow_tune.report.difference.changes import against
from mlflow_tune.report.table import seconds_of
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.display.tables import found_text, outcome_text, trial_json
from mlflow_tune.text import point_text, seconds_text, trial_label
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console


def advice(spec: StudySpec, trial: Trial, history: Sequence[Trial]) -> list[str]:
    """Return what one might change next, but for what the other trials speak against."""
    known = spec.strategy.eligible(history)
    own = next((each for each in known if each.number == trial.number), trial)

    def seen(name: str) -> Neighbours | None:
        return neighbours(own, known, spec.goal, name)

    return suggestions(findings_from_json(trial.diagnosis), spec.space, trial.params, seen)


def page_json(spec: StudySpec, trial: Trial, history: Sequence[Trial]) -> dict[str, Any]:
    """Return the page for programs."""
    return {
        **trial_json(trial),
        "findings": [finding.text for finding in findings_from_json(trial.diagnosis)],
        "against": _comparisons(spec, trial, history),
        "suggestions": advice(spec, trial, history),
    }


def print_page(console: Console, spec: StudySpec, trial: Trial, history: Sequence[Trial]) -> None:
    """Print the page for people."""
    time = seconds_text(seconds_of(trial))
    console.print(f"\n{outcome_text(trial)}  {found_text(spec, trial)}  {point_text(trial.trained_with)}  ({time})")
    for label, words in _comparisons(spec, trial, history).items():
        console.print(f"  {label}: {words}")
    for line in diagnosis_lines(trial):
        console.print(f"  diagnosis: {line}")
    for line in advice(spec, trial, history):
        console.print(f"  next: {line}")


def _comparisons(spec: StudySpec, trial: Trial, history: Sequence[Trial]) -> dict[str, str]:
    """Return what was changed since the best of the others and since the one before, and what that did."""
    others = [other for other in history if other.number != trial.number]
    best = spec.best(others)
    before = max((other for other in others if other.number < trial.number), key=lambda t: t.number, default=None)
    found = {}
    if best is not None:
        found[f"against the best of the others ({trial_label(best.number)})"] = against(
            trial, best, spec.metric, spec.goal
        )
    if before is not None and before is not best:
        found[f"against the one before ({trial_label(before.number)})"] = against(trial, before, spec.metric, spec.goal)
    return found
