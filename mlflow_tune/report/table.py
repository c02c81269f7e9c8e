"""The trials as a table: for a spreadsheet, and for MLflow's "View as table"."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone

from mlflow_tune.space import Scalar, Space
from mlflow_tune.trial import Trial

Cell = Scalar | None
BEFORE = ("number", "attempt", "outcome", "value")
AFTER = ("why", "reason", "strategy", "run_id", "start", "end", "seconds")
# A spreadsheet takes text that begins so for a formula, https://owasp.org/www-community/attacks/CSV_Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def trials_table(trials: Sequence[Trial], space: Space) -> dict[str, list[Cell]]:
    """Return the columns by name, a cell a trial, by number: what `mlflow.log_table` takes.

    A parameter's column has its name, or `params.<name>` where another column has that. Times are ISO 8601 in UTC,
    durations seconds. A trial that runs has the outcome "running". What a trial lacks is None.
    """
    ordered = sorted(trials, key=lambda trial: (trial.number, trial.attempt))
    rows = [_row(trial) for trial in ordered]
    columns: dict[str, list[Cell]] = {name: [row[name] for row in rows] for name in BEFORE}
    for name in space:
        key = f"params.{name}" if name in (*BEFORE, *AFTER) else name
        columns[key] = [trial.params.get(name) for trial in ordered]
    return columns | {name: [row[name] for row in rows] for name in AFTER}


def trials_csv(trials: Sequence[Trial], space: Space) -> str:
    """Return the table of `trials_table` as CSV."""
    return columns_csv(trials_table(trials, space))


def columns_csv(columns: Mapping[str, Sequence[Cell]]) -> str:
    """Return columns by name as CSV (RFC 4180), numbers in full.

    Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(map(_inert, columns))
    for row in zip(*columns.values(), strict=True):
        writer.writerow(map(_inert, row))
    # Half a surrogate pair, which JSON may hold, has no encoding.
    return file.getvalue().encode("utf-8", "replace").decode()


def _inert(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA):
        return f"'{cell}"
    return cell


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
        "start": time_text(trial.start_time),
        "end": time_text(trial.end_time),
        "seconds": seconds_of(trial),
    }


def seconds_of(trial: Trial) -> float | None:
    """Return how long the trial's latest attempt took, None while it runs."""
    return None if trial.end_time is None else (trial.end_time - trial.start_time) / 1000


def time_text(milliseconds: int | None) -> str | None:
    """Return a time in milliseconds since the epoch as ISO 8601 in UTC, to the second; None for none."""
    if not milliseconds:
        return None
    try:
        moment = datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
    except (OverflowError, ValueError, OSError):
        return None
    return moment.isoformat(timespec="seconds")
