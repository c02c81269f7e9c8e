"""The names of runs that are trials."""

from __future__ import annotations

from mlflow_tune.text import point_text, trial_label
from mlflow_tune.tracking.records import tag_text
from mlflow_tune.trial import Params

NAME_LIMIT = 120


def run_name(number: int, params: Params) -> str:
    """Return a child run's name: `#007 lr=0.0031 dropout=0.42`."""
    return f"{trial_label(number)} {short_point(params)}"


def short_point(params: Params) -> str:
    """Return a point in one line, as short as a run's name should be: `lr=0.0031 dropout=0.42`."""
    return tag_text(point_text(params, 4), NAME_LIMIT)
