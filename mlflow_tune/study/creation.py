"""How a study comes into being on the tracking server, and by which command one goes on with it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from mlflow_tune.driver.publisher import Keeper
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
    public_uri,
    save_view,
    take_name,
    unfinished,
    withdraw,
)


def create_study(
    client: Client, spec: StudySpec, source: Mapping[str, str], folder: Path, keep: Keeper, uri: str | None = None
) -> StudyRecord:
    """Make the parent run with its view and its file study.yaml; return the study, which is then running.

    Raises InputError when the study's true function cannot be called, and StudyConflict, as `refuse_second` does, when
    somebody made a study of this name at the same moment.
    """
    reference = reference_values(spec, folder)
    studies = Studies(client)
    experiment_id = str(studies.experiment(spec.experiment, create=True))
    definition = spec.model_dump(mode="json", exclude_none=True)
    record = studies.create(definition, experiment_id, source, str(folder), reference)
    if first := take_name(client, record):
        withdraw(client, record, f"the study {first.run_id} was made at the same moment and keeps the name")
        raise _second(first, spec, uri)
    save_view(client, record, spec.metric, spec.goal, spec.space)
    artifacts = Artifacts(client, record.run_id)
    keep("study.yaml", lambda: artifacts.log_text("study.yaml", dump_yaml(definition)))
    return record


def refuse_second(client: Client, spec: StudySpec, uri: str | None) -> None:
    """Raise StudyConflict when an unfinished study of this name exists in the experiment."""
    experiment_id = Studies(client).experiment(spec.experiment)
    for record in unfinished(client, experiment_id, spec.name) if experiment_id else ():
        raise _second(record, spec, uri)


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
