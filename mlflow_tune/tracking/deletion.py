"""What a person deletes in MLflow while a study is driven: a trial's run, the study's run, its experiment.

MLflow refuses every write to a deleted run, and its searches show it no longer, but it is there until `mlflow gc`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace

from mlflow_tune.errors import StudyConflict, StudyNotFound, TrackingError
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.studies import StudyRecord
from mlflow_tune.trial import Trial

DELETED = "its run was deleted"


def is_deleted(client: Client, run_id: str) -> bool:
    """Whether the run is deleted or gone for good; False when the server does not tell now."""
    try:
        return bool(client.once("get_run", run_id).info.lifecycle_stage != "active")
    except TrackingError as error:
        return getattr(error.__cause__, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"


def without_run(trial: Trial, ended: int) -> Trial:
    """Return a trial whose run a person has deleted: its point is visited and its number used, but it has no value.

    One that was interrupted stays so, as it had yet to run again. `ended` is in milliseconds since the epoch.
    """
    if trial.outcome == "interrupted":
        return trial
    return replace(trial, outcome="failed", value=None, reason=DELETED, end_time=ended)


@contextmanager
def told_when_deleted(client: Client, study: StudyRecord) -> Iterator[None]:
    """Raise StudyConflict, which says what to restore, in place of what follows from the deletion of the study."""
    try:
        yield
    except (TrackingError, StudyNotFound) as error:
        if not is_deleted(client, study.run_id):
            raise
        what, restore = "run", f"runs restore --run-id {study.run_id}"
        with suppress(TrackingError):
            if client.once("get_experiment", study.experiment_id).lifecycle_stage != "active":
                what, restore = "experiment", f"experiments restore --experiment-id {study.experiment_id}"
        raise StudyConflict(
            f"the {what} of the study {study.name!r} was deleted while it was driven, so this driver has stopped. "
            f"To go on: `mlflow {restore}`, then `mlflow-tune resume {study.run_id}`"
        ) from error
