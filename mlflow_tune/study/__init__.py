"""The public Study, and what is done with one: made, resumed, asked and told, adopted into, compared."""

from mlflow_tune.study.study import Study

__all__ = ["Study"]
