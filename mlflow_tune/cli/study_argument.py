"""The argument STUDY: from what a person writes, a run id, a name or a study file, to the study."""

from __future__ import annotations

import inspect
import logging
import os
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from mlflow_tune.cli.common import Command, Common
from mlflow_tune.cli.completion import FILES, complete_study
from mlflow_tune.errors import InputError, StudyNotFound
from mlflow_tune.spec.study_file import StudySpec, read_study_file
from mlflow_tune.study.study import Study
from mlflow_tune.tracking import Client, Studies, StudyRecord, experiment_name, public_uri

logger = logging.getLogger(__name__)
DESCRIPTION = """\
STUDY is a run id, a name (the newest study of that name), or a study file: a word that ends in .yaml or .yml stands
for the newest study with the file's `name` in its `experiment`."""


def study_argument(name: str = "study", **options: Any) -> Callable[[Command], Command]:
    """Return the decorator that gives a command the argument STUDY, and its help the paragraph on it."""

    def decorated(command: Command) -> Command:
        command.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n{DESCRIPTION}"
        return click.argument(name, shell_complete=complete_study, **options)(command)

    return decorated


def find_study(study: str, common: Common, folder: Path | None = None) -> Study:
    """Return the study of this run id, name or file, as the tracking server holds it.

    `folder` is where its code lies, when that is not where it was. A file that says otherwise than the study that it
    began is told of in a warning. Raises StudyNotFound, InputError (a file that cannot be read, a name that several
    experiments have), TrackingError.
    """
    client = Client(common.tracking_uri, only_read=True)
    record, spec = _found(study, common, client)
    loaded = Study.recorded(record, client, tracking_uri=common.tracking_uri, folder=folder)
    if spec is not None and _essence(spec) != _essence(loaded.spec):
        logger.warning("%s has changed since its study began; the study goes on as it began", study)
    return loaded


def find_record(study: str, common: Common, client: Client) -> StudyRecord:
    """Return the study as `find_study` finds it, without a look at what it is made of. Raises as that does."""
    return _found(study, common, client)[0]


def _found(study: str, common: Common, client: Client) -> tuple[StudyRecord, StudySpec | None]:
    """Return the study, and what its file says where one was given."""
    if is_file(study):
        spec = file_spec(study, common)
        if (record := newest(spec, client)) is None:
            raise _not_started(study, spec, common, client.uri)
        return record, spec
    try:
        return Studies(client).find(study, common.experiment), None
    except StudyNotFound as error:
        if os.path.isfile(study):  # noqa: PTH113  Path.is_file raises for a name that is too long for a file
            raise StudyNotFound(f"{error}; the name of a study file ends in {' or '.join(FILES)}") from None
        raise


def _not_started(file: str, spec: StudySpec, common: Common, asked: str) -> StudyNotFound:
    where = experiment_name(spec.experiment) or os.environ["MLFLOW_EXPERIMENT_ID"]
    command = run_command(file, common.tracking_uri, common.experiment)
    return StudyNotFound(
        f"no study is named {spec.name!r} in the experiment {where!r} at {public_uri(asked)}; start it with `{command}`"
    )


def run_command(file: str | Path, tracking_uri: str | None, experiment: str | None = None) -> str:
    """Return the command that starts the study of a file, on this server and in this experiment where one is given."""
    words = ["mlflow-tune", "run", str(file)]
    words += ["--tracking-uri", public_uri(tracking_uri)] if tracking_uri else []
    words += ["--experiment", experiment] if experiment else []
    return shlex.join(words)


def is_file(study: str) -> bool:
    """Whether STUDY is the path of a study file."""
    return study.endswith(FILES)


def file_spec(study: str, common: Common) -> StudySpec:
    """Return what the study file says, in the experiment of the command line where one is given. Raises InputError."""
    try:
        return read_study_file(Path(study), {"experiment": common.experiment} if common.experiment else {})
    except InputError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            hint = "a study whose own name ends like this is given by its run id, which `mlflow-tune list` shows"
            raise InputError(f"{error}; {hint}") from None
        raise


def newest(spec: StudySpec, client: Client) -> StudyRecord | None:
    """Return the newest study of this name in its experiment, None when there is none."""
    studies = Studies(client)
    experiment_id = studies.experiment(spec.experiment)
    records = studies.within([experiment_id] if experiment_id else [])
    return next((each for each in reversed(records) if each.name == spec.name), None)


def _essence(spec: StudySpec) -> dict[str, Any]:
    """Return what of a definition makes the study: not its budget, nor the defaults that its code declares."""
    form = spec.model_dump(mode="json")
    space = {name: {**dimension, "default": None} for name, dimension in form["space"].items()}
    return {"metric": spec.metric, "goal": spec.goal, "run": form["run"], "space": space}
