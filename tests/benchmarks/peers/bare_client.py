"""MLflow's bare client: the least that keeps the same information. Four requests a trial, and one a step."""

from __future__ import annotations

import random
import time

from common import loss, measure
from mlflow import MlflowClient
from mlflow.entities import Metric, Param


def study(name: str, trials: int, steps: int) -> None:
    """Make a parent run and so many nested runs, each written in as few requests as can be."""
    client = MlflowClient()
    found = client.get_experiment_by_name("bare")
    experiment = found.experiment_id if found else client.create_experiment("bare")
    parent = client.create_run(experiment, tags={"mlflow.runName": name}).info.run_id
    draw = random.Random(0)
    for number in range(1, trials + 1):
        trial(client, experiment, parent, number, {"x": draw.random(), "y": draw.random()}, steps)
    client.set_terminated(parent)


def trial(client: MlflowClient, experiment: str, parent: str, number: int, point: dict[str, float], steps: int) -> None:
    """Write one trial; a step is logged when it happens, by a request of its own."""
    tags = {"mlflow.parentRunId": parent, "mlflow.runName": f"#{number}", "number": str(number)}
    run_id = client.create_run(experiment, tags=tags).info.run_id
    client.log_batch(run_id, params=[Param(key, str(value)) for key, value in point.items()])
    value = loss(**point)
    for step in range(steps):
        client.log_metric(run_id, "loss", value, step=step)
    client.log_batch(run_id, metrics=[Metric("objective", value, time.time_ns() // 1_000_000, 0)])
    client.set_terminated(run_id)


measure(study)
