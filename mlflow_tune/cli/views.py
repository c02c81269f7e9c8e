"""How studies and trials are shown: JSON for programs, tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from mlflow_tune.cli.common import trial_json
from mlflow_tune.judging import diagnosed
from mlflow_tune.report.table import seconds_of
from mlflow_tune.space import Scalar
from mlflow_tune.trial import Params, Trial

if TYPE_CHECKING:
    from rich.table import Table

    from mlflow_tune.spec import StudySpec
    from mlflow_tune.tracking import StudyRecord


def study_json(record: StudyRecord, spec: StudySpec, trials: Sequence[Trial]) -> dict[str, Any]:
    """Return the JSON of `show`, `run` and `resume`."""
    best = spec.best(trials)
    return {
        "study": record.name,
        "run_id": record.run_id,
        "experiment_id": record.experiment_id,
        "state": record.state,
        "why_stopped": record.why_stopped,
        "metric": spec.metric,
        "goal": spec.goal,
        "best": trial_json(best) if best else None,
        "trials": [trial_json(trial) for trial in trials],
    }


def trials_table(metric: str, trials: Sequence[Trial], title: str = "") -> Table:
    """Return a table of trials: number, outcome, metric, each parameter, seconds, reason."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names = list(dict.fromkeys(name for trial in trials for name in trial.params))
    table = Table(box=box.SIMPLE, title=Text(title) if title else None, title_justify="left")
    diagnosed = any(trial.diagnosis for trial in trials)
    for column in ("trial", "outcome", metric, *names, "time", *(["diagnosis"] if diagnosed else []), "reason"):
        words = column in ("diagnosis", "reason")
        table.add_column(Text(column), justify="left" if words else "right", no_wrap=not words)
    for trial in trials:
        cells = [f"#{trial.number:03d}", trial.outcome or "running", number_text(trial.value)]
        cells += [scalar_text(trial.params.get(name, "")) for name in names]
        cells += [seconds_text(trial), *([diagnosis_text(trial)] if diagnosed else [])]
        table.add_row(*map(Text, [*cells, trial.reason.replace("\n", " ")[:80]]))
    return table


def point_text(params: Params) -> str:
    """Return a point as `lr=0.0031 units=64`."""
    return " ".join(f"{name}={scalar_text(value)}" for name, value in params.items())


def scalar_text(value: Scalar) -> str:
    """Return a parameter's value in at most five significant digits."""
    return f"{value:.5g}" if isinstance(value, float) else str(value)


def number_text(value: float | None) -> str:
    """Return a metric's value, empty when there is none."""
    return "" if value is None else f"{value:.6g}"


def diagnosis_text(trial: Trial) -> str:
    """Return the names of what the trial's learning curves show."""
    return ", ".join(diagnosed(trial))


def seconds_text(trial: Trial) -> str:
    """Return how long the trial took."""
    seconds = seconds_of(trial)
    return "" if seconds is None else f"{seconds:.1f} s"


def time_text(milliseconds: int) -> str:
    """Return a time as people read it."""
    return datetime.fromtimestamp(milliseconds / 1000).strftime("%Y-%m-%d %H:%M")
