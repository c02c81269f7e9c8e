"""Optuna on MLflow's own storage, `mlflow.optuna.MlflowStorage`; steps are reported to the trial, in batches."""

from __future__ import annotations

import mlflow
import optuna
from common import loss, measure
from mlflow.optuna import MlflowStorage

optuna.logging.set_verbosity(optuna.logging.ERROR)


def study(name: str, trials: int, steps: int) -> None:
    """Run a study of so many trials."""

    def objective(trial: optuna.Trial) -> float:
        value = loss(trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1))
        for step in range(steps):
            trial.report(value, step)
        return value

    storage = MlflowStorage(mlflow.set_experiment("storage").experiment_id)
    tuned = optuna.create_study(study_name=name, storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    tuned.optimize(objective, trials)
    storage.flush_all_batches()


measure(study)
