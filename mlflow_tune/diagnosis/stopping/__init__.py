"""Rules that stop a trial whose learning curve is hopeless: pure functions of curves, replayed before they act.

A new rule is a `Rule` in a file of its own, and a line in `RULES`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mlflow_tune.diagnosis.stopping.asha import Asha
from mlflow_tune.diagnosis.stopping.base import Course, Peers, Rule, Verdict, course_of
from mlflow_tune.diagnosis.stopping.diverged import Diverged
from mlflow_tune.diagnosis.stopping.extrapolate import Extrapolate
from mlflow_tune.diagnosis.stopping.median import Median
from mlflow_tune.diagnosis.stopping.patience import Patience
from mlflow_tune.diagnosis.stopping.percentile import Percentile
from mlflow_tune.diagnosis.stopping.watch import Terms, Watch
from mlflow_tune.errors import InputError
from mlflow_tune.text import shown
from mlflow_tune.text.named import made, options_of

__all__ = [
    "RULES",
    "Asha",
    "Course",
    "Diverged",
    "Extrapolate",
    "Median",
    "Patience",
    "Peers",
    "Percentile",
    "Rule",
    "Terms",
    "Verdict",
    "Watch",
    "course_of",
    "make_rule",
    "rule_to_json",
]

RULES: dict[str, type[Rule]] = {
    kind.name: kind
    for kind in (
        Median,
        Percentile,
        Asha,
        Patience,
        Diverged,
        Extrapolate,
    )
}
_WRITTEN = re.compile(r"\s*([a-z]+)\s*(?:\((.*)\))?\s*")


def make_rule(value: object) -> Rule:
    """Return the rule that `asha`, `asha(eta=3, first=1)` or `{name: asha, eta: 3}` describes.

    Options left out have their defaults. Raises `InputError`, whose key is the culprit, for an unknown name or option
    and for a value out of range; all such faults are told at once.
    """
    options = _written(value) if isinstance(value, str) else value
    if not isinstance(options, Mapping) or "name" not in options:
        raise InputError(f"must be a rule such as asha or {{name: asha, eta: 3}}, but got {shown(value)}")
    return made(RULES, "rule", options)


def rule_to_json(rule: Rule) -> dict[str, Any]:
    """Return the options that `make_rule` reads back to an equal rule, defaults included."""
    return {"name": rule.name, **{option: getattr(rule, option) for option in options_of(rule)}}


def _written(text: str) -> dict[str, object]:
    """Return the options of a rule that was written as `name` or `name(option=value, ...)`."""
    match = _WRITTEN.fullmatch(text)
    if match is None:
        raise InputError(f"must be a rule such as asha or asha(eta=3), but got {shown(text)}")
    name, inner = match.groups()
    found: dict[str, object] = {"name": name}
    for part in filter(None, (each.strip() for each in (inner or "").split(","))):
        option, equals, number = part.partition("=")
        if not equals:
            raise InputError(f"an option is written as in asha(eta=3), but got {part!r}")
        found[option.strip()] = number.strip()
    return found
