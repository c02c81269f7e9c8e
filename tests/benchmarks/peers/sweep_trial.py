"""The training script of a sweep's trial."""

from __future__ import annotations

import sys

import mlflow
from common import loss

x, y, steps = float(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
mlflow.set_experiment("sweep")
with mlflow.start_run():
    mlflow.log_params({"x": x, "y": y})
    for step in range(steps):
        mlflow.log_metric("loss", loss(x, y), step=step)
    mlflow.log_metric("objective", loss(x, y))
