"""The lines of a drafted study file: code with a comment beside it, and values as YAML on one line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mlflow_tune.text import escaped
from mlflow_tune.text.redaction import without_credentials

_COLUMN = 48
_WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null", "none"}


def line(code: str, comment: str) -> str:
    """Return a line of the file: the code, and what it means."""
    return f"{code:<{_COLUMN}}  # {escaped(without_credentials(comment))}"


def flow(form: Mapping[str, object]) -> str:
    """Return the mapping as YAML on one line."""
    return "{" + ", ".join(f"{key}: {scalar(value)}" for key, value in form.items()) + "}"


def scalar(value: object) -> str:
    """Return the value as YAML on one line that any reader reads back to the same, within braces too."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return re.sub(r"e([-+])0(?=\d)", r"e\1", repr(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"[{', '.join(map(scalar, value))}]"
    return flow(value) if isinstance(value, Mapping) else _text(str(value))


def _text(text: str) -> str:
    if re.fullmatch(r"[A-Za-z_][\w./-]*", text, re.ASCII) and text.lower() not in _WORDS_OF_YAML:
        return text
    return '"' + escaped(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'
