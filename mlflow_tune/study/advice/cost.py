"""What a trial costs: from an earlier study on the tracking server, or as a person says."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.report.table import seconds_of
from mlflow_tune.spec.definition import recorded_spec
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.text import counted, hours_text
from mlflow_tune.tracking import Client, Studies, StudyRecord


@dataclass(frozen=True)
class Cost:
    """The seconds that one trial takes; `study` and `trials` say which study's median that is, if any."""

    seconds: float
    study: str = ""
    run_id: str = ""
    trials: int = 0

    @property
    def origin(self) -> str:
        """Where the figure comes from, in words."""
        if not self.study:
            return "as --minutes-per-trial says"
        return f"the median of {counted(self.trials, 'trial')} of the study {self.study!r}"

    def in_all(self, trials: int, workers: int) -> float:
        """Return how many seconds so many trials take, so many at once."""
        return -(-trials // workers) * self.seconds

    def words(self, trials: int, workers: int) -> str:
        """Return how long so many trials take: `about 90 min`."""
        return f"about {hours_text(self.in_all(trials, workers) / 3600)}"

    def to_json(self, trials: int, workers: int) -> dict[str, Any]:
        """Return what a trial takes, by which study, and what so many take."""
        return {**vars(self), "of": trials, "workers": workers, "in_all": self.in_all(trials, workers)}


def earlier_cost(spec: StudySpec, client: Client) -> Cost | None:
    """Return the median over the trials of the newest study of this name, else of one that runs the same code.

    Only studies of the same experiment count. None where no trial of such a study has ended well.
    Raises TrackingError.
    """
    studies = Studies(client)
    experiment_id = studies.experiment(spec.experiment)
    records = studies.within([experiment_id] if experiment_id else [])
    newest = records[::-1]
    for record in sorted(newest, key=lambda each: each.name != spec.name):
        if (found := _cost(record, spec, client)) is not None:
            return found
    return None


def _cost(record: StudyRecord, spec: StudySpec, client: Client) -> Cost | None:
    try:
        theirs = recorded_spec(record)
    except InputError:  # of another version, or an objective that only Python can give
        return None
    if record.name != spec.name and theirs.run != spec.run:
        return None
    handle = StudyHandle(client, record, theirs)
    seconds = [seconds_of(trial) for trial in handle.trials if trial.outcome == "ok"]
    known = [each for each in seconds if each is not None]
    return Cost(median(known), record.name, record.run_id, len(known)) if known else None
