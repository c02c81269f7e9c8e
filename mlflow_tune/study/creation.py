"""How a study comes into being on the tracking server, and by which command one goes on with it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow_tune.errors import StudyConflict
from mlflow_tune.executors.factory import reference_values
from mlflow_tune.spec.definition import ASKED
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.text.yaml import dump_yaml
from mlflow_tune.tracking import (
    Artifacts,
    Client,
    Studies,
    StudyRecord,
    namesakes,
    public_uri,
    save_view,
    take_name,
    withdraw,
)


@dataclass(frozen=True)
class Place:
    """Where a study is to be made: its experiment, and the finished studies of its name there, oldest first.

    `experiment_id` is None while there is no such experiment.
    """

    experiment_id: str | None
    finished: Sequence[StudyRecord] = ()


def place_for(client: Client, spec: StudySpec, uri: str | None) -> Place:
    """Return where the study is to be made.

    Raises StudyConflict when an unfinished study of this name exists in the experiment.
    """
    experiment_id = Studies(client).experiment(spec.experiment)
    if experiment_id is None:
        return Place(None)
    unfinished, finished = namesakes(client, experiment_id, spec.name)
    if unfinished:
        raise _second(unfinished[0], spec, uri)
    return Place(experiment_id, finished)


def create_study(
    client: Client, spec: StudySpec, source: Mapping[str, str], folder: Path, place: Place, uri: str | None = None
) -> StudyRecord:
    """Make the parent run with its view; return the study, which is then running.

    Raises InputError when the study's true function cannot be called, and StudyConflict, as `place_for` does, when
    somebody made a study of this name at the same moment.
    """
    reference = reference_values(spec, folder)
    studies = Studies(client)
    experiment_id = place.experiment_id or str(studies.experiment(spec.experiment, create=True))
    definition = spec.model_dump(mode="json", exclude_none=True)
    record = studies.create(definition, experiment_id, source, str(folder), reference)
    if first := take_name(client, record):
        withdraw(client, record, f"the study {first.run_id} was made at the same moment and keeps the name")
        raise _second(first, spec, uri)
    save_view(client, record, spec.metric, spec.goal, spec.space)
    return record


def log_study_file(client: Client, run_id: str, spec: StudySpec) -> None:
    """Log the study's definition as its file study.yaml."""
    Artifacts(client, run_id).log_text("study.yaml", dump_yaml(spec.model_dump(mode="json", exclude_none=True)))


def _second(first: StudyRecord, spec: StudySpec, uri: str | None) -> StudyConflict:
    return StudyConflict(
        f"the study {first.name!r} exists and is not finished ({first.state}): go on with it by "
        f"`{resume_command(first, spec, uri)}`, or give the new one another name"
    )


def resume_command(record: StudyRecord, spec: StudySpec, uri: str | None, folder: Path | None = None) -> str:
    """Return the command that goes on with a study.

    `uri` is the tracking URI where it is not the environment's, `folder` where its code lies when that is not where
    it was.
    """
    server = public_uri(uri) if uri else ""
    if spec.run.objective:
        given = f", tracking_uri={server!r}" if server else ""
        if spec.run.objective == ASKED:
            return f"Study.load({record.run_id!r}{given}).ask()"
        return f"Study.load({record.run_id!r}, objective=...{given}).resume()"
    words = ["mlflow-tune", "resume", record.run_id]
    words += ["--tracking-uri", server] if server else []
    words += ["--folder", str(folder)] if folder and str(folder) != record.folder else []
    return shlex.join(words)
