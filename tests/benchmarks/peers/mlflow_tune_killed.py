"""A study of mlflow_tune that is killed and resumed."""

from __future__ import annotations

import os

from killed import GRID, REPORT, loss, note, point
from mlflow import MlflowClient

from mlflow_tune import Study
from mlflow_tune.errors import StudyNotFound

NAME = "killed"
SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True, "grid": GRID["lr"]},
    "alpha": {"type": "float", "low": 0.01, "high": 10.0, "log": True, "grid": GRID["alpha"]},
}
try:
    study = Study.load(NAME, objective=loss)
except StudyNotFound:
    study = Study(name=NAME, objective=loss, space=SPACE, metric="loss", strategy="grid")
runs = MlflowClient(os.environ["MLFLOW_TRACKING_URI"]).search_runs(["0"], max_results=5000)
known = [point(**trial.params) for trial in study.trials if trial.outcome == "ok"] if study.started else []
note(known, sum(run.info.status == "RUNNING" for run in runs))
if not REPORT:
    study.resume() if study.started else study.run()
