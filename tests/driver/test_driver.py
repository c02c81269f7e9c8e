"""What the loop does when something around it breaks: no run is left open, and the study can go on."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

from mlflow_tune import Callback, Int, Study
from mlflow_tune.cli import main
from mlflow_tune.errors import StudyConflict
from mlflow_tune.executors.pool import SerialExecutor
from mlflow_tune.space import Float, Space
from tests.fixtures.small_studies.helpers import fork, outcomes, points, runs_of, study_file, wait_for

SPACE = {"x": Int(1, 4, grid=[1, 2, 3, 4])}


def study(uri: str, objective, **more) -> Study:
    given = {"name": "s", "space": SPACE, "metric": "loss", "strategy": "grid", "tracking_uri": uri, **more}
    return Study(objective=objective, **given)


def load(uri: str) -> Study:
    return Study.load("s", objective=lambda x: x, tracking_uri=uri)


class Fault(BaseException):
    """What a callback may not raise, and so ends the loop as an error of its own would."""


class Broken(Callback):
    """A callback that fails so when the first trial has ended."""

    def __init__(self) -> None:
        self.failed = False

    def on_trial_end(self, trial, history) -> None:
        if not self.failed:
            self.failed = True
            raise Fault("the loop is broken")


class Raising:
    """A callback that can do nothing right."""

    def __getattr__(self, name):
        def fail(*what):
            raise UnicodeEncodeError("ascii", "\ud800", 0, 1, f"{name} is broken \x1b[2J")

        return fail


@pytest.mark.slow
def test_what_a_callback_raises_is_told_once_and_ends_nothing(sqlite_store, caplog):
    told = []
    other = type("Other", (), {"on_trial_end": lambda self, trial, history: told.append(trial.number)})()
    done = study(sqlite_store, lambda x: x).run(callbacks=[Raising(), other])
    assert [trial.outcome for trial in done.trials] == ["ok"] * 4
    assert done.ending.state == "finished"
    [said] = [record.getMessage() for record in caplog.records if "looks on" in record.getMessage()]
    assert said.startswith("whoever looks on failed (UnicodeEncodeError: ")
    assert "on_study_start is broken" in said
    assert said.isprintable()
    assert told == [1, 2, 3, 4], "the others are told all the same"


@pytest.mark.slow
def test_an_error_in_the_loop_ends_the_trials_that_run(sqlite_store, tmp_path):
    def objective(x):
        (tmp_path / f"pid-{x}").write_text(str(os.getpid()))
        while x == 2 or not (tmp_path / "pid-2").exists():
            time.sleep(0.01)
        return x

    with pytest.raises(Fault, match="the loop is broken"):
        study(sqlite_store, objective, workers=2).run(callbacks=[Broken()])
    parent, children = runs_of(sqlite_store, "s")
    found = outcomes(children)  # the free worker may have had further trials already
    assert found[:2] == [(1, 1, "ok", "FINISHED"), (2, 1, "interrupted", "KILLED")]
    assert {each[2:] for each in found[2:]} <= {("ok", "FINISHED"), ("interrupted", "KILLED")}
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FAILED", "aborted")
    assert parent.data.tags["tune.why_stopped"] == "Fault: the loop is broken"
    pid = int((tmp_path / "pid-2").read_text())
    wait_for(lambda: not psutil.pid_exists(pid))

    again = load(sqlite_store).resume().trials
    assert [trial.outcome for trial in again] == ["ok"] * 4
    assert [trial.attempt for trial in again[:2]] == [1, 2]


@pytest.mark.slow
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


@pytest.mark.long
def test_a_reader_that_leaves_does_not_end_the_study(sqlite_store, tmp_path):
    """As in `mlflow-tune run study.yaml | head -1`."""
    command = [str(Path(sys.executable).with_name("mlflow-tune")), "run", str(study_file(tmp_path, name="piped"))]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": sqlite_store}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stdout.readline().startswith(b"piped: minimize")
        assert process.stdout.readline() == b"watch it: mlflow-tune ui piped\n"
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0
    assert runs_of(sqlite_store, "piped")[0].data.tags["tune.state"] == "finished"
    read, write = os.pipe()
    os.close(read)  # as in `mlflow-tune best piped | true`
    command = [command[0], "best", "piped"]
    process = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, env=environment, check=False)
    os.close(write)
    assert (process.returncode, process.stderr) == (0, b"")


@pytest.mark.slow
def test_a_result_that_cannot_be_written_is_an_error(sqlite_store, tmp_path):
    done = study(sqlite_store, lambda x: x).run()
    environment = {**os.environ, "MLFLOW_TRACKING_URI": sqlite_store}
    best = fork(("best", done.run_id), tmp_path, environment, uuid4().hex, Path("/dev/full"), tmp_path / "err")
    assert best.wait() == 1
    assert best.err.read_text() == "Warning: standard output cannot be written: No space left on device\n"


@pytest.mark.long
def test_a_disk_that_is_full_under_its_log_does_not_end_the_study(sqlite_store, tmp_path):
    """As in `mlflow-tune run study.yaml > /dev/full 2> log`, and the other way round."""
    full = Path("/dev/full")
    for name in ("out", "err"):
        files = {"out": tmp_path / f"{name}.out", "err": tmp_path / f"{name}.err", name: full}
        path = study_file(tmp_path / name, name=f"full-{name}")
        environment = {**os.environ, "MLFLOW_TRACKING_URI": sqlite_store}
        driver = fork(("run", str(path), "-v"), tmp_path, environment, uuid4().hex, files["out"], files["err"])
        assert driver.wait() == 0
        parent, children = runs_of(sqlite_store, f"full-{name}")
        assert parent.data.tags["tune.state"] == "finished"
        assert len(points(children, "ok")) == 4
    said = (tmp_path / "out.err").read_text()
    assert said.count("standard output cannot be written: No space left on device") == 1
    assert "Traceback" not in said
    assert "full-err is finished" in (tmp_path / "err.out").read_text()


@pytest.mark.slow
@pytest.mark.parametrize("charset", ["ascii", "latin-1", "utf-8"])
def test_a_line_that_a_console_cannot_show_does_not_end_the_study(sqlite_store, tmp_path, charset):
    path = study_file(
        tmp_path, name="漢字 é", run={"function": "odd:train"}, stop={"failures": 9},
        space={"x": {"type": "categorical", "values": ["漢", "é", "a"]}},
    )  # fmt: skip
    (tmp_path / "odd.py").write_text("def train(x):\n    raise ValueError('half \\ud800 of ' + x)\n", encoding="utf-8")
    words = ["run", str(path), "-v", "--tracking-uri", sqlite_store]
    result = CliRunner(charset=charset).invoke(main, words)
    assert result.exit_code == 1, result.output
    assert "Traceback" not in result.output
    assert "漢字 é".encode(charset, "backslashreplace").decode(charset) in result.stdout
    parent, children = runs_of(sqlite_store, "漢字 é")
    assert parent.data.tags["tune.state"] == "finished"
    assert [run.data.tags["tune.reason"].split(" (")[0] for run in children] == [
        f"ValueError: half ? of {x}" for x in ("漢", "é", "a")
    ]


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


@pytest.mark.slow
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
