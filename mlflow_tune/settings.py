"""What people may set in the environment, beside MLflow's own variables."""

from __future__ import annotations

import os

from mlflow_tune.errors import InputError
from mlflow_tune.text.durations import as_duration

LEASE, PATIENCE, REPORT = "MLFLOW_TUNE_LEASE", "MLFLOW_TUNE_PATIENCE", "MLFLOW_TUNE_REPORT"
_DEFAULTS = {LEASE: "20s", PATIENCE: "10m"}


def lease_seconds() -> float:
    """Return how long a driver's heartbeat may stand still before another one may take its study over."""
    return _seconds(LEASE)


def patience_seconds() -> float:
    """Return how long a tracking server that is away is waited for."""
    return _seconds(PATIENCE)


def reports_wanted() -> bool:
    """Return whether studies end with pictures and a report."""
    return os.environ.get(REPORT, "true").lower() not in ("false", "off", "0", "no")


def _seconds(name: str) -> float:
    try:
        return as_duration(os.environ.get(name) or _DEFAULTS[name])
    except InputError as error:
        raise error.under(name) from None
