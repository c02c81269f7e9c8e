"""Raises in the middle of its run."""

import mlflow

with mlflow.start_run():
    mlflow.log_metric("loss", 0.1)
    raise ValueError("no luck")
