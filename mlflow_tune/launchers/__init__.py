"""What one trial runs: a command, a Python function, or an entry point of an MLflow project."""

from __future__ import annotations

from mlflow_tune.launchers.base import Launcher
from mlflow_tune.launchers.command import CommandLauncher
from mlflow_tune.launchers.function import FunctionLauncher
from mlflow_tune.launchers.objective import ObjectiveLauncher
from mlflow_tune.launchers.project import ProjectLauncher

__all__ = ["CommandLauncher", "FunctionLauncher", "Launcher", "ObjectiveLauncher", "ProjectLauncher"]
