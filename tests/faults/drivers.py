"""Drivers on this machine and elsewhere, and what they left in the store."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from mlflow_tune.spec.study_file import read_study_file
from mlflow_tune.study.study import Study
from tests.fixtures.small_studies.helpers import Tune, start, study_file

HERE = Path(__file__).parent
PACED = ("tune.heartbeat",)
STARTED: list[Tune] = []  # by the test that runs; conftest.py ends those that it has left


def make_study(folder: Path, uri: str, function: str, points: int, **more: Any) -> str:
    """Make a study of one whole number in the store without running a trial; return its run id."""
    grid = list(range(1, points + 1))
    path = study_file(
        folder, run={"function": function, "parameters": {"folder": str(folder)}},
        space={"x": {"type": "int", "low": 1, "high": points, "grid": grid}}, **more,
    )  # fmt: skip
    shutil.copy(HERE / "alone.py", folder)
    return Study.of(read_study_file(path, {}), folder=folder, tracking_uri=uri).create().run_id


def resume(run_id: str, folder: Path, uri: str, *, host: str = "", lease: str = "3s") -> Tune:
    """Start a driver that resumes the study: on this machine, or on another one of the name `host`, in its own home."""
    home = folder / f"home-{host or 'here'}"
    home.mkdir(exist_ok=True)
    words: list[str | Path] = ["resume", run_id, "-v", "--yes"]
    script: list[str | Path] = [HERE / "elsewhere.py", host] if host else []
    driver = start(script + words, home, uri, HOME=str(home), USER=f"user-{host or 'here'}", MLFLOW_TUNE_LEASE=lease)
    STARTED.append(driver)
    return driver


def lines(path: Path) -> list[str]:
    """Return the lines of a file, none when there is no such file."""
    return path.read_text().splitlines() if path.exists() else []


def stored(uri: str, run_id: str) -> dict[str, Any]:
    """Return all that the store holds of the study and its trials, by run id, but for heartbeats."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    parent = client.get_run(run_id)
    query = f"tags.`mlflow.parentRunId` = '{run_id}'"
    runs = [parent, *client.search_runs([parent.info.experiment_id], query, max_results=5000)]
    return {run.info.run_id: _form(run) for run in runs}


def _form(run: Any) -> dict[str, Any]:
    form = run.to_dictionary()
    form["data"]["tags"] = {key: value for key, value in run.data.tags.items() if key not in PACED}
    return form
