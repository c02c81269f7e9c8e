"""What is wrong with a study file, in plain words: from what pydantic found to the key, the rule and the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from mlflow_tune.errors import InputError
from mlflow_tune.text import nearest, shown

Parts = Mapping[str, type[BaseModel]]


def faults_of(error: ValidationError, parts: Parts) -> list[InputError]:
    """Return each fault that pydantic found, with the path to its key.

    `parts` are the models of a study by the key that they stand under; the study's own stands under an empty one.
    """
    details = error.errors()
    told = (_fault(detail, parts) for detail in details if not _misspelt(detail, details, parts))
    return [fault for error in told for fault in error.faults]


def _fault(detail: ErrorDetails, parts: Parts) -> InputError:
    key = ".".join(str(part) for part in detail["loc"])
    cause = detail.get("ctx", {}).get("error")
    if isinstance(cause, InputError):
        return cause.under(key) if key else cause
    if detail["type"] == "extra_forbidden":
        return InputError(_unknown(detail["loc"], parts), key)
    return InputError(_words(detail, parts), key)


def _words(detail: ErrorDetails, parts: Parts) -> str:
    got = shown(detail["input"])
    context = detail.get("ctx", {})
    if detail["type"] == "missing":
        return "the key is missing"
    if detail["type"] == "invalid_key":
        return "a key must be text"
    if detail["type"] == "literal_error":
        return f"must be {context['expected']}, but got {got}"
    if detail["type"] == "greater_than_equal":
        return f"must be at least {context['ge']}, but got {got}"
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        return f"must be a mapping with keys such as {', '.join(_keys(detail['loc'], parts)[:4])}, but got {got}"
    return f"{detail['msg']}, but got {got}"


def _keys(location: tuple[int | str, ...], parts: Parts) -> list[str]:
    model = parts.get(str(location[0]), parts[""])
    return [name for name in model.model_fields if name != "objective"]


def _unknown(location: tuple[int | str, ...], parts: Parts) -> str:
    key = str(location[-1])
    known = _keys(location, parts)
    elsewhere = (f"{place}.{key}".strip(".") for place, model in parts.items() if key in model.model_fields)
    if close := next(elsewhere, None) or nearest(key, known):
        return f"unknown key; did you mean {close!r}?"
    return f"unknown key; known are {', '.join(known)}"


def _misspelt(detail: ErrorDetails, details: Sequence[ErrorDetails], parts: Parts) -> bool:
    """Whether a key is missing only because it is misspelt, which the error for the unknown key tells."""
    *above, name = detail["loc"] or ("",)
    unknown = [other["loc"] for other in details if other["type"] == "extra_forbidden"]
    return detail["type"] == "missing" and any(
        [*above] == [*loc[:-1]] and nearest(str(loc[-1]), _keys(loc, parts)) == name for loc in unknown
    )
