"""The attempts at a study's trials: what each starts from, and the job that the executor gets."""

from __future__ import annotations

from dataclasses import replace

from mlflow_tune.space import Value
from mlflow_tune.spec.epochs import epochs_name
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies.seeds import Seeds
from mlflow_tune.tracking import Trials
from mlflow_tune.trial import Devices, Job, Suggestion, Trial


class Attempts:
    """Writes the start of each attempt, and makes its job."""

    def __init__(self, spec: StudySpec, trials: Trials, seeds: Seeds) -> None:
        self._spec = spec
        self._trials = trials
        self._seeds = seeds
        self._epochs = epochs_name(spec.space, trials.fixed)

    def is_to_train_on(self, trial: Trial) -> bool:
        """Say whether a person has asked for that; anything else that a server holds asks for nothing."""
        return trial.train_on is not None and list(trial.train_on.params) == [self._epochs]

    def start(
        self,
        number: int,
        point: Suggestion,
        by: str,
        queued: str,
        before: Trial | None,
        devices: Devices | None,
        log: bool,
    ) -> Trial:
        """Write that a trial starts, on the run `queued` where a person made one, and return it.

        It follows the attempt `before`, if there is one. Without `log` its point is left to be written later.
        """
        raised, ground = self._onward(point, before)
        trial = self._trials.start(
            number,
            point,
            by,
            before.attempt + 1 if before else 1,
            self._spec.space.log10_metrics(point.params),
            queued,
            log=log,
            devices=devices,
            raised=raised,
        )
        return replace(trial, earlier=before.attempts if before else (), before=ground)

    def job(self, trial: Trial, slot: int, devices: Devices | None) -> Job:
        """Return what the executor gets of an attempt."""
        # What else a point on the server names reaches no code: it could stand for what is fixed, a program's name too.
        params = {name: value for name, value in trial.params.items() if name in self._spec.space}
        study = self._trials.study
        return Job(
            trial.number,
            params | {**trial.raised, **self._seeds.given(trial)},
            trial.run_id,
            study.experiment_id,
            self._trials.client.uri,
            slot,
            devices,
            study_id=study.run_id,
            bind=self._spec.run.mlflow == "bind",
            resume_from=trial.before.run_id if trial.before else "",
        )

    def _onward(self, point: Suggestion, before: Trial | None) -> tuple[dict[str, Value], Trial | None]:
        """Return what an attempt at a point has raised, and from which one it goes on, where it follows `before`."""
        if before is None:
            raised, ground = point.raised, None
        elif before.train_on:
            raised, ground = before.train_on.params, before
        else:
            raised, ground = before.raised, before.before
        return {name: value for name, value in raised.items() if name == self._epochs}, ground
