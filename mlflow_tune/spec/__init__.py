"""The study file: its model, field types, stop rules, what a resume may change, and drafts of new ones."""

from mlflow_tune.spec.run import RunSpec
from mlflow_tune.spec.stopping import StopRules
from mlflow_tune.spec.study_file import ExecutorSpec, StudySpec, parse_study, read_study_file

__all__ = ["ExecutorSpec", "RunSpec", "StopRules", "StudySpec", "parse_study", "read_study_file"]
