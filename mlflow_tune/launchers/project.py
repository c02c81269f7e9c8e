"""Trials that run an entry point of an MLflow project, without a second `mlflow` beside the driver."""

from __future__ import annotations

import tempfile
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from mlflow_tune.errors import InputError
from mlflow_tune.launchers import mlproject
from mlflow_tune.launchers.base import all_parameters, existing_folder, merged
from mlflow_tune.launchers.environment import trial_variables
from mlflow_tune.launchers.mlproject import EntryPoint
from mlflow_tune.launchers.output import REASON_LENGTH
from mlflow_tune.launchers.process import STUDY_STOPPED, ProcessLauncher
from mlflow_tune.launchers.refusal import told
from mlflow_tune.launchers.slots import Slots
from mlflow_tune.space import Choice, Dimension, Float, Scalar, Space, Value
from mlflow_tune.space.declared import DeclaredParameter
from mlflow_tune.text import as_number, cut, short, unknown, value_text
from mlflow_tune.trial import Job, Outcome, Params


class ProjectLauncher(ProcessLauncher):
    """Runs `entry_point` of the project `project`: a folder (relative to `folder`) or a git URI, `URI#subfolder` too.

    The project is fetched once and its environment is built once (`env_manager` "uv"; "local" uses the one that is
    there). A parameter that is null is left out, so that the project's own default holds. Parameters of type `path` are
    relative to `folder`, their declared defaults to the project. `timeout` is in seconds, `memory`, for the command and
    all its descendants, in bytes. Raises InputError when `folder` does not exist.
    """

    def __init__(
        self,
        project: str,
        entry_point: str = "main",
        parameters: Params | None = None,
        env_manager: Literal["local", "uv"] = "local",
        timeout: float | None = None,
        folder: str | Path = ".",
        version: str | None = None,
        memory: int | None = None,
        slots: Slots | None = None,
    ) -> None:
        super().__init__(memory, slots)
        self._project = project
        self._entry_point_name = entry_point
        self._version = version
        self._parameters = dict(parameters or {})
        self._env_manager = env_manager
        self._timeout = timeout
        self._folder = existing_folder(folder)
        self._lock = threading.Lock()
        self._temporary = tempfile.TemporaryDirectory(prefix="mlflow-tune-", ignore_cleanup_errors=True)
        self._loaded: EntryPoint | None = None
        self._activate: str | None = None

    def _entry_point(self) -> EntryPoint:
        with self._lock:
            if self._loaded is None:
                into = Path(self._temporary.name) / "project"
                root = mlproject.fetch(self._project, self._version, self._folder, into)
                self._loaded = mlproject.entry_point(root, self._entry_point_name)
            return self._loaded

    @property
    def root(self) -> Path:
        """The folder in which the project lies, fetched if need be."""
        return self._entry_point().folder

    @property
    def local_paths(self) -> list[str]:
        """The fixed parameters that name a file or folder relative to the study's folder."""
        paths = [each.name for each in self._entry_point().declared.values() if each.type == "path"]
        texts = {name: value_text(self._parameters[name]) for name in paths if name in self._parameters}
        return [name for name, text in texts.items() if "://" not in text and not Path(text).is_absolute()]

    def check(self, space: Space) -> Params:
        """Return the declared defaults, as numbers where numbers are declared.

        InputError unless the entry point exists and takes these parameters and their values.
        """
        entry_point = self._entry_point()
        names = all_parameters(self._parameters, space)
        if not entry_point.bare:
            self._check_declared(entry_point, names)
        for each in entry_point.declared.values():
            if each.name in space:
                _check_dimension(each, space[each.name])
            elif each.name in self._parameters:
                self._check_value(each, self._parameters[each.name], f"parameters.{each.name}")
            elif each.default is None:
                raise InputError(
                    f"the entry point {entry_point.name!r} needs {each.name!r}, a {each.type}",
                    "parameters",
                )
        self._try_command(entry_point, space)
        declared = entry_point.declared.values()
        return {each.name: _typed_value(each, each.default) for each in declared if each.default is not None}

    def _check_declared(self, entry_point: EntryPoint, names: list[str]) -> None:
        known = entry_point.declared
        for name in names:
            if name not in known:
                key = f"parameters.{name}" if name in self._parameters else f"space.{name}"
                hint = unknown("parameter", name, known) if known else "it declares none"
                raise InputError(f"the entry point {entry_point.name!r} does not declare it; {hint}", key)

    def _check_value(self, declared: DeclaredParameter, value: Value, key: str) -> None:
        if problem := _problem(declared, value):
            raise InputError(problem, key)
        if declared.type == "path" and "://" not in str(value) and not (self._folder / str(value)).exists():
            raise InputError(f"there is no {str(self._folder / str(value))!r}", key)

    def _try_command(self, entry_point: EntryPoint, space: Space) -> None:
        values = {**self._parameters, **{name: dimension.from_unit(0.5) for name, dimension in space.items()}}
        try:
            entry_point.command(self._texts(entry_point, values), storage=None)
        except Exception as error:
            message = f"the command of {entry_point.name!r} cannot be made: {type(error).__name__}: {error}"
            raise InputError(short(message, REASON_LENGTH), "entry_point") from error

    def _texts(self, entry_point: EntryPoint, values: Params) -> dict[str, str]:
        """Return all values as MLflow wants them: as text, local paths absolute; without those that are null."""
        texts = {name: value_text(value) for name, value in values.items() if value is not None}
        for each in entry_point.declared.values():
            if each.type != "path":
                continue
            base = self._folder if each.name in texts else entry_point.folder
            text = texts.get(each.name, str(each.default))
            texts[each.name] = text if "://" in text else str(base / text)
        return texts

    def prepare(self) -> None:
        """Fetch the project and build its environment; InputError, key `env_manager`, when that fails."""
        entry_point = self._entry_point()
        if self._env_manager == "uv" and self._activate is None:
            self._activate = mlproject.build_environment(entry_point.folder, self._environment["PATH"])

    def __call__(self, job: Job) -> Outcome:
        """Run the entry point's command: exit code 0 is "ok", anything else "failed"."""
        if self._processes.stopped:
            return STUDY_STOPPED
        # where MLflow puts what parameters of type `path` name remotely
        with tempfile.TemporaryDirectory(dir=self._temporary.name, ignore_cleanup_errors=True) as storage:
            try:
                self.prepare()
                entry_point = self._entry_point()
                texts = self._texts(entry_point, merged(self._parameters, job))
                command = entry_point.command(texts, Path(storage))
            except Exception as error:
                return Outcome("failed", reason=cut(f"{type(error).__name__}: {error}", REASON_LENGTH))
            outcome = self._processes.run(
                ["bash", "-c", f"{self._activate} && {command}" if self._activate else command],
                env={**self._environment, **trial_variables(job)},
                cwd=entry_point.folder,
                timeout=self._timeout,
                trial=job.run_id,
            )
            return told(outcome, job, entry_point.folder, command.split())

    def close(self) -> None:
        """Remove what was fetched."""
        self._temporary.cleanup()


def _check_dimension(declared: DeclaredParameter, dimension: Dimension) -> None:
    """Raise InputError, key `space.<name>`, unless all values of the dimension are of the declared type."""
    key = f"space.{declared.name}"
    if isinstance(dimension, Choice):
        for value in dimension.values:
            if problem := _problem(declared, value):
                raise InputError(problem, key)
    elif declared.type == "int" and isinstance(dimension, Float):
        raise InputError("the entry point declares an int, but the space has a Float: use an Int", key)
    elif declared.type in ("path", "uri") and not isinstance(dimension, Choice):
        raise InputError(f"the entry point declares a {declared.type}, but the space has numbers", key)


def _problem(declared: DeclaredParameter, value: Value) -> str:
    """Return in words why the value is not of the declared type, "" when it is. Null leaves the parameter out."""
    if value is None:
        return "" if declared.default is not None else "the entry point needs it, for it declares no default: not null"
    try:
        if declared.type == "float":
            as_number(value)
        elif declared.type == "int":
            int(value_text(value))  # what the script will do with the text that it gets
    except (InputError, ValueError):
        return f"the entry point declares {'an int' if declared.type == 'int' else 'a float'}, but got {value!r}"
    if declared.type == "uri" and not mlproject.is_uri(value):
        return f"the entry point declares a uri, but got {value!r}"
    return ""


def _typed_value(declared: DeclaredParameter, value: Any) -> Scalar:
    """Return the value as the declared type, or as it stands when it is not of that type."""
    kinds: dict[str, type[float]] = {"float": float, "int": int}
    if declared.type in kinds:
        with suppress(TypeError, ValueError):
            return kinds[declared.type](value)
    return value if isinstance(value, bool | int | float | str) else str(value)
