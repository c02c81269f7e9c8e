"""Parses argv, starts a run, logs its own parameter and, at the end, its metrics: MLflow's classic example."""

import argparse

import mlflow

parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float, default=0.5)
args = parser.parse_args()

with mlflow.start_run():
    mlflow.log_param("alpha", args.alpha)
    mlflow.set_tag("team", "blue")
    loss = (args.alpha - 0.5) ** 2
    mlflow.log_metric("loss", loss)
    mlflow.log_metric("accuracy", 1 - loss)
    mlflow.log_text("weights", "model.txt")
