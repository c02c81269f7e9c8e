"""What the readers of scripts have in common: what a script takes on its command line, and which command is meant."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft.parameter import Parameter
from mlflow_tune.text import unknown

NOT_WRITTEN = "its default is not written out"
DEFAULT_ENTRY_POINT = "main"
_USUAL_COMMANDS = ("train", "fit", "run", "main")


@dataclass(frozen=True)
class Interface:
    """What follows the script in its command: words as they are, and parameters. `hint` declares one, as an example.

    `command` is the function of the command that was chosen, where it is known: what that logs comes first.
    """

    words: Sequence[str | Parameter]
    hint: str
    command: ast.AST | None = None


def chosen_command(names: Iterable[str], entry_point: str, script: str) -> str:
    """Return which of a script's commands is meant. Raises InputError, key `entry_point`, when that cannot be told."""
    known = list(dict.fromkeys(names))
    if entry_point in known:
        return entry_point
    if entry_point != DEFAULT_ENTRY_POINT:
        raise InputError(unknown("command", entry_point, known), "entry_point")
    usual = [name for name in _USUAL_COMMANDS if name in known]
    if len(known) == 1 or usual:
        return (usual or known)[0]
    raise InputError(f"{script} has the commands {', '.join(known)}: say which by -e NAME", "entry_point")


def one_word(flag: str, name: str) -> tuple[str, ...]:
    """Return the word that gives a flag its value: in one, so that a negative number is no flag of its own."""
    return (f"{flag}={{{name}}}",)


def two_words(flag: str, name: str) -> tuple[str, ...]:
    """Return the words that give a flag its values, or leave it out."""
    return flag, f"{{{name}}}"


def positional(name: str) -> tuple[str, ...]:
    """Return the word that gives a positional argument its value."""
    return (f"{{{name}}}",)


def stem(flag: str) -> str:
    """Return the name that a flag gives its parameter: `--no-amp` is `no_amp`."""
    return flag.lstrip("-").replace("-", "_")


def long_flag(flags: Sequence[str]) -> str:
    """Return the first of a parameter's flags that has two dashes, else the first."""
    return next((flag for flag in flags if flag.startswith("--")), flags[0])


def positional_first(parameters: Sequence[Parameter]) -> list[Parameter]:
    """Return the positional parameters before the flags, so that a flag with several values takes none of them."""
    return sorted(parameters, key=lambda each: not (each.words and each.words[0].startswith("{")))


def switch(name: str, on: str, off: str, default: Any) -> Parameter:
    """Return a switch, whose flag is the one of the two that changes its default."""
    if not default:
        return Parameter(name, "bool", False, words=two_words(on, name))
    if not off:
        return Parameter(name, "bool", stays="it is on, and nothing turns it off")
    return Parameter(stem(off), "bool", False, words=two_words(off, stem(off)))
