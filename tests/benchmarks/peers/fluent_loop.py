"""MLflow's fluent loop: nested `start_run`, `log_params`, `log_metric`."""

from __future__ import annotations

import random

import mlflow
from common import loss, measure


def study(name: str, trials: int, steps: int) -> None:
    """Make a parent run and so many nested runs."""
    mlflow.set_experiment("fluent")
    draw = random.Random(0)
    with mlflow.start_run(run_name=name):
        for _ in range(trials):
            point = {"x": draw.random(), "y": draw.random()}
            with mlflow.start_run(nested=True):
                mlflow.log_params(point)
                for step in range(steps):
                    mlflow.log_metric("loss", loss(**point), step=step)
                mlflow.log_metric("objective", loss(**point))


measure(study)
