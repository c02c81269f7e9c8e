"""MLflow projects, read through MLflow's own code: the only file that uses these internals of mlflow.projects.

`tests/launchers/test_launchers.py` pins what is used: `load_project`, `EntryPoint.compute_command`,
`Project.get_entry_point`, `_parse_subdirectory`, `_fetch_git_repo`, `_create_virtualenv` and what goes with it.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.output import REASON_LENGTH, last_lines
from mlflow_tune.space.declared import DeclaredParameter
from mlflow_tune.text import short, unknown
from mlflow_tune.text.redaction import without_credentials

_SCRIPTS = (".py", ".sh", ".R")


class EntryPoint:
    """One entry point of a project in a local folder; a bare script declares nothing and takes any parameter.

    `template` is its command, with `{name}` where a parameter's value goes.
    """

    def __init__(self, folder: Path, name: str, mlflow_entry_point: Any, bare: bool) -> None:
        self.folder = folder
        self.name = name
        self.bare = bare
        self.template = str(mlflow_entry_point.command)
        self.declared = {
            each.name: DeclaredParameter(each.name, str(each.type), each.default)
            for each in mlflow_entry_point.parameters.values()
        }
        self._entry_point = mlflow_entry_point

    def command(self, values: Mapping[str, str], storage: Path | None) -> str:
        """Return the shell command with the values quoted in it.

        What `path` parameters name remotely is downloaded to `storage`, unless that is None. Raises what MLflow
        raises, for instance when the command has braces that name no parameter.
        """
        return str(self._entry_point.compute_command(dict(values), str(storage) if storage else None))


def fetch(uri: str, version: str | None, folder: Path, into: Path) -> Path:
    """Return the local folder of a project: one below `folder`, or a git repository cloned to `into`.

    A version of a local repository is cloned too: MLflow would check it out in the folder that people work in.
    InputError, key `project` or `version`, when there is no such project.
    """
    from mlflow.projects import utils

    from mlflow_tune.spec.fields import as_project  # it brings pydantic, which no worker process needs

    try:
        as_project(uri)
    except InputError as error:
        raise error.under("project") from None
    base, _, subfolder = uri.partition("#")
    local = folder / Path(base).expanduser()
    if version is not None and version.startswith("-"):  # git would take it for an option
        raise InputError(f"must be a branch, a tag or a commit, but got {version!r}", "version")
    if local.exists() and version is None:
        found = local / subfolder
    elif local.exists() and not (local / ".git").exists() and not (local / "HEAD").is_file():
        raise InputError("only a project of a git URI has versions, or a folder that is a git repository", "version")
    else:
        if "://" not in base and "@" not in base and not local.exists():
            raise InputError(f"there is no folder {str(local)!r}, and {uri!r} is no git URI", "project")
        try:
            base, subfolder = utils._parse_subdirectory(uri)
            utils._fetch_git_repo(str(local.absolute()) if local.exists() else base, version, str(into))
        except Exception as error:  # GitPython has many
            told = without_credentials(last_lines(str(error).encode()))  # git may have them from its configuration
            raise InputError(f"cannot fetch {uri!r}: {told}", "project") from error
        found = into / subfolder
    if not found.is_dir():
        raise InputError(f"{uri!r} has no folder {subfolder!r}" if subfolder else f"{uri!r} is no folder", "project")
    return found.absolute()


def entry_point(folder: Path, name: str) -> EntryPoint:
    """Return an entry point of the project in `folder`; InputError when it cannot be read or has none of that name."""
    project = _load(folder)
    if project.docker_env or project.databricks_spark_job_spec:
        raise InputError("projects that run in Docker or on Databricks are not supported", "project")
    names = list(project._entry_points)
    bare = name not in names
    if bare and not (Path(name).suffix in _SCRIPTS and (folder / name).is_file()):
        known = [*names, *sorted(path.name for path in folder.iterdir() if path.suffix in _SCRIPTS)]
        if not known:
            raise InputError(f"{str(folder)!r} has neither an MLproject file with entry points nor a script", "project")
        raise InputError(unknown("entry point", name, known), "entry_point")
    found = project.get_entry_point(name)
    for parameter in found.parameters:
        if not isinstance(parameter, str):  # YAML reads `no` as false, for one
            message = f"the MLproject file declares a parameter {parameter!r} that is no text: put its name in quotes"
            raise InputError(message, "entry_point")
    return EntryPoint(folder, name, found, bare)


def project_name(uri: str, folder: Path) -> str:
    """Return the name that the project fetched to `folder` gives itself, else that of its folder or repository.

    InputError, key `project`, when its MLproject file cannot be read.
    """
    base, _, subfolder = uri.partition("#")
    given = str(_load(folder).name or "")
    in_uri = re.split(r"[/:]", (subfolder or base).rstrip("/"))[-1].removesuffix(".git")
    return given or (in_uri if in_uri.strip(".") else folder.resolve().name)


def _load(folder: Path) -> Any:
    from mlflow.projects import utils

    try:
        return utils.load_project(str(folder))
    except Exception as error:  # MLflow does not check the form of an MLproject file
        message = f"cannot read the MLproject file of {str(folder)!r}: {type(error).__name__}: {error}"
        raise InputError(short(message, REASON_LENGTH), "project") from error


def is_uri(value: object) -> bool:
    """Return whether MLflow takes the value for a parameter of type `uri`."""
    from mlflow.utils import data_utils

    return bool(data_utils.is_uri(str(value)))


_building = threading.Lock()


def build_environment(folder: Path, path: str) -> str:
    """Build the project's environment by uv, unless it is there, and return the shell command that activates it.

    `uv` is looked up on `path`. InputError, key `env_manager`, when that fails.
    """
    if not shutil.which("uv", path=path):
        raise InputError("uv is not found on PATH; `pip install uv` brings it", "env_manager")
    from mlflow.utils import virtualenv

    with _building, _path(path):
        python_env = _python_env(folder)
        env_dir = Path(virtualenv._get_mlflow_virtualenv_root()) / virtualenv._get_virtualenv_name(python_env, folder)
        existed = env_dir.exists()
        try:
            return str(
                virtualenv._create_virtualenv(
                    local_model_path=folder,
                    python_env=python_env,
                    env_dir=env_dir,
                    env_manager="uv",
                    capture_output=True,
                )
            )
        except BaseException as error:
            if not existed:  # MLflow takes any folder of that name for a finished environment
                shutil.rmtree(env_dir, ignore_errors=True)
            if not isinstance(error, Exception):
                raise
            lines = last_lines(str(error).encode(), count=8, limit=1000)
            raise InputError(f"the project's environment cannot be built: {lines}", "env_manager") from error


def _python_env(folder: Path) -> Any:
    from mlflow.projects import env_type
    from mlflow.utils.environment import _PythonEnv

    project = _load(folder)
    if not project.env_config_path:
        return _PythonEnv()
    if project.env_type == env_type.CONDA:
        return _PythonEnv.from_conda_yaml(project.env_config_path)
    return _PythonEnv.from_yaml(project.env_config_path)


@contextmanager
def _path(path: str) -> Iterator[None]:
    """Set PATH: MLflow hands `uv venv` this process's variables and no others."""
    before = os.environ.get("PATH")
    os.environ["PATH"] = path
    try:
        yield
    finally:
        if before is None:
            del os.environ["PATH"]
        else:
            os.environ["PATH"] = before
