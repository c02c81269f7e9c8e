"""Trials that are calls of a Python function in this very process."""

from __future__ import annotations

from dataclasses import replace

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.base import Launcher, all_parameters, merged
from mlflow_tune.launchers.call import Objective, active_run, call, signature_problem
from mlflow_tune.launchers.process import STUDY_STOPPED
from mlflow_tune.space import Space
from mlflow_tune.trial import Job, Outcome, Params


class ObjectiveLauncher(Launcher):
    """Calls `objective` in the calling thread, one trial at a time: it sets variables of the whole process.

    A returned number is the value of `metric`. What it prints is not captured; KeyboardInterrupt passes through.
    """

    def __init__(self, objective: Objective, metric: str, parameters: Params | None = None) -> None:
        self._objective = objective
        self._metric = metric
        self._parameters = dict(parameters or {})
        self._stopped = False

    def check(self, space: Space) -> Params:
        """Raise InputError unless the objective takes the parameters and no MLflow run is active here."""
        if problem := signature_problem(self._objective, all_parameters(self._parameters, space)):
            raise InputError(problem, "objective")
        if run := active_run():
            raise InputError(f"the MLflow run {run} is active: end it before the study, whose trials bind their own")
        return {}

    def __call__(self, job: Job) -> Outcome:
        """Call the objective as this trial."""
        if self._stopped:
            return STUDY_STOPPED
        outcome = call(self._objective, merged(self._parameters, job), job, self._metric)
        return replace(STUDY_STOPPED, logged=outcome.logged) if self._stopped else outcome

    def stop(self) -> None:
        """Make later calls, and the one that runs once it returns, "interrupted": nothing can kill it."""
        self._stopped = True
