"""A finding: what a learning curve shows, in figures and in words; and its way in and out of one MLflow tag."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Literal, TypeAlias, get_args

from mlflow_tune.text import json_number, rounded

FindingName: TypeAlias = Literal[
    "diverged", "unstable", "not-learning", "overfitting", "still-improving", "plateaued", "too-little-evidence"
]
MOST_CHARACTERS = 2000
LONGEST_TEXT = 1000
LARGEST_STEP = 2**63


@dataclass(frozen=True)
class Finding:
    """What one rule found in the curves of a trial.

    `steps` are the first and the last step that it rests on, `figures` the numbers of the text by name. `text` is one
    English sentence with the metric, the steps and the figures.
    """

    name: FindingName
    metric: str
    steps: tuple[int, ...]
    text: str
    figures: Mapping[str, float] = field(default_factory=dict)


def findings_to_json(findings: Iterable[Finding]) -> str:
    """Return JSON of less than `MOST_CHARACTERS`; the least serious findings are left out when they are many."""
    forms = [_to_form(finding) for finding in findings]
    while len(text := json.dumps(forms, ensure_ascii=False, allow_nan=False, separators=(",", ":"))) >= MOST_CHARACTERS:
        forms.pop()
    return text


def findings_from_json(text: str) -> list[Finding]:
    """Return the findings of a tag. What is not of this form is left out: the server may hold anything."""
    forms: object = None
    with suppress(ValueError, RecursionError):
        forms = json.loads(text)
    return [
        finding for form in (forms if isinstance(forms, list) else []) if (finding := _sound_finding(form)) is not None
    ]


def _to_form(finding: Finding) -> dict[str, object]:
    figures = {name: json_number(rounded(value, 6)) for name, value in finding.figures.items()}
    return asdict(finding) | {"text": finding.text[:LONGEST_TEXT], "figures": figures}


def _sound_finding(form: object) -> Finding | None:
    with suppress(KeyError, TypeError, ValueError, AttributeError, OverflowError):
        if form["name"] in get_args(FindingName):  # type: ignore[index]
            return _from_form(form)  # type: ignore[arg-type]
    return None


def _from_form(form: Mapping[str, object]) -> Finding:
    steps = tuple(int(step) for step in form["steps"])  # type: ignore[attr-defined]
    if any(abs(step) > LARGEST_STEP for step in steps):
        raise ValueError("MLflow has no such steps")
    figures = {str(name): float(value) for name, value in form["figures"].items()}  # type: ignore[attr-defined]
    return Finding(form["name"], str(form["metric"]), steps, str(form["text"]), figures)  # type: ignore[arg-type]
