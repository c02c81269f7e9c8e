"""The JSON Schema of a study file, by which editors complete what people write, explain it, and mark what is wrong."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlflow_tune.spec.run import KINDS
from mlflow_tune.spec.study_file import StudySpec

DIALECT = "http://json-schema.org/draft-07/schema#"  # the newest that all editors know
FILE = "study.schema.json"  # what `init` calls it
# The first line of a study file that `init` wrote: an editor looks for the schema beside it. That needs no network, and
# holds wherever the two files are copied or cloned to, as no path of one machine would.
MODELINE = f"# yaml-language-server: $schema={FILE}\n"


def study_schema() -> dict[str, Any]:
    """Return the JSON Schema of a study file (draft 7, without references).

    It takes every file that `read_study_file` takes; but that also takes a few texts for truth values. It refuses
    keys that are unknown, doubled kinds, values of the wrong type or form. What depends on several keys, on the code
    or on the environment is told by the commands alone.
    """
    form = StudySpec.model_json_schema()
    found: dict[str, Any] = _inlined(form, form.pop("$defs"))
    run = found["properties"]["run"]
    del run["properties"]["objective"]  # which only Python gives
    run["oneOf"] = [_kind_form(kind) for kind in KINDS]
    return {"$schema": DIALECT, "title": "A study file of mlflow-tune", **found}


def schema_text() -> str:
    """Return the schema as the text of a file."""
    return f"{json.dumps(study_schema(), indent=2, ensure_ascii=False)}\n"


def write_beside(folder: Path) -> None:
    """Write the schema into the folder of a study file, unless one is there. Raises OSError."""
    with contextlib.suppress(FileExistsError), (folder / FILE).open("x", encoding="utf-8") as file:
        file.write(schema_text())


def _kind_form(kind: str) -> dict[str, Any]:
    """Return what holds of `run` when it runs this kind: the others are not there, nor what only a project has."""
    others: dict[str, Any] = {
        "entry_point": {"const": "main"},
        "version": {"type": "null"},
        "env_manager": {"const": "local"},
    }
    given = {kind: {"not": {"type": "null"}}}
    return {"required": [kind], "properties": given if kind == "project" else {**given, **others}}


def _inlined(form: Any, parts: Mapping[str, Any]) -> Any:
    """Return the form with each part in the place of its reference, and without the titles that pydantic makes up."""
    if isinstance(form, list):
        return [_inlined(each, parts) for each in form]
    if not isinstance(form, Mapping):
        return form
    if "$ref" in form:
        part = parts[form["$ref"].rpartition("/")[2]]
        form = {**part, **{key: value for key, value in form.items() if key != "$ref"}}
    return {
        key: _inlined(value, parts) for key, value in form.items() if not (key == "title" and isinstance(value, str))
    }
