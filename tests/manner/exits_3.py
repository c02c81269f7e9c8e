"""Exits with a code after it has logged its metric."""

import sys

import mlflow

mlflow.log_metric("loss", 0.1)
print("out of data")
sys.exit(3)
