"""Prints more than anybody wants to keep."""

import sys

import mlflow

for line in range(200_000):
    print(f"line {line} é")
print("the end", file=sys.stderr)
mlflow.log_metric("loss", 0.3)
