"""The trials as a table: for a spreadsheet, and for MLflow's "View as table"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlflow_tune.space import Scalar, Space
from mlflow_tune.text import Cell, columns_csv, iso_time, value_text
from mlflow_tune.trial import Trial

BEFORE = ("number", "attempt", "outcome", "value")
AFTER = ("why", "reason", "strategy", "run_id", "start", "end", "seconds")


def trials_table(trials: Sequence[Trial], space: Space) -> dict[str, list[Cell]]:
    """Return the columns by name, a cell a trial, by number: what `mlflow.log_table` takes.

    A parameter's column has its name, or `params.<name>` where another column has that. Times are ISO 8601 in UTC,
    durations seconds. A trial that runs has the outcome "running". What a trial lacks is None; a null or a list among
    the parameters is its JSON.
    """
    ordered = sorted(trials, key=lambda trial: (trial.number, trial.attempt))
    rows = [_row(trial) for trial in ordered]
    columns: dict[str, list[Cell]] = {name: [row[name] for row in rows] for name in BEFORE}
    for name in space:
        key = f"params.{name}" if name in (*BEFORE, *AFTER) else name
        columns[key] = [_cell(trial, name) for trial in ordered]
    return columns | {name: [row[name] for row in rows] for name in AFTER}


def trials_csv(trials: Sequence[Trial], space: Space) -> str:
    """Return the table of `trials_table` as CSV."""
    return columns_csv(trials_table(trials, space))


def _cell(trial: Trial, name: str) -> Cell:
    if name not in trial.trained_with:
        return None
    value = trial.trained_with[name]
    return value if isinstance(value, Scalar) else value_text(value)


def _row(trial: Trial) -> Mapping[str, Cell]:
    return {
        "number": trial.number,
        "attempt": trial.attempt,
        "outcome": trial.outcome or "running",
        "value": trial.value,
        "why": trial.why,
        "reason": trial.reason,
        "strategy": trial.strategy,
        "run_id": trial.run_id,
        "start": iso_time(trial.start_time),
        "end": iso_time(trial.end_time),
        "seconds": seconds_of(trial),
    }


def seconds_of(trial: Trial) -> float | None:
    """Return how long the trial's latest attempt took, None while it runs."""
    return None if trial.end_time is None else (trial.end_time - trial.start_time) / 1000
