"""The names of a local store's studies, for a shell that completes a word: read at once, without MLflow."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from urllib.parse import quote

from mlflow_tune.tracking.address import STORE, absolute, local_file
from mlflow_tune.tracking.local_store import SQLITE

_SECONDS = 0.2  # for which a store that is being written is waited for
_NAMES = """
    SELECT name.value FROM tags AS kind
    JOIN tags AS name ON name.run_uuid = kind.run_uuid AND name.key = 'tune.study'
    JOIN runs ON runs.run_uuid = kind.run_uuid AND runs.lifecycle_stage = 'active'
    WHERE kind.key = 'tune.kind' AND kind.value = 'study'
    GROUP BY name.value ORDER BY MAX(runs.start_time) DESC LIMIT 200
"""


def local_study_names(uri: str | None = None) -> list[str]:
    """Return the names of the studies in a local SQLite store, the newest first.

    There are none where the store is of another kind, does not exist, or cannot be read at once: nothing is made, no
    server is asked, nothing is raised. Without `uri` the store is MLflow's own (MLFLOW_TRACKING_URI, else ./mlflow.db).
    """
    file = local_file(absolute(uri or os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}{STORE}"))
    if file is None:
        return []
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=ro", uri=True, timeout=_SECONDS)) as store:
            return [str(name) for (name,) in store.execute(_NAMES)]
    except sqlite3.Error:
        return []
