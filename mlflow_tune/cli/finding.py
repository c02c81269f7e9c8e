"""From what a person writes for STUDY to the study: a name, a run id, or a study file."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_tune.cli.common import Common
from mlflow_tune.errors import StudyNotFound

if TYPE_CHECKING:
    from mlflow_tune.study import Study


def find_study(study: str, common: Common, folder: Path | None = None) -> Study:
    """Return the study of this name, run id or file; a file's study is made when it is not there yet."""
    from mlflow_tune.spec import read_study_file
    from mlflow_tune.study import Study

    path = Path(study)
    load = functools.partial(Study.load, tracking_uri=common.tracking_uri, folder=folder)
    if path.suffix not in (".yaml", ".yml"):
        return load(study, experiment=common.experiment)
    spec = read_study_file(path, {"experiment": common.experiment} if common.experiment else {})
    try:
        return load(spec.name, experiment=spec.experiment)
    except StudyNotFound:
        new = Study.of(spec, folder=folder or path.resolve().parent, tracking_uri=common.tracking_uri)
        return new.create()
