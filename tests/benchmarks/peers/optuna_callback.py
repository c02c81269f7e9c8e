"""Optuna with the MLflowCallback of optuna-integration; its own history stays in memory and is lost at the end."""

from __future__ import annotations

import mlflow
import optuna
from common import loss, measure
from optuna_integration import MLflowCallback

optuna.logging.set_verbosity(optuna.logging.ERROR)


def study(name: str, trials: int, steps: int) -> None:
    """Run a study of so many trials; steps are logged as the callback's documentation shows."""
    callback = MLflowCallback(metric_name="objective")

    def objective(trial: optuna.Trial) -> float:
        value = loss(trial.suggest_float("x", 0, 1), trial.suggest_float("y", 0, 1))
        for step in range(steps):
            mlflow.log_metric("loss", value, step=step)
        return value

    tuned = optuna.create_study(study_name=name, sampler=optuna.samplers.RandomSampler(seed=0))
    tuned.optimize(callback.track_in_mlflow()(objective) if steps else objective, trials, callbacks=[callback])


measure(study)
