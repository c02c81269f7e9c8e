"""The loop that drives a study: suggest, start, wait, evaluate, finish."""

from mlflow_tune.driver.driver import Driver

__all__ = ["Driver"]
