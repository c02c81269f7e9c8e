"""From what a person writes for STUDY to the study: a name, a run id, or a study file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow_tune.cli.common import Common
from mlflow_tune.errors import StudyNotFound

if TYPE_CHECKING:
    from mlflow_tune.spec.study_file import StudySpec
    from mlflow_tune.study.study import Study
    from mlflow_tune.tracking import Client, StudyRecord

logger = logging.getLogger(__name__)


def find_study(study: str, common: Common, folder: Path | None = None) -> Study:
    """Return the study of this name, run id or file, as the tracking server holds it. Raises StudyNotFound."""
    from mlflow_tune.study.study import Study
    from mlflow_tune.tracking import Client

    if not is_file(study):
        return Study.load(study, experiment=common.experiment, tracking_uri=common.tracking_uri, folder=folder)
    spec = file_spec(study, common)
    record = newest(spec, Client(common.tracking_uri))
    if record is None:
        raise StudyNotFound(f"the study {spec.name!r} of {study} has not been started in its experiment yet")
    loaded = Study.load(record.run_id, tracking_uri=common.tracking_uri, folder=folder)
    if _essence(spec.model_dump(mode="json")) != _essence(loaded.record.definition):
        logger.warning("%s has been changed since its study began, which goes on as it began", study)
    return loaded


def is_file(study: str) -> bool:
    """Whether STUDY is the path of a study file."""
    return Path(study).suffix in (".yaml", ".yml")


def file_spec(study: str, common: Common) -> StudySpec:
    """Return what the study file says, in the experiment of the command line where one is given."""
    from mlflow_tune.spec.study_file import read_study_file

    return read_study_file(Path(study), {"experiment": common.experiment} if common.experiment else {})


def newest(spec: StudySpec, client: Client, but: str = "") -> StudyRecord | None:
    """Return the newest study of this name in its experiment, other than the run `but`; None when there is none."""
    from mlflow_tune.tracking import Studies

    studies = Studies(client)
    experiment_id = studies.experiment(spec.experiment)
    records = studies.within([experiment_id] if experiment_id else [])
    return next((each for each in reversed(records) if each.name == spec.name and each.run_id != but), None)


def _essence(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a definition makes the study: not its budget, nor the defaults that its code declares."""
    space = {name: {**form, "default": None} for name, form in definition.get("space", {}).items()}
    run = {key: value for key, value in definition.get("run", {}).items() if value is not None}
    return {"metric": definition.get("metric"), "goal": definition.get("goal"), "run": run, "space": space}
