"""The MLflow run that this process was started in: `mlflow run` makes one and names it in MLFLOW_RUN_ID."""

from __future__ import annotations

import os
from collections.abc import Mapping

from mlflow_tune.errors import TrackingError
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.records import KIND


def take_started_run(client: Client, tags: Mapping[str, str], name: str) -> str | None:
    """Give the run that this process was started in these tags and this name, and return its id.

    None, and nothing is changed, when there is none on this server, or it is a study, a trial or a comparison itself.
    """
    from mlflow.entities import RunTag
    from mlflow.exceptions import MlflowException

    if not (run_id := os.environ.get("MLFLOW_RUN_ID")):
        return None
    try:
        run = client.send("get_run", run_id)
    except (TrackingError, MlflowException):
        return None
    if KIND in run.data.tags or run.info.lifecycle_stage != "active" or run.info.status != "RUNNING":
        return None
    client.send("log_batch", run_id, tags=[RunTag(key, value) for key, value in tags.items()])
    client.send("update_run", run_id, name=name)
    return run_id
