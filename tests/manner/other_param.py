"""Logs another value under the name of the searched parameter, as a cast to a coarser float does."""

import mlflow

with mlflow.start_run():
    mlflow.log_param("alpha", 0.2500001)
    mlflow.log_metric("loss", 0.1)
