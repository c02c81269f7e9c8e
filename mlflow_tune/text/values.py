"""The values of parameters: Python's own in place of NumPy's, and the one text by which each is kept and told apart."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

Scalar: TypeAlias = bool | int | float | str
Value: TypeAlias = Scalar | list[Scalar] | None


def plain(value: Any) -> Any:
    """Return Python's own scalar or list for one of NumPy's, or of whatever else has `tolist`; all else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def plain_value(value: Any) -> Any:
    """Return Python's own scalar or list for one of NumPy's, or for a tuple."""
    value = plain(value)
    return [plain(each) for each in value] if isinstance(value, list | tuple) else value


def value_text(value: object) -> str:
    """Return the text of a value, as MLflow keeps it: a scalar's own, the JSON of null and of a list."""
    if value is None or isinstance(value, list | tuple):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def is_same(value: object, other: object) -> bool:
    """Whether two values are of one type and equal: True is not 1, and 1 is not 1.0, in lists neither."""
    return type(value) is type(other) and value_text(value) == value_text(other)


def spellings(value: Value) -> list[str]:
    """Return the texts that people and programs write for the value, its own first: `null`, None; `[1, 2]`, (1, 2)."""
    found = [value_text(value), str(value)]
    if value is None or isinstance(value, bool):
        found.append(json.dumps(value))
    if isinstance(value, list):
        found += [json.dumps(value, ensure_ascii=False, separators=(",", ":")), str(tuple(value))]
    return list(dict.fromkeys(found))


def copied(value: Value) -> Value:
    """Return the value, a list as a new one: whoever gets it may change it."""
    return list(value) if isinstance(value, list) else value
