"""What the tests of launchers share: a job, waiting, and the processes that a trial left."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from mlflow_tune.trial import Job

HERE = Path(__file__).parent


def job(number: int = 1, **params) -> Job:
    return Job(number, params, f"run{number}", "7", "sqlite:////nowhere/mlflow.db")


def wait_for(condition: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def tree_of(file: Path) -> list[psutil.Process]:
    """Wait for the processes that `behave.plant_tree` started, and return those that run."""
    wait_for(file.exists)
    found = []
    for pid in json.loads(file.read_text()):
        if psutil.pid_exists(pid):
            found.append(psutil.Process(pid))
    return found


def gone(processes: list[psutil.Process]) -> bool:
    """Return whether none of the processes is left, not even as a zombie."""
    return not any(process.is_running() for process in processes)
