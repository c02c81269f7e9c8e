"""Where a study is seen in MLflow's UI."""

from __future__ import annotations

import shlex
from urllib.parse import urlencode

from mlflow_tune.tracking.client import public_uri
from mlflow_tune.tracking.studies import StudyRecord

# Without it MLflow opens its GenAI overview.
TRAINING = {"workflowType": "machine_learning"}


def study_links(base: str, study: StudyRecord) -> dict[str, str]:
    """Return the links to a study's charts, table, parent run and plain list of trials.

    `base` is the server's URL; empty, the links are relative and lead on within MLflow's UI, wherever it is served.
    """
    runs = f"{base.rstrip('/') + '/' if base else ''}#/experiments/{study.experiment_id}/runs"
    shared = {"viewStateShareKey": study.run_id}
    listed = {
        "searchFilter": f"tags.`mlflow.parentRunId` = '{study.run_id}'",
        "orderByKey": f"metrics.`{study.definition.get('metric', 'objective')}`",
        "orderByAsc": "true" if study.definition.get("goal") != "maximize" else "false",
    }
    return {
        "charts": f"{runs}?{urlencode({**shared, 'compareRunsMode': 'CHART', **TRAINING})}",
        "table": f"{runs}?{urlencode({**shared, **TRAINING})}",
        "run": f"{runs}/{study.run_id}?{urlencode(TRAINING)}",
        "list": f"{runs}?{urlencode({**listed, **TRAINING})}",
    }


def has_server(uri: str) -> bool:
    """Whether the tracking URI is that of a server with a UI."""
    return uri.startswith(("http://", "https://"))


def ui_command(uri: str) -> str:
    """Return the command that starts MLflow's UI on a store without a server."""
    return shlex.join(["mlflow", "ui", "--backend-store-uri", public_uri(uri)])
