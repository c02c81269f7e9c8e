"""A comparison as a table: for people, for a spreadsheet, for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlflow_tune.report.comparison.comparison import Comparison, Entrant, Group
from mlflow_tune.report.comparison.statistics import Sample
from mlflow_tune.report.comparison.words import (
    findings,
    mean_text,
    sentences,
    target_reason,
    value_text,
)
from mlflow_tune.text import Cell, columns_csv, count_text, hours_text

HEADINGS = ("study or group", "strategy", "studies", "trials", "best", "trials to target", "steps", "time", "failures")


def rows(comparison: Comparison) -> list[tuple[bool, Group]]:
    """Return the rows of the table: each group, followed by its studies where it has several (marked True)."""
    found = []
    for group in comparison.groups:
        found.append((False, group))
        if len(group.members) > 1:
            found += [(True, _alone(member)) for member in group.members]
    return found


def _alone(entrant: Entrant) -> Group:
    """Return a study as a group of its own."""
    return Group(entrant.name, (entrant,), entrant.called)


def cells(comparison: Comparison, group: Group) -> list[str]:
    """Return the cells under `HEADINGS` of a group, or of one study as a group of its own."""
    courses = [member.course for member in group.members]
    reached = comparison.to_target(group)
    return [
        group.called,
        group.strategy,
        str(len(courses)),
        _range([course.trials for course in courses]),
        _best_cell(comparison.best(group)),
        "" if comparison.target is None else _reached_cell(reached),
        _steps_cell(comparison.steps(group)),
        mean_text(comparison.hours(group), hours_text),
        str(sum(course.failures for course in courses)),
    ]


def comparison_csv(comparison: Comparison) -> str:
    """Return the table as CSV, numbers in full: a row a group and a row a study; what there is not is empty."""
    kinds = [("group", group) for group in comparison.groups]
    kinds += [("study", _alone(member)) for member in comparison.entrants]
    found = [_numbers(comparison, kind, group) for kind, group in kinds]
    return columns_csv({name: [row[name] for row in found] for name in found[0]})


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """Return all that is shown as one JSON object; hours are hours, intervals `[low, high]` at 95 %, null for none."""
    return {
        "metric": comparison.metric,
        "goal": comparison.goal,
        "target": comparison.target,
        "target_given": comparison.given,
        "target_reason": target_reason(comparison),
        "sentences": sentences(comparison),
        "findings": findings(comparison),
        "groups": [_group_json(comparison, group) for group in comparison.groups],
        "studies": [_study_json(comparison, entrant) for entrant in comparison.entrants],
    }


def _group_json(comparison: Comparison, group: Group) -> dict[str, Any]:
    return {
        "label": group.label,
        "strategy": group.strategy,
        "options": group.members[0].options,
        "run_ids": [member.run_id for member in group.members],
        "trials": sum(member.course.trials for member in group.members),
        "failures": sum(member.course.failures for member in group.members),
        "best": _sample_json(comparison.best(group)),
        "best_after": {"trials": comparison.shared, **_sample_json(comparison.best(group, comparison.shared))},
        "trials_to_target": _sample_json(comparison.to_target(group)),
        "steps": _sample_json(comparison.steps(group)),
        "hours": _sample_json(comparison.hours(group)),
    }


def _study_json(comparison: Comparison, entrant: Entrant) -> dict[str, Any]:
    course, alone = entrant.course, _alone(entrant)
    return {
        "study": entrant.name,
        "run_id": entrant.run_id,
        "experiment_id": entrant.experiment_id,
        "state": entrant.state,
        "strategy": entrant.strategy,
        "options": entrant.options,
        "seed": entrant.seed,
        "trials": course.trials,
        "failures": course.failures,
        "steps": entrant.steps,
        "hours": course.hours,
        "best": entrant.best,
        "trials_to_target": comparison.to_target(alone).values[0],
        "best_by_trials": [list(step) for step in course.by_trial],
        "best_by_hours": [list(step) for step in course.by_hour],
    }


def _sample_json(sample: Sample) -> dict[str, Any]:
    return {
        "mean": sample.mean,
        "interval": sample.interval and list(sample.interval),
        "known": len(sample.known),
        "studies": len(sample.values),
    }


def _numbers(comparison: Comparison, kind: str, group: Group) -> dict[str, Cell]:
    best, reached = comparison.best(group), comparison.to_target(group)
    steps, hours = comparison.steps(group), comparison.hours(group)
    return {
        "kind": kind,
        "label": group.label,
        "strategy": group.strategy,
        "seed": group.members[0].seed if kind == "study" else None,
        "studies": len(group.members),
        "trials": sum(member.course.trials for member in group.members),
        "best": best.mean,
        **_ends("best", best),
        "target": comparison.target,
        "reached": len(reached.known),
        "trials_to_target": reached.mean,
        **_ends("trials_to_target", reached),
        "steps": steps.mean,
        "hours": hours.mean,
        "failures": sum(member.course.failures for member in group.members),
        "run_id": group.members[0].run_id if kind == "study" else None,
    }


def _ends(name: str, sample: Sample) -> dict[str, Cell]:
    low, high = sample.interval or (None, None)
    return {f"{name}_low": low, f"{name}_high": high}


def _best_cell(sample: Sample) -> str:
    missing = len(sample.values) - len(sample.known)
    if not sample.known:
        return "no value"
    return mean_text(sample, value_text) + (f" (no value in {missing} of {len(sample.values)})" if missing else "")


def _reached_cell(sample: Sample) -> str:
    """Return the mean only where all reached the target: of those that did it would flatter the group."""
    if len(sample.known) == len(sample.values):
        return mean_text(sample, count_text)
    return "not reached" if len(sample.values) == 1 else f"reached by {len(sample.known)} of {len(sample.values)}"


def _steps_cell(sample: Sample) -> str:
    return mean_text(sample, count_text) if len(sample.known) == len(sample.values) else ""


def _range(counts: Sequence[int]) -> str:
    return str(counts[0]) if min(counts) == max(counts) else f"{min(counts)} to {max(counts)}"
