"""What the loop does when something around it breaks: no run is left open, and the study can go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from mlflow_tune import Int, Study
from mlflow_tune.driver.callbacks import SilentListener
from mlflow_tune.errors import StudyConflict
from mlflow_tune.executors.pool import SerialExecutor
from mlflow_tune.space import Float, Space
from tests.fixtures.small_studies.helpers import outcomes, runs_of, study_file, wait_for

SPACE = {"x": Int(1, 4, grid=[1, 2, 3, 4])}


def study(uri: str, objective, **more) -> Study:
    given = {"name": "s", "space": SPACE, "metric": "loss", "strategy": "grid", "tracking_uri": uri, **more}
    return Study(objective=objective, **given)


def load(uri: str) -> Study:
    return Study.load("s", objective=lambda x: x, tracking_uri=uri)


class Broken(SilentListener):
    """A listener that fails when a trial has ended."""

    def ended(self, trial, history) -> None:
        raise RuntimeError("the listener is broken")


def test_an_error_in_the_loop_ends_the_trials_that_run(sqlite_store, tmp_path):
    def objective(x):
        (tmp_path / f"pid-{x}").write_text(str(os.getpid()))
        while x == 2 or not (tmp_path / "pid-2").exists():
            time.sleep(0.01)
        return x

    with pytest.raises(RuntimeError, match="the listener is broken"):
        study(sqlite_store, objective, workers=2).run(Broken())
    parent, children = runs_of(sqlite_store, "s")
    found = outcomes(children)  # the free worker may have had further trials already
    assert found[:2] == [(1, 1, "ok", "FINISHED"), (2, 1, "interrupted", "KILLED")]
    assert {each[2:] for each in found[2:]} <= {("ok", "FINISHED"), ("interrupted", "KILLED")}
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FAILED", "aborted")
    assert parent.data.tags["tune.why_stopped"] == "RuntimeError: the listener is broken"
    pid = int((tmp_path / "pid-2").read_text())
    wait_for(lambda: not psutil.pid_exists(pid))

    again = load(sqlite_store).resume().trials
    assert [trial.outcome for trial in again] == ["ok"] * 4
    assert [trial.attempt for trial in again[:2]] == [1, 2]


def test_a_trial_whose_run_is_deleted_meanwhile_is_visited_and_the_study_goes_on(sqlite_store):
    def objective(x):
        if x == 2:
            MlflowClient(sqlite_store).delete_run(os.environ["MLFLOW_RUN_ID"])
        return x

    study(sqlite_store, objective, retries=1).run()
    assert outcomes(runs_of(sqlite_store, "s")[1]) == [(number, 1, "ok", "FINISHED") for number in (1, 3, 4)]
    assert [trial.number for trial in load(sqlite_store).resume().trials] == [1, 3, 4]
    again = load(sqlite_store).resume(retry_failed=True)
    assert [(trial.number, trial.attempt) for trial in again.trials] == [(1, 1), (2, 2), (3, 1), (4, 1)]


def test_a_study_that_is_deleted_meanwhile_leaves_no_child_open(sqlite_store):
    client = MlflowClient(sqlite_store)

    def objective(x):
        if x == 2:
            client.delete_run(client.get_run(os.environ["MLFLOW_RUN_ID"]).data.tags["mlflow.parentRunId"])
        return x

    doomed = study(sqlite_store, objective)
    with pytest.raises(StudyConflict, match="was deleted while it was driven"):
        doomed.run()
    client.restore_run(doomed.run_id)
    assert all(run.info.status == "FINISHED" for run in runs_of(sqlite_store, "s")[1])


@pytest.mark.slow
def test_a_reader_that_leaves_does_not_end_the_study(sqlite_store, tmp_path):
    """As in `mlflow-tune run study.yaml | head -1`."""
    command = [str(Path(sys.executable).with_name("mlflow-tune")), "run", str(study_file(tmp_path, name="piped"))]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": sqlite_store}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline().startswith(b"piped: minimize")
        assert process.stdout.readline().startswith(b"#001")
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert runs_of(sqlite_store, "piped")[0].data.tags["tune.state"] == "finished"


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), SystemExit(3)])
def test_the_serial_executor_keeps_whatever_a_call_raises(error):
    executor = SerialExecutor()

    def call():
        assert executor.busy
        raise error

    assert executor.submit(call).exception() is error
    assert not executor.busy
    assert executor.submit(lambda x: x + 1, 1).result() == 2


def test_log_scale_parameters_are_logged_for_linear_plots_too():
    space = Space({"lr": Float(1e-4, 1, log=True), "units": Int(1, 100, log=True), "x": Float(0, 1)})
    found = space.log10_metrics({"lr": 1e-3, "units": 10, "x": 0.5})
    assert found == pytest.approx({"log10_lr": -3.0, "log10_units": 1.0})


def test_a_trial_that_fails_after_the_budget_is_used_has_its_retries(sqlite_store, tmp_path):
    """The other worker finds the budget used while it runs; the study is not over yet."""

    def objective(x):
        if x == 2 and not (tmp_path / "tried").exists():
            while not (tmp_path / "first").exists():
                time.sleep(0.01)
            time.sleep(1.0)  # until the driver has seen the other one end
            (tmp_path / "tried").touch()
            raise RuntimeError("the first time")
        (tmp_path / "first").touch()
        return x

    study = Study(
        name="late", objective=objective, space={"x": {"type": "int", "low": 1, "high": 3, "grid": [1, 2, 3]}},
        metric="loss", strategy="grid", stop={"trials": 2}, workers=2, retries=1, tracking_uri=sqlite_store,
    ).run()  # fmt: skip
    assert [(trial.number, trial.attempt, trial.outcome) for trial in study.trials] == [(1, 1, "ok"), (2, 2, "ok")]
    assert study.ending.state == "finished"
