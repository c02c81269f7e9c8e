"""The trials as a pandas DataFrame, for a notebook. Importing this loads pandas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from mlflow_tune.report.table import trials_table
from mlflow_tune.space import Choice, Dimension, Int, Space
from mlflow_tune.trial import Trial

OWN = ("trial", "objective", "constraint")  # metrics that stand in other columns
_KINDS = {
    **dict.fromkeys(("number", "attempt"), "int64"),
    **dict.fromkeys(("value", "seconds"), "float64"),
    **dict.fromkeys(("outcome", "why", "reason", "strategy", "run_id", "start", "end"), "string"),
}


def trials_frame(trials: Sequence[Trial], space: Space) -> pd.DataFrame:
    """Return a row a trial, by its number; the columns of `trials_table`, then `metrics.<name>` of what was logged.

    Whole numbers are Int64, others float64, texts string, times datetime64 in UTC; what a trial lacks is NA, NaN or
    NaT. A parameter of which a person tried a value of another type is an object.
    """
    ordered = sorted(trials, key=lambda trial: (trial.number, trial.attempt))
    table = trials_table(ordered, space)
    kinds = {
        name: _KINDS.get(name) or _kind(space[name if name in space else name.removeprefix("params.")])
        for name in table
    }
    columns: dict[str, Any] = {name: _typed(cells, kinds[name]) for name, cells in table.items()}
    columns |= {name: pd.to_datetime(columns[name], utc=True) for name in ("start", "end")}
    logged = dict.fromkeys(name for trial in ordered for name in trial.metrics)
    for name in logged:
        if name not in OWN and not name.startswith("log10_"):
            columns[f"metrics.{name}"] = _typed([trial.metrics.get(name) for trial in ordered], "float64")
    return pd.DataFrame(columns).set_index("number")


def _kind(dimension: Dimension) -> str:
    """Return the type of a parameter's column."""
    if isinstance(dimension, Int):
        return "Int64"
    if not isinstance(dimension, Choice):
        return "float64"
    kinds = {type(value) for value in dimension.values}
    known = {bool: "boolean", int: "Int64", float: "float64", str: "string"}
    if kinds == {int, float}:
        return "float64"
    return known.get(kinds.pop(), "object") if len(kinds) == 1 else "object"


def _typed(cells: Sequence[Any], kind: str) -> Any:
    try:
        return pd.Series(list(cells), dtype=kind)
    except (TypeError, ValueError, OverflowError):  # a person may have tried what the space does not hold
        return pd.Series(list(cells), dtype="object")
