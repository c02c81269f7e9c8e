"""The public Study: create, resume, ask and tell, adopt runs, compare studies, compare two trials."""

from mlflow_tune.study.study import Study

__all__ = ["Study"]
