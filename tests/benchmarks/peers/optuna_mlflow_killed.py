"""Optuna on MLflow's own storage, which has no heartbeat."""

from __future__ import annotations

from mlflow.optuna import MlflowStorage
from optuna_killed import go_on

storage = MlflowStorage("0")
go_on(storage, exists=storage.get_study_id_by_name_if_exists("killed") is not None)
storage.flush_all_batches()
