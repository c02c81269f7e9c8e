"""Reading a study's trials again and again: everything once, afterwards only what is new."""

from __future__ import annotations

from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.reading import read_trial, space_of
from mlflow_tune.tracking.records import search
from mlflow_tune.tracking.studies import StudyRecord
from mlflow_tune.trial import Trial

OVERLAP = 60_000  # milliseconds: the clocks of those who write may differ


class Refresh:
    """The trials of one study as they were when `trials` was last called."""

    def __init__(self, client: Client, study: StudyRecord) -> None:
        self._client, self._study, self._space = client, study, space_of(study.definition)
        self._known: dict[int, Trial] = {}
        self._read_before = False

    def trials(self) -> list[Trial]:
        """Return the latest attempt of every trial, by number; two searches find those that run and that ended."""
        of_study = f"tags.`mlflow.parentRunId` = '{self._study.run_id}' and tags.`tune.kind` = 'trial'"
        newest = max((trial.end_time or 0 for trial in self._known.values()), default=0)
        for only in self._queries(newest):
            for run in search(self._client, [self._study.experiment_id], of_study + only):
                trial = read_trial(run, self._space)
                if trial is not None and _is_news(trial, self._known.get(trial.number)):
                    self._known[trial.number] = trial
        self._read_before = True
        return [self._known[number] for number in sorted(self._known)]

    def _queries(self, newest: int) -> list[str]:
        if not self._read_before:
            return [""]
        return [" and attributes.status = 'RUNNING'", f" and attributes.end_time > {newest - OVERLAP}"]


def _is_news(trial: Trial, known: Trial | None) -> bool:
    if known is None:
        return True
    return (known.attempt, known.outcome is not None) <= (trial.attempt, trial.outcome is not None)
