"""The table of a study file's keys in its document: `python -m tests.support.study_keys` writes it from the models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mlflow_tune.spec.confirm import ConfirmSpec
from mlflow_tune.spec.run import RunSpec
from mlflow_tune.spec.stop_trials import StopTrials
from mlflow_tune.spec.stopping import StopRules
from mlflow_tune.spec.study_file import ExecutorSpec, StudySpec
from mlflow_tune.text.durations import duration_text
from tests.fixtures import ROOT

DOCUMENT = ROOT / "mlflow_tune" / "spec" / "README.md"
BEGIN, END = "<!-- keys -->\n", "<!-- /keys -->"
PARTS: dict[str, type[BaseModel]] = {
    "run": RunSpec,
    "stop": StopRules,
    "stop_trials": StopTrials,
    "executor": ExecutorSpec,
    "confirm": ConfirmSpec,
}
FROM_PYTHON = {"run.objective"}  # a study file may not give it
DURATIONS = {"stop_trials.grace"}


def rows() -> Iterator[tuple[str, str, str]]:
    """Yield key, meaning and default of all that a study file may say, in the order of the models."""
    for name, field in StudySpec.model_fields.items():
        yield name, _meaning(field), _default(name, field)
        for inner, below in PARTS[name].model_fields.items() if name in PARTS else ():
            if (key := f"{name}.{inner}") not in FROM_PYTHON:
                yield key, _meaning(below), _default(key, below)


def table() -> str:
    """Return the table, as it belongs between the marks."""
    lines = [f"| `{key}` | {meaning} | {default} |" for key, meaning, default in rows()]
    return "\n".join(["| key | meaning | default |", "| --- | --- | --- |", *lines, ""])


def written() -> str:
    """Return the table as the document holds it."""
    return DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def _meaning(field: FieldInfo) -> str:
    said = re.sub(r"\s+", " ", field.description or "").replace("|", "\\|")
    values = [f"`{value}`" for value in get_args(field.annotation) if get_origin(field.annotation) is Literal]
    return said if not values or values[0] in said else f"{said} Either {' or '.join(values)}."


def _default(key: str, field: FieldInfo) -> str:
    value = field.default
    if value is PydanticUndefined:
        return "required"
    if value is None or isinstance(value, BaseModel) or value == {}:
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{duration_text(value) if key in DURATIONS else value}`"


if __name__ == "__main__":
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(text.replace(BEGIN + written() + END, BEGIN + table() + END), encoding="utf-8")
