"""Trials that are calls of a Python function in this very process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.base import Launcher, all_parameters, merged
from mlflow_tune.launchers.call import Objective, active_run, call, signature_problem
from mlflow_tune.launchers.process import STUDY_STOPPED
from mlflow_tune.launchers.should_stop import answering
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
        self._pruned = ""  # the run of the trial that is to end
        self.look: Callable[[], None] = lambda: None  # at the trial that runs: called when the objective asks

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

        def should_stop() -> bool:
            self.look()
            return self._pruned == job.run_id

        with answering(should_stop):
            outcome = call(self._objective, merged(self._parameters, job), job, self._metric)
        if self._pruned == job.run_id and not self._stopped:
            return Outcome("pruned", logged=outcome.logged)
        return replace(STUDY_STOPPED, logged=outcome.logged) if self._stopped else outcome

    def prune(self, run_id: str, grace: float) -> bool:  # noqa: ARG002
        """Have `should_stop` say that the trial should end; nothing else can end it."""
        self._pruned = run_id
        return True

    def stop(self) -> None:
        """Make later calls, and the one that runs once it returns, "interrupted": nothing can kill it."""
        self._stopped = True
