"""Logs its metrics under other names."""

import mlflow

with mlflow.start_run():
    mlflow.log_metrics({"val_loss": 0.1, "accuracy": 0.9})
