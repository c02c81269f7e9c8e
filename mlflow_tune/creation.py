"""How a study comes into being on the tracking server, and by which command one goes on with it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlflow_tune.errors import StudyConflict
from mlflow_tune.publisher import Keeper
from mlflow_tune.spec import StudySpec
from mlflow_tune.tracking import Artifacts, Client, Studies, StudyRecord, public_uri, save_view
from mlflow_tune.yaml12 import dump_yaml


def create_study(
    client: Client, spec: StudySpec, source: Mapping[str, str], folder: Path, reference: Sequence[float], keep: Keeper
) -> StudyRecord:
    """Make the parent run with its view and its file study.yaml; return the study, which is then running."""
    studies = Studies(client)
    experiment_id = str(studies.experiment(spec.experiment, create=True))
    definition = spec.model_dump(mode="json", exclude_none=True)
    record = studies.create(definition, experiment_id, source, str(folder), reference)
    save_view(client, record, spec.metric, spec.goal, spec.space)
    artifacts = Artifacts(client, record.run_id)
    keep("study.yaml", lambda: artifacts.log_text("study.yaml", dump_yaml(definition)))
    return record


def refuse_second(client: Client, spec: StudySpec, uri: str | None) -> None:
    """Raise StudyConflict when an unfinished study of this name exists in the experiment."""
    studies = Studies(client)
    experiment_id = studies.experiment(spec.experiment)
    for record in studies.within([experiment_id] if experiment_id else []):
        if record.name == spec.name and record.state != "finished":
            raise StudyConflict(
                f"the study {record.name!r} exists and is not finished ({record.state}): go on with it by "
                f"`{resume_command(record, spec, uri)}`, or give the new one another name"
            )


def resume_command(record: StudyRecord, spec: StudySpec, uri: str | None, folder: Path | None = None) -> str:
    """Return the command that goes on with a study.

    `uri` is the tracking URI where it is not the environment's, `folder` where its code lies when that is not where
    it was.
    """
    server = public_uri(uri) if uri else ""
    if spec.run.objective:
        given = f", tracking_uri={server!r}" if server else ""
        return f"Study.load({record.run_id!r}, objective=...{given}).resume()"
    words = ["mlflow-tune", "resume", record.run_id]
    words += ["--tracking-uri", server] if server else []
    words += ["--folder", str(folder)] if folder and str(folder) != record.folder else []
    return shlex.join(words)
