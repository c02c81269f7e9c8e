"""Trains by cross-validation, each fold a nested run."""

import mlflow

with mlflow.start_run():
    for fold in range(2):
        with mlflow.start_run(run_name=f"fold {fold}", nested=True):
            mlflow.log_param("fold", fold)
            mlflow.log_metric("loss", fold)
    mlflow.log_metric("loss", 0.5)
