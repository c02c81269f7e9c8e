"""The plugin by which MLflow's own command tunes a project as it stands.

    mlflow run PROJECT -b tune --backend-config study.json -P epochs=12

The config is a study file as JSON, without what the command line says: the project, its entry point (`-e`), version
(`-v`), environment manager (`--env-manager local` or `uv`) and fixed parameters (`-P`). Six more keys are known:
`study` names a YAML study file over which the other keys go (those of `run` and `stop` one by one); `resume` names a
study, by its run id or name, to go on with. Beside it `trials` is the new budget, `N` or `"+N"`, `train_on` lists
trials that are trained on first, for so many `epochs`, and `yes` says that what the study runs is approved, as the
options of `mlflow-tune resume` do. All paths are relative to the folder in which the command is typed. An experiment
other than MLflow's Default goes over the config's.

MLflow adds names of its own to the config (`RESERVED`) and writes over those that a person put there. Under
`mlflow run` the config is read again and such a name is refused; `mlflow.projects.run()` leaves nothing to read.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from mlflow.exceptions import ExecutionException
from mlflow.projects.backend.abstract_backend import AbstractBackend
from mlflow.projects.submitted_run import SubmittedRun

from mlflow_tune.cli.common import Common, console, set_up_logging
from mlflow_tune.driver.callbacks import Callback
from mlflow_tune.errors import InputError, StudyFailed, TrackingError, TuneError
from mlflow_tune.launchers import mlproject
from mlflow_tune.spec.run import RunSpec
from mlflow_tune.spec.study_file import StudySpec, parse_study, read_study_file
from mlflow_tune.study.approvals import approve, refuse_unapproved
from mlflow_tune.study.display.progress import screen_for
from mlflow_tune.study.display.summary import no_value_words, nothing_found, print_summary
from mlflow_tune.study.study import Study
from mlflow_tune.text import nearest, shown, unknown
from mlflow_tune.tracking import Client

RESERVED = ("ENV_MANAGER", "SYNCHRONOUS", "DOCKER_ARGS", "STORAGE_DIR", "build_image", "docker_auth")
_RESUME = ("resume", "trials", "train_on", "epochs", "yes")
_OPTIONS = {f"--{key.replace('_', '-')}": key for key in _RESUME}
_OF_THE_COMMAND_LINE = {
    "project": "the project comes from the command line, `mlflow run PROJECT`",
    "entry_point": "the entry point comes from the command line, `mlflow run PROJECT -e NAME`",
    "version": "the version comes from the command line, `mlflow run URI -v VERSION`",
    **dict.fromkeys(("command", "function", "objective"), "the backend tune runs the project of the command line"),
}


class StudyRun(SubmittedRun):  # type: ignore[misc]
    """A study that has finished, as MLflow wants it; `run_id` is its parent run."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id

    @property
    def run_id(self) -> str:
        """The MLflow run id of the study's parent run."""
        return self._run_id

    def wait(self) -> bool:
        """Return True: the study has finished."""
        return True

    def get_status(self) -> str:
        """Return MLflow's word for a run that has finished."""
        return "FINISHED"

    def cancel(self) -> None:
        """Do nothing: the study has finished."""


@dataclass(frozen=True)
class _Request:
    """What MLflow was asked to run, without the names that it adds to the config."""

    project: str
    entry_point: str
    version: str | None
    env_manager: str | None
    parameters: Mapping[str, Any]
    config: Mapping[str, Any]
    tracking_uri: str
    experiment: str | None  # None is MLflow's Default
    folder: Path


class TuneBackend(AbstractBackend):  # type: ignore[misc]
    """MLflow's project backend `tune`."""

    def run(
        self,
        project_uri: str,
        entry_point: str,
        params: Mapping[str, Any] | None,
        version: str | None,
        backend_config: Mapping[str, Any],
        tracking_uri: str,
        experiment_id: str,
    ) -> StudyRun:
        """Tune the project, to the study's end; its progress goes to standard output.

        MLflow never waits for a plugin's run under `mlflow run`, and a study that fails later would exit with 0: so
        this returns when the study has finished, whatever `synchronous` says.

        Raises:
            ExecutionException: The config is wrong, the tracking server is out of reach, or the study is aborted or
                was asked to stop: one message, for which `mlflow run` exits with 1.
            KeyboardInterrupt: A person pressed Ctrl-C; the study can be resumed.
            SystemExit: SIGTERM or SIGHUP came; the study can be resumed.
        """
        try:
            config = _checked(backend_config)
            request = _Request(
                project=str(project_uri),
                entry_point=entry_point,
                version=version,
                env_manager=backend_config.get("ENV_MANAGER"),
                parameters=params or {},
                config=config,
                tracking_uri=tracking_uri,
                experiment=_experiment(tracking_uri, experiment_id),
                folder=Path.cwd(),
            )
            study, action = _resumed(request) if "resume" in config else _new(request)
            _drive(study, action, tracking_uri)
        except TuneError as error:
            raise ExecutionException("; ".join(str(error).splitlines())) from None
        return StudyRun(study.run_id)


def _drive(study: Study, action: Callable[[Callback], Study], tracking_uri: str) -> None:
    shown_on = console(Common(tracking_uri, None, as_json=False))
    try:
        with (
            screen_for(shown_on, lambda: study.handle) as screen,
            suppress(StudyFailed),
        ):  # which is told below, in MLflow's way
            action(screen)
    except (KeyboardInterrupt, SystemExit):
        if study.ending is not None:
            print_summary(shown_on, study.handle, study.trials)
        raise
    except TrackingError as error:
        if study.started:
            raise ExecutionException(f"{error}; when it is back, go on by: {study.resume_command}") from None
        raise
    assert study.ending is not None
    print_summary(shown_on, study.handle, trials := study.trials)
    if study.ending.state != "finished":
        raise ExecutionException(f"the study {study.spec.name!r} is {study.ending.state} ({study.ending.why})")
    if nothing_found(trials):
        raise ExecutionException(f"the study {study.spec.name!r}: {no_value_words(study.spec.metric, trials)}")


# --- what was asked for ----------------------------------------------------------------------------------------------


def _checked(backend_config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the config without MLflow's names; InputError for what the backend cannot do."""
    if typed := _typed():
        set_up_logging(verbose=False)
        _refuse_reserved(typed.get("backend_config"))
        if typed.get("run_id"):
            raise InputError(
                'a study makes its own run; go on with one by {"resume": "<run id>"} in the config', "--run-id"
            )
    if (manager := backend_config.get("ENV_MANAGER")) not in (None, "local", "uv"):
        raise InputError(f"must be local or uv, but got {manager!r}", "--env-manager")
    if backend_config.get("DOCKER_ARGS") or backend_config.get("build_image"):
        raise InputError("projects that run in Docker are not supported; take -A and --build-image out")
    return {key: value for key, value in backend_config.items() if key not in RESERVED}


def _typed() -> dict[str, Any]:
    """Return the options of the `mlflow run` that this process is, {} when Python code called MLflow."""
    context = click.get_current_context(silent=True)
    options = context.params if context else {}
    return options if options.get("backend") == "tune" and "backend_config" in options else {}


def _refuse_reserved(typed: str | None) -> None:
    """Raise InputError when the config as a person wrote it, a `.json` file or JSON text, has a reserved name."""
    if typed is None:
        return
    found = json.loads(Path(typed).read_text(encoding="utf-8") if typed.endswith(".json") else typed)
    for key in RESERVED:
        if key in found:
            hint = " (--env-manager)" if key == "ENV_MANAGER" else ""
            raise InputError(f"MLflow writes its own value under this name{hint}; take it out of the config", key)


def _experiment(tracking_uri: str, experiment_id: str) -> str | None:
    if str(experiment_id) == "0":
        return None
    return str(Client(tracking_uri).send("get_experiment", str(experiment_id)).name)


# --- a new study -----------------------------------------------------------------------------------------------------


def _new(request: _Request) -> tuple[Study, Callable[[Callback], Study]]:
    spec = _spec(request)
    for name in request.parameters:
        if name in spec.space:
            raise InputError("the parameter is searched in space, so it cannot be fixed: take one out", f"-P {name}")
    run = {"parameters": {**spec.run.parameters, **request.parameters}}
    changes = {"run": spec.run.model_copy(update=run), "experiment": request.experiment or spec.experiment or "Default"}
    study = Study.of(spec.model_copy(update=changes), folder=request.folder, tracking_uri=request.tracking_uri)
    return study, lambda shown_on: study.run(quiet=True, callbacks=[shown_on])


def _spec(request: _Request) -> StudySpec:
    """Return the study of the config, over the study file that it may name."""
    config = dict(request.config)
    file = config.pop("study", None)
    run = config.pop("run", {})
    stop = config.get("stop")
    for key in config:
        if key not in StudySpec.model_fields and (close := nearest(key, ("study", "resume"))):
            raise InputError(f"unknown key; did you mean {close!r}?", key)
    _refuse_what_is_typed(run)
    run = {**run, "project": request.project, "entry_point": request.entry_point, "version": request.version}
    if request.env_manager:
        run["env_manager"] = request.env_manager
    if file is None:
        return parse_study({"name": _name(request) if "name" not in config else "", **config, "run": run})
    if not isinstance(file, str):
        raise InputError(f"must name a study file, but got {shown(file)}", "study")
    over = {**config, **{f"run.{key}": value for key, value in run.items()}}
    if isinstance(stop, Mapping):
        del over["stop"]
        over.update({f"stop.{key}": value for key, value in stop.items()})
    return read_study_file(request.folder / file, over)


def _refuse_what_is_typed(run: object) -> None:
    if not isinstance(run, Mapping):
        raise InputError(
            f"must be a mapping with keys such as parameters, timeout, retries, but got {shown(run)}", "run"
        )
    for key, words in _OF_THE_COMMAND_LINE.items():
        if key in run:
            raise InputError(f"{words}; take it out of the config", f"run.{key}")


def _name(request: _Request) -> str:
    with tempfile.TemporaryDirectory(prefix="mlflow-tune-", ignore_cleanup_errors=True) as temporary:
        try:
            fetched = mlproject.fetch(request.project, request.version, request.folder, Path(temporary) / "project")
            return mlproject.project_name(request.project, fetched)
        except InputError as error:
            raise error.under("run") from None


# --- a study to go on with -------------------------------------------------------------------------------------------


def _resumed(request: _Request) -> tuple[Study, Callable[[Callback], Study]]:
    config = request.config
    for key in config:
        if key in StudySpec.model_fields or key == "study":
            raise InputError("a study that is resumed keeps what it began with; take it out of the config", key)
        if key not in _RESUME:
            raise InputError(unknown("key", key, _RESUME), key)
    if not isinstance(name := config["resume"], str):
        raise InputError(f"must be the run id or the name of a study, but got {shown(name)}", "resume")
    study = Study.load(name, experiment=request.experiment, tracking_uri=request.tracking_uri)
    held = study.spec.run
    if held.project is None:
        raise InputError(f"the study runs a {held.kind}: go on with it by `{study.resume_command}`", "resume")
    _refuse_changes(request, held)
    elsewhere = request.project != held.project  # the same words are the same place, wherever they are typed
    if elsewhere and (request.folder / request.project).resolve() != Path(study.record.folder, held.project).resolve():
        raise InputError(f"the study tunes the project {held.project!r}, but got {request.project!r}", "resume")
    if not elsewhere:
        study = Study.load(study.run_id, tracking_uri=request.tracking_uri, folder=request.folder)
    _refuse_unapproved(study, config.get("yes", False))
    given = {key: config[key] for key in ("trials", "train_on", "epochs") if key in config}
    return study, lambda shown_on: _resume(study, given, shown_on)


def _resume(study: Study, given: Mapping[str, Any], callback: Callback) -> Study:
    try:
        return study.resume(**given, quiet=True, callbacks=[callback])
    except InputError as error:
        raise InputError(error.message, _OPTIONS.get(error.key, error.key)) from None


def _refuse_unapproved(study: Study, yes: object) -> None:
    """Raise InputError for what this user has neither started nor approved, unless the config says `yes`."""
    if not isinstance(yes, bool):
        raise InputError(f"must be true or false, but got {shown(yes)}", "yes")
    refuse_unapproved(study.handle, yes, '"yes": true in the config', "resume")
    approve(study.handle)


def _refuse_changes(request: _Request, held: RunSpec) -> None:
    """Raise InputError when the command line says otherwise than the study did when it began."""
    texts = {name: str(value) for name, value in held.parameters.items()}
    told = [
        ("-e", request.entry_point, held.entry_point, "main"),
        ("-v", request.version, held.version, None),
        ("--env-manager", request.env_manager, held.env_manager, None),
        *((f"-P {name}", str(value), texts.get(name), None) for name, value in request.parameters.items()),
    ]
    for option, given, began, silent in told:
        if given not in (began, silent):
            raise InputError(f"the study began with {shown(began)} and keeps it, but got {shown(given)}", option)
