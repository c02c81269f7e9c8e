"""`python -m mlflow_tune` is `mlflow-tune`."""

from mlflow_tune.cli import main

main(prog_name="mlflow-tune")
