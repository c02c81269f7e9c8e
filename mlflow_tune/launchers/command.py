"""Trials that are commands: a list of words, `{name}` standing for a parameter's value, and never a shell."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.base import Launcher, all_parameters, existing_folder, merged
from mlflow_tune.launchers.environment import base_environment, trial_variables
from mlflow_tune.launchers.process import Processes
from mlflow_tune.space import Scalar, Space
from mlflow_tune.text import unknown
from mlflow_tune.trial import Job, Outcome, Params

_PLACEHOLDER = re.compile(r"(?<!\$)\{([^{}]*)\}")  # `${HOME}` is for whoever runs a shell


class CommandLauncher(Launcher):
    """Runs `command` in `folder` for each trial.

    In every word `{name}` becomes the value of the parameter `name`; values are put in once, so braces in them stay.
    Other braces stay too (JSON, `${HOME}`), but a lone word in braces that is no parameter is refused by `check`.
    `timeout` is in seconds, `memory`, for the command and all its descendants, in bytes. Raises InputError when the
    command is empty or the folder does not exist.
    """

    def __init__(
        self,
        command: Sequence[str],
        parameters: Params | None = None,
        timeout: float | None = None,
        folder: str | Path = ".",
        memory: int | None = None,
    ) -> None:
        if not command or not command[0].strip():
            raise InputError("must be a list of words that begins with a program", "command")
        self._command = list(command)
        self._parameters = dict(parameters or {})
        self._timeout = timeout
        self._folder = existing_folder(folder)
        self._environment = base_environment()
        self._processes = Processes(memory)

    def check(self, space: Space) -> Params:
        """Raise InputError unless the program exists, every parameter has a placeholder and the reverse holds."""
        names = all_parameters(self._parameters, space)
        used = set(_placeholders(self._command))
        for word in used.difference(names):
            if word.isidentifier():
                hint = f"write {{ {word} }} with spaces if it is no parameter"
                raise InputError(f"{unknown('parameter', word, names)} ({hint})", "command")
        for name in names:
            if name not in used:
                kind = "fixed" if name in self._parameters else "searched"
                raise InputError(f"the {kind} parameter {name!r} is not used: {{{name}}} must stand in it", "command")
        self._check_program()
        return {}

    def _check_program(self) -> None:
        program = self._command[0]
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
        return self._processes.run(
            substitute(self._command, merged(self._parameters, job)),
            env={**self._environment, **trial_variables(job)},
            cwd=self._folder,
            timeout=self._timeout,
            trial=job.run_id,
        )

    def prune(self, run_id: str, grace: float) -> bool:
        """End the command of one trial."""
        self._processes.prune(run_id, grace)
        return True

    def stop(self) -> None:
        """Kill all that runs: those calls and all later ones return "interrupted"."""
        self._processes.stop()


def _placeholders(command: Sequence[str]) -> Iterator[str]:
    for word in command:
        yield from (match[1] for match in _PLACEHOLDER.finditer(word))


def substitute(command: Sequence[str], values: Mapping[str, Scalar]) -> list[str]:
    """Return the command with `{name}` replaced for the names in `values`, in one pass."""

    def value(match: re.Match[str]) -> str:
        return str(values[match[1]]) if match[1] in values else match[0]

    return [_PLACEHOLDER.sub(value, word) for word in command]
