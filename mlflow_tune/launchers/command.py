"""Trials that are commands: a list of words, `{name}` standing for a parameter's value, and never a shell.

A list within it is a group of words that goes by a parameter's value: `["--amp", "{amp}"]`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.base import all_parameters, existing_folder, merged
from mlflow_tune.launchers.environment import trial_variables
from mlflow_tune.launchers.process import ProcessLauncher
from mlflow_tune.launchers.refusal import told
from mlflow_tune.launchers.slots import Slots
from mlflow_tune.space import Space, Value
from mlflow_tune.text import unknown, value_text
from mlflow_tune.trial import SEED, Job, Outcome, Params

Command: TypeAlias = Sequence[str | Sequence[str]]
_PLACEHOLDER = re.compile(r"(?<!\$)\{([^{}]*)\}")  # `${HOME}` is for whoever runs a shell


class CommandLauncher(ProcessLauncher):
    """Runs `command` in `folder` for each trial.

    In every word `{name}` becomes the value of the parameter `name`, null and a list as JSON; values are put in once,
    so braces in them stay. A list of words is a group: it is left out when a value in it is false or null; true gives
    its words without the value, and a list gives a word for each element. Other braces stay too (JSON, `${HOME}`), but
    a lone word in braces that is no parameter is refused by `check`. `timeout` is in seconds, `memory`, for the command
    and all its descendants, in bytes. Raises InputError when the command is empty or the folder does not exist.
    """

    def __init__(
        self,
        command: Command,
        parameters: Params | None = None,
        timeout: float | None = None,
        folder: str | Path = ".",
        memory: int | None = None,
        slots: Slots | None = None,
    ) -> None:
        super().__init__(memory, slots)
        if not command or not isinstance(command[0], str) or not command[0].strip():
            raise InputError("must be a list of words that begins with a program", "command")
        self._program = command[0]
        self._command = list(command)
        self._parameters = dict(parameters or {})
        self._timeout = timeout
        self._folder = existing_folder(folder)

    def check(self, space: Space) -> Params:
        """Raise InputError unless the program exists, every parameter has a placeholder and the reverse holds."""
        names = all_parameters(self._parameters, space)
        used = set(_placeholders(words_of_command(self._command)))
        if SEED in used and SEED not in names:
            names.append(SEED)  # each trial brings its own
        for word in used.difference(names):
            if word.isidentifier():
                hint = f"write {{ {word} }} with spaces if it is no parameter"
                raise InputError(f"{unknown('parameter', word, names)} ({hint})", "command")
        for name in names:
            if name not in used:
                kind = "fixed" if name in self._parameters else "searched"
                raise InputError(f"the {kind} parameter {name!r} is not used: {{{name}}} must stand in it", "command")
        for group in self._command:
            if not isinstance(group, str) and not any(_placeholders(group)):
                raise InputError(f"a list within it needs a parameter to go by, but got {list(group)}", "command")
        self._check_program()
        return {}

    def _check_program(self) -> None:
        program = self._program
        if any(_placeholders([program])):
            return
        path = self._folder / program
        if os.sep not in program:
            if not shutil.which(program, path=self._environment.get("PATH")):
                raise InputError(f"the program {program!r} is not found on PATH", "command")
        elif not path.is_file():
            raise InputError(f"there is no program {str(path)!r}", "command")
        elif not os.access(path, os.X_OK):
            raise InputError(f"{str(path)!r} is not executable: put its interpreter first, or chmod +x it", "command")

    def __call__(self, job: Job) -> Outcome:
        """Run the command: exit code 0 is "ok", anything else "failed" with the last lines that it printed."""
        words = substitute(self._command, merged(self._parameters, job))
        environment = {**self._environment, **trial_variables(job)}
        outcome = self._processes.run(words, env=environment, cwd=self._folder, timeout=self._timeout, trial=job.run_id)
        return told(outcome, job, self._folder, words)


def words_of_command(command: Command) -> list[str]:
    """Return all words of a command, those of its groups among them."""
    return [word for part in command for word in ([part] if isinstance(part, str) else part)]


def _placeholders(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        yield from (match[1] for match in _PLACEHOLDER.finditer(word))


def substitute(command: Command, values: Params) -> list[str]:
    """Return the words of the command with `{name}` replaced for the names in `values`, in one pass."""
    found: list[str] = []
    for part in command:
        if isinstance(part, str):
            found.append(_filled(part, values))
        elif not any(name in values and _is_off(values[name]) for name in _placeholders(part)):
            found += [word for each in part for word in _words(each, values)]
    return found


def _is_off(value: Value) -> bool:
    return value is None or value is False


def _filled(word: str, values: Params) -> str:
    def value(match: re.Match[str]) -> str:
        return value_text(values[match[1]]) if match[1] in values else match[0]

    return _PLACEHOLDER.sub(value, word)


def _words(word: str, values: Params) -> list[str]:
    """Return what a word of a group becomes: none for true (or the word before its `=`), one an element of a list."""
    names = [name for name in _placeholders([word]) if name in values]
    for name in names:
        value = values[name]
        if value is True:
            bare = _filled(word, {name: ""}).removesuffix("=")
            return _words(bare, values) if bare else []
        if isinstance(value, list):
            return [each for element in value for each in _words(word, {**values, name: str(element)})]
    return [_filled(word, values)]
