"""The command of a W&B sweep as that of a study: its macros become words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft.parameter import Parameter
from mlflow_tune.spec.draft.sweeps.distributions import Converted
from mlflow_tune.text import shown

_DEFAULT = ("${env}", "${interpreter}", "${program}", "${args}")
_MACRO = re.compile(r"\$\{([^}]*)\}")
_WITHOUT_FLAGS = "the command has no ${args}, so the parameters are given as flags: wandb.config is not there to read"


def command_words(
    given: Any, program: str | None, parameters: Mapping[str, Converted]
) -> tuple[list[str | Parameter], list[str]]:
    """Return the words of the command, the parameters among them, and what of it does not carry over.

    Raises InputError when the sweep says neither command nor program, and for a command that is no list.
    """
    words = list(_DEFAULT) if given is None else given
    if not isinstance(words, list) or not all(isinstance(word, str | int | float) for word in words):
        raise InputError(f"must be a list of words, but got {shown(words)}", "command")
    if program is None and any("${program}" in str(word) for word in words):
        raise InputError("the sweep names no program: say which script it runs", "program")
    found: list[str | Parameter] = []
    left: list[str] = []
    for word in words:
        _add(str(word), program, parameters, found, left)
    if parameters and not any(isinstance(word, Parameter) or _names_one(word, parameters) for word in found):
        left.append(_WITHOUT_FLAGS)
        found += _flags(parameters, "${args}")
    return found, left


def _add(
    word: str, program: str | None, parameters: Mapping[str, Converted], found: list[str | Parameter], left: list[str]
) -> None:
    if word in ("${args}", "${args_no_hyphens}", "${args_no_boolean_flags}"):
        found += _flags(parameters, word)
    elif word == "${args_json}":
        found.append(_json(parameters))
    elif word != "${env}":
        plain = word.replace("${interpreter}", "python").replace("${program}", program or "")
        if macro := _MACRO.search(plain):
            left.append(f"command: {macro[0]} has no counterpart, so the word {word} is left out")
        elif plain:
            found.append(plain)


def _flags(parameters: Mapping[str, Converted], macro: str) -> list[Parameter]:
    return [_flag(name, found, macro) for name, found in parameters.items()]


def _flag(name: str, found: Converted, macro: str) -> Parameter:
    values = found.form.get("values", [found.value]) if found.form else [found.value]
    switch = macro == "${args_no_boolean_flags}" and all(isinstance(value, bool) for value in values)
    flag = name if macro == "${args_no_hyphens}" else f"--{name}"
    words: Sequence[str] = (flag, f"{{{name}}}") if switch and "low" not in found.form else (f"{flag}={{{name}}}",)
    return Parameter(name, required=not found.form, words=words)


def _names_one(word: str, parameters: Mapping[str, Converted]) -> bool:
    return any(f"{{{name}}}" in word for name in parameters)


def _json(parameters: Mapping[str, Converted]) -> str:
    parts = []
    for name, found in parameters.items():
        values = found.form.get("values", [0]) if found.form else [found.value]
        quotes = '"' if any(isinstance(value, str) for value in values) else ""
        parts.append(f'"{name}": {quotes}{{{name}}}{quotes}')
    return "{" + ", ".join(parts) + "}"
