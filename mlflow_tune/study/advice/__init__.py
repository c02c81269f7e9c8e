"""What measured tables let one expect of a study before it runs, a sentence at a time."""

from mlflow_tune.study.advice.cost import Cost, earlier_cost
from mlflow_tune.study.advice.sentences import Advice, Adviser

__all__ = ["Advice", "Adviser", "Cost", "earlier_cost"]
