"""The only room that talks to MLflow's tracking API: the connection, studies and trials."""

from mlflow_tune.tracking.address import is_local, near_words
from mlflow_tune.tracking.adopted import Run, Runs
from mlflow_tune.tracking.artifacts import Artifacts
from mlflow_tune.tracking.client import Client, first_line, public_uri
from mlflow_tune.tracking.deletion import is_deleted, told_when_deleted, without_run
from mlflow_tune.tracking.holder import user_here
from mlflow_tune.tracking.lease import claimed, is_driven, is_held
from mlflow_tune.tracking.name_claim import namesakes, take_name, withdraw
from mlflow_tune.tracking.queue import Queue, Queued
from mlflow_tune.tracking.reading import Refresh
from mlflow_tune.tracking.records import StartedRun, started_run
from mlflow_tune.tracking.served import noted, served
from mlflow_tune.tracking.studies import Studies, StudyRecord, StudyState, experiment_name
from mlflow_tune.tracking.trials import Trials
from mlflow_tune.tracking.ui import has_server, run_link, save_view, study_links, ui_command

__all__ = [
    "Artifacts",
    "Client",
    "Queue",
    "Queued",
    "Refresh",
    "Run",
    "Runs",
    "StartedRun",
    "Studies",
    "StudyRecord",
    "StudyState",
    "Trials",
    "claimed",
    "experiment_name",
    "first_line",
    "has_server",
    "is_deleted",
    "is_driven",
    "is_held",
    "is_local",
    "namesakes",
    "near_words",
    "noted",
    "public_uri",
    "run_link",
    "save_view",
    "served",
    "started_run",
    "study_links",
    "take_name",
    "told_when_deleted",
    "ui_command",
    "user_here",
    "withdraw",
    "without_run",
]
