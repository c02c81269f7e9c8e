"""Studies that a person or a machine stops: Ctrl-C, SIGTERM, `mlflow-tune stop`, failures, timeouts."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner, Result

from mlflow_tune import Int, Study
from mlflow_tune.cli import main
from mlflow_tune.driver.publisher import Publisher
from mlflow_tune.study import lifecycle
from mlflow_tune.tracking import Trials, lease
from tests.fixtures.small_studies.helpers import (
    Tune,
    interrupt,
    nothing_left,
    outcomes,
    points,
    runs_of,
    start,
    study_file,
    tune,
    wait_for,
)
from tests.support.proxy import BUSY

HELD = {"function": "objectives:held", "parameters": {"folder": "."}}
HELD_COMMAND = {"command": [sys.executable, "train.py", "--x", "{x}", "--folder", "."]}
NAME = "held"


def held_study(folder: Path, run: dict, workers: int = 2) -> Path:
    return study_file(folder, name=NAME, run=run, workers=workers)


def running(folder: Path, *numbers: int) -> list[int]:
    """Wait until the trials with these values of x run, and return their processes."""
    files = [folder / f"running-{number}" for number in numbers]
    wait_for(lambda: all(file.exists() and file.read_text() for file in files))
    return [int(file.read_text()) for file in files]


def start_held(folder: Path, uri: str, run: dict, workers: int = 2) -> tuple[Tune, list[int]]:
    process = start(["run", held_study(folder, run, workers), "-v"], folder, uri)
    return process, running(folder, *range(1, workers + 1))


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) for pid in pids)


def as_printed(line: str) -> list[str]:
    words = shlex.split(line)
    assert words[:2] == ["mlflow-tune", "resume"]
    return words[1:]


@pytest.mark.long
@pytest.mark.parametrize("run", [pytest.param(HELD, id="function"), pytest.param(HELD_COMMAND, id="command")])
def test_one_ctrl_c_lets_trials_end_and_the_command_it_prints_goes_on(server, tmp_path, run):
    process, _ = start_held(tmp_path, server, run)
    interrupt(process)
    (tmp_path / "go").touch()

    assert process.wait() == 130
    assert process.out.read_text().count("Ctrl-C: no new trial starts; 2 still run. Press again to kill them.") == 1
    parent, children = runs_of(server, NAME)
    assert outcomes(children) == [(1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED")]
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("KILLED", "interrupted")
    assert "Ctrl-C" in parent.data.tags["tune.why_stopped"]
    nothing_left(process)

    resumed = tune(as_printed(process.last_line), tmp_path, server)
    assert resumed.wait() == 0, resumed.err.read_text()
    parent, children = runs_of(server, NAME)
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in range(1, 5)]
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FINISHED", "finished")
    assert "every point" in parent.data.tags["tune.why_stopped"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "run", [pytest.param(HELD, id="function"), pytest.param(HELD_COMMAND, id="command", marks=pytest.mark.long)]
)
def test_a_second_ctrl_c_kills_the_trials_and_they_run_again(server, tmp_path, run):
    process, pids = start_held(tmp_path, server, run)
    interrupt(process)
    process.signal(signal.SIGINT)

    assert process.wait() == 130
    wait_for(lambda: gone(pids))
    nothing_left(process)
    parent, children = runs_of(server, NAME)
    assert outcomes(children) == [(1, 1, "interrupted", "KILLED"), (2, 1, "interrupted", "KILLED")]
    assert parent.info.status == "KILLED"
    before = points(children)

    (tmp_path / "go").touch()
    assert tune(as_printed(process.last_line), tmp_path, server).wait() == 0
    _, children = runs_of(server, NAME)
    again = [(1, 1, "interrupted", "KILLED"), (1, 2, "ok", "FINISHED"), (2, 1, "interrupted", "KILLED")]
    again += [(2, 2, "ok", "FINISHED"), (3, 1, "ok", "FINISHED"), (4, 1, "ok", "FINISHED")]
    assert outcomes(children) == again
    assert {number: points(children, "ok")[number] for number in before} == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "run"),
    [
        pytest.param(signal.SIGTERM, HELD, id="SIGTERM-function"),
        pytest.param(signal.SIGTERM, HELD_COMMAND, id="SIGTERM-command"),
        pytest.param(signal.SIGHUP, HELD, id="SIGHUP", marks=pytest.mark.slow),
    ],
)
def test_sigterm_kills_the_trials_at_once(sqlite_store, tmp_path, number, run):
    process, pids = start_held(tmp_path, sqlite_store, run)
    os.kill(process.pid, number)

    assert process.wait() == 128 + number
    wait_for(lambda: gone(pids))
    nothing_left(process)
    parent, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(1, 1, "interrupted", "KILLED"), (2, 1, "interrupted", "KILLED")]
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("KILLED", "interrupted")
    assert as_printed(process.last_line)


@pytest.mark.slow
def test_sigterm_interrupts_a_study_that_waits_for_its_last_trials(sqlite_store, tmp_path):
    """The budget is used up, so the study would be finished: but not when its last trial is killed."""
    path = study_file(tmp_path, name=NAME, run=HELD, workers=2, stop={"trials": 1})
    process = start(["run", path, "-v"], tmp_path, sqlite_store)
    running(tmp_path, 1)
    process.said("stopped: trials")
    process.signal(signal.SIGTERM)

    assert process.wait() == 143
    parent, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(1, 1, "interrupted", "KILLED")]
    assert parent.data.tags["tune.state"] == "interrupted"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, -15, marks=pytest.mark.slow)]
)
def test_an_interruption_before_the_first_run_leaves_nothing(sqlite_store, tmp_path, number, code):
    path = study_file(tmp_path, name=NAME, run={"function": "hanging:function"})
    (tmp_path / "hanging.py").write_text("import pathlib, time\npathlib.Path('importing').touch()\ntime.sleep(3600)\n")
    process = start(["run", path], tmp_path, sqlite_store)
    wait_for((tmp_path / "importing").exists)
    process.signal(number)

    assert process.wait() == code
    nothing_left(process)
    assert runs_of(sqlite_store, NAME) == (None, [])


@pytest.mark.slow
def test_nohup_ignores_sighup(sqlite_store, tmp_path):
    (tmp_path / "ignoring.py").write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "from mlflow_tune.cli import main\n"
        "main(sys.argv[1:], prog_name='mlflow-tune')\n"
    )
    path = held_study(tmp_path, HELD, workers=1)
    process = start([tmp_path / "ignoring.py", "run", path, "-v"], tmp_path, sqlite_store)
    running(tmp_path, 1)
    process.signal(signal.SIGHUP)
    (tmp_path / "go").touch()
    assert process.wait() == 0, process.err.read_text()


@pytest.mark.slow
def test_stop_from_another_process_ends_a_study(sqlite_store, tmp_path):
    process, _ = start_held(tmp_path, sqlite_store, HELD)
    stop = tune(["stop", NAME], tmp_path, sqlite_store)
    assert stop.wait() == 0
    assert "asked to stop" in stop.out.read_text()
    process.said("no new trials")
    (tmp_path / "go").touch()

    assert process.wait() == 130
    parent, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED")]
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("KILLED", "interrupted")
    assert "mlflow-tune stop" in parent.data.tags["tune.why_stopped"]
    # The request is not held against the study that is resumed.
    assert tune(as_printed(process.last_line), tmp_path, sqlite_store).wait() == 0


def in_process(objective, uri: str, **more) -> Study:
    space = {"x": Int(1, 4, grid=[1, 2, 3, 4])}
    return Study(name=NAME, objective=objective, space=space, metric="loss", strategy="grid", tracking_uri=uri, **more)


@pytest.mark.slow
def test_ctrl_c_in_a_python_script_lets_the_trial_end_and_reaches_the_caller(sqlite_store):
    def objective(x):
        if x == 2:
            signal.raise_signal(signal.SIGINT)
        return x

    before = signal.getsignal(signal.SIGINT)
    study = in_process(objective, sqlite_store)
    with pytest.raises(KeyboardInterrupt):
        study.run()
    assert signal.getsignal(signal.SIGINT) is before
    parent, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED")]
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("KILLED", "interrupted")
    assert study.record.state == "interrupted"

    Study.load(NAME, objective=lambda x: x, tracking_uri=sqlite_store).resume()
    parent, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in range(1, 5)]


@pytest.mark.slow
@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_python_script_can_be_cut_short(sqlite_store, number, raised):
    def objective(x):
        if x == 2:
            signal.raise_signal(number)
            signal.raise_signal(number)
            pytest.fail("the objective goes on")
        return x

    with pytest.raises(raised) as caught:
        in_process(objective, sqlite_store).run()
    assert number == signal.SIGINT or caught.value.code == 143
    parent, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(1, 1, "ok", "FINISHED"), (2, 1, "interrupted", "KILLED")]
    assert parent.info.status == "KILLED"
    Study.load(NAME, objective=lambda x: x, tracking_uri=sqlite_store).resume()
    assert outcomes(runs_of(sqlite_store, NAME)[1])[1:3] == [(2, 1, "interrupted", "KILLED"), (2, 2, "ok", "FINISHED")]


@pytest.mark.slow
def test_an_objective_that_raises_keyboardinterrupt_itself_interrupts_its_study(sqlite_store):
    def objective(x):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        in_process(objective, sqlite_store).run()
    parent, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(1, 1, "interrupted", "KILLED")]
    assert parent.info.status == "KILLED"


class InterruptedAt:
    """A method that raises a signal twice when it is called first."""

    def __init__(self, target, method: str, number: int = signal.SIGINT) -> None:
        self.calls, self._before = 0, getattr(target, method)
        self._number = number

    def method(self):
        def interrupted(*args, **options):
            self.calls += 1
            if self.calls == 1:
                signal.raise_signal(self._number)
                signal.raise_signal(self._number)
            return self._before(*args, **options)

        return interrupted


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "method"),
    [
        (lifecycle, "take_name"),  # the parent run is there, and nothing else
        (lifecycle, "save_view"),
        (lease, "_take"),
        (Trials, "log_point"),  # a child run is there, and its trial has not begun
        (Trials, "log_end"),
        (Trials, "terminate"),  # the trial has an outcome, and its run no status
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_interruptions_at_bad_moments_leave_no_run_open(sqlite_store, monkeypatch, target, method, number):
    at = InterruptedAt(target, method, number)
    monkeypatch.setattr(target, method, at.method())
    with pytest.raises((KeyboardInterrupt, SystemExit)):
        in_process(lambda x: x, sqlite_store).run()
    assert at.calls
    parent, children = runs_of(sqlite_store, NAME)
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("KILLED", "interrupted")
    assert all(run.info.status in ("FINISHED", "KILLED") for run in children)
    Study.load(NAME, objective=lambda x: x, tracking_uri=sqlite_store).resume()
    parent, children = runs_of(sqlite_store, NAME)
    assert sorted(points(children, "ok")) == [1, 2, 3, 4]
    assert parent.info.status == "FINISHED"


def test_an_interruption_while_the_trials_are_read_starts_none(sqlite_store, monkeypatch):
    in_process(lambda x: x, sqlite_store).create()
    at = InterruptedAt(Trials, "take_over", signal.SIGINT)
    monkeypatch.setattr(Trials, "take_over", at.method())
    with pytest.raises(KeyboardInterrupt):
        Study.load(NAME, objective=lambda x: x, tracking_uri=sqlite_store).resume("+1")
    assert at.calls == 1
    parent, children = runs_of(sqlite_store, NAME)
    assert (parent.info.status, parent.data.tags["tune.state"], children) == ("KILLED", "interrupted", [])


def test_an_interruption_while_the_last_words_are_written_changes_nothing(sqlite_store, monkeypatch):
    at = InterruptedAt(Publisher, "close")
    monkeypatch.setattr(Publisher, "close", at.method())
    in_process(lambda x: x, sqlite_store).run()
    parent, _ = runs_of(sqlite_store, NAME)
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FINISHED", "finished")


@pytest.mark.long
def test_a_second_ctrl_c_gives_up_a_server_that_is_away(proxy, tmp_path):
    """Without it the driver would wait for ten minutes more."""
    process = start(["run", held_study(tmp_path, HELD, workers=1), "-v"], tmp_path, proxy.uri)
    running(tmp_path, 1)
    proxy.spoil("/", BUSY, times=10**9)
    process.said("waiting for the tracking server")
    for _ in range(2):
        process.signal(signal.SIGINT)
        time.sleep(1)  # two signals at once would be one
    assert process.wait() == 3
    nothing_left(process)


def cli(uri: str, *words: object) -> Result:
    """Run `mlflow-tune` in this process."""
    return CliRunner().invoke(main, [*map(str, words), "--tracking-uri", uri])


@pytest.mark.slow
def test_failures_in_a_row_abort_and_failed_trials_can_be_tried_again(sqlite_store, tmp_path):
    run = {"function": "objectives:broken_until_mended", "parameters": {"folder": "."}}
    path = study_file(tmp_path, name=NAME, run=run, stop={"failures": 3})
    aborted = cli(sqlite_store, "run", path)
    assert aborted.exit_code == 1, aborted.output
    parent, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(number, 1, "failed", "FAILED") for number in (1, 2, 3)]
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FAILED", "aborted")
    assert "failures: 3 in a row" in parent.data.tags["tune.why_stopped"]
    assert "broken at 3" in parent.data.tags["tune.why_stopped"]
    assert as_printed(aborted.stdout.splitlines()[-1])[1] == NAME

    # The failures of the session before do not count; a failed point counts as visited.
    (tmp_path / "mended").touch()
    assert cli(sqlite_store, "resume", NAME).exit_code == 0
    assert points(runs_of(sqlite_store, NAME)[1], "ok") == {4: {"x": 4}}

    assert cli(sqlite_store, "resume", NAME, "--retry-failed").exit_code == 0
    parent, children = runs_of(sqlite_store, NAME)
    assert points(children, "ok") == {number: {"x": number} for number in range(1, 5)}
    assert [entry[:3] for entry in outcomes(children) if entry[1] == 2] == [(n, 2, "ok") for n in (1, 2, 3)]
    assert parent.info.status == "FINISHED"


@pytest.mark.slow
def test_a_failed_trial_is_tried_again_as_often_as_asked(sqlite_store, tmp_path):
    run = {"function": "objectives:broken_until_mended", "parameters": {"folder": "."}, "retries": 1}
    path = study_file(tmp_path, name=NAME, run=run, stop={"trials": 2, "failures": 2})
    assert cli(sqlite_store, "run", path).exit_code == 1
    _, children = runs_of(sqlite_store, NAME)
    failed = [(number, attempt, "failed", "FAILED") for number in (1, 2) for attempt in (1, 2)]
    assert outcomes(children) == failed
    assert (tmp_path / "calls").read_text().split() == ["1", "1", "2", "2"]


@pytest.mark.slow
def test_a_trial_that_takes_too_long_is_stopped(sqlite_store, tmp_path):
    path = study_file(
        tmp_path, name=NAME, run={"function": "objectives:too_slow", "timeout": "1s"}, stop={"failures": 2}
    )
    assert cli(sqlite_store, "run", path).exit_code == 1
    _, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(1, 1, "ok", "FINISHED"), (2, 1, "timeout", "FAILED"), (3, 1, "timeout", "FAILED")]
    assert "longer than 1s" in children[1].data.tags["tune.reason"]


@pytest.mark.slow
def test_a_finished_study_goes_on_when_its_budget_is_raised(sqlite_store, tmp_path):
    space = {"x": {"type": "float", "low": 0, "high": 1}}
    path = study_file(tmp_path, name=NAME, space=space, strategy={"name": "random", "seed": 3}, stop={"trials": 2})
    assert cli(sqlite_store, "run", path).exit_code == 0
    parent, children = runs_of(sqlite_store, NAME)
    assert len(children) == 2
    assert cli(sqlite_store, "resume", NAME, "--trials", "+3").exit_code == 0
    assert len(runs_of(sqlite_store, NAME)[1]) == 5
    assert cli(sqlite_store, "resume", parent.info.run_id, "--trials", "7").exit_code == 0
    parent, children = runs_of(sqlite_store, NAME)
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in range(1, 8)]
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FINISHED", "finished")
    # In pieces as in one: the draws are those of a study that never stopped.
    assert cli(sqlite_store, "run", path, "--trials", 7, "--name", "whole").exit_code == 0
    assert points(runs_of(sqlite_store, "whole")[1]) == points(children)
