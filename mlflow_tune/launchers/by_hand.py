"""The command line that trains by hand what a trial of a study trained."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from keyword import iskeyword

from mlflow_tune.launchers.command import Command, substitute
from mlflow_tune.space import Value
from mlflow_tune.text import value_text


def command_by_hand(command: Command, values: Mapping[str, Value]) -> str:
    """Return a command with the values in its places."""
    return shlex.join(substitute(command, values))


def project_by_hand(project: str, entry_point: str, version: str | None, values: Mapping[str, Value]) -> str:
    """Return the command that runs an entry point of an MLflow project with the values."""
    given = [word for name, value in values.items() for word in ("-P", f"{name}={value_text(value)}")]
    entry = [] if entry_point == "main" else ["-e", entry_point]
    return shlex.join(["mlflow", "run", project, *entry, *(["--version", version] if version else []), *given])


def function_by_hand(function: str, values: Mapping[str, Value]) -> str:
    """Return the command that calls a function, `module:name`, with the values."""
    module, _, name = function.partition(":")
    return shlex.join(["python", "-c", f"import {module}; print({module}.{name}({_arguments(values)}))"])


def _arguments(values: Mapping[str, Value]) -> str:
    if all(name.isidentifier() and not iskeyword(name) for name in values):
        return ", ".join(f"{name}={value!r}" for name, value in values.items())
    return f"**{dict(values)!r}"
