"""What every launcher promises, whatever it runs: one suite over all of them."""

import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psutil
import pytest

from mlflow_tune.errors import InputError
from mlflow_tune.launchers import CommandLauncher, FunctionLauncher, ObjectiveLauncher, ProjectLauncher
from mlflow_tune.space import Categorical, Float, Space
from tests.fixtures.launcher_project import behave
from tests.fixtures.launcher_project.helpers import HERE, gone, job, tree_of, wait_for

MIB = 2**20
COMMAND = ["python", "behave.py", "--do", "{do}", "--lr", "{lr}"]
SPACE = Space({"lr": Float(1e-3, 1.0)})

LAUNCHERS = {
    "command": lambda fixed, **limits: CommandLauncher(COMMAND, fixed, folder=HERE, **limits),
    "function": lambda fixed, **limits: FunctionLauncher("behave:objective", "loss", fixed, folder=HERE, **limits),
    "pickled": lambda fixed, **limits: FunctionLauncher(behave.objective, "loss", fixed, folder=HERE, **limits),
    "objective": lambda fixed: ObjectiveLauncher(behave.objective, "loss", fixed),
    "project": lambda fixed, **limits: ProjectLauncher(str(HERE), "main", fixed, folder="/", **limits),
    "bare project": lambda fixed, **limits: ProjectLauncher(".", "behave.py", fixed, folder=HERE, **limits),
}
SUPERVISED = [name for name in LAUNCHERS if name != "objective"]


@pytest.fixture
def launch(request):
    """Make a launcher that is closed after the test."""

    def make(kind, do="ok", **limits):
        launcher = LAUNCHERS[kind]({"do": do}, **limits)
        request.addfinalizer(launcher.close)
        return launcher

    return make


every = pytest.mark.parametrize("kind", LAUNCHERS)
supervised = pytest.mark.parametrize("kind", SUPERVISED)


@every
def test_a_trial_that_ends_well_is_ok(launch, kind):
    launcher = launch(kind)
    launcher.check(SPACE)
    launcher.prepare()
    outcome = launcher(job(lr=0.25))
    assert (outcome.kind, outcome.reason) == ("ok", "")
    assert outcome.logged or outcome.metrics == {"loss": 0.25}


@every
def test_a_trial_that_raises_is_failed_with_the_reason_and_the_traceback(launch, kind):
    outcome = launch(kind, "raise")(job(lr=0.25))
    assert outcome.kind == "failed"
    assert "ValueError: no luck with 0.25" in outcome.reason
    assert b"Traceback" in outcome.output


@supervised
def test_what_is_printed_comes_with_the_trial_that_printed_it(launch, kind):
    launcher = launch(kind)
    assert [launcher(job(lr=lr)).output for lr in (0.25, 0.5)] == [
        b"ok with lr=0.25 units=1\n",
        b"ok with lr=0.5 units=1\n",
    ]


@every
def test_code_sees_its_slot_and_its_devices_alone(launch, kind, monkeypatch, capsys):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5,6,7")
    monkeypatch.delenv("HIP_VISIBLE_DEVICES", raising=False)
    launcher = launch(kind, "environment")
    seen = []
    for place in ({}, {"slot": 3, "devices": ("6", "GPU-5d5ba0d6")}):
        output = launcher(replace(job(lr=0.25), **place)).output.decode() or capsys.readouterr().out
        seen.append(json.loads(output.splitlines()[1]))
    names = ("MLFLOW_TUNE_SLOT", "CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
    assert [seen[0].get(name) for name in names] == ["0", "4,5,6,7", None, None], "what there is stays"
    assert [seen[1].get(name) for name in names] == ["3", "6,GPU-5d5ba0d6", "6,GPU-5d5ba0d6", "0,1"]
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "4,5,6,7"
    assert "MLFLOW_TUNE_SLOT" not in os.environ


@every
def test_code_sees_the_run_and_nothing_of_the_parent(launch, kind, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "parent's")
    monkeypatch.setenv("MLFLOW_RUN_ID", "parent")
    monkeypatch.setenv("MLFLOW_RUN_CONTEXT", '{"team": "blue", "tune.of": "another"}')
    output = launch(kind, "environment")(job(number=5, lr=0.25)).output.decode() or capsys.readouterr().out
    seen = json.loads(output.splitlines()[1])
    assert seen["MLFLOW_RUN_ID"] == "run5"
    assert seen["MLFLOW_EXPERIMENT_ID"] == "7"
    assert seen["MLFLOW_TRACKING_URI"] == "sqlite:////nowhere/mlflow.db"
    assert "MLFLOW_EXPERIMENT_NAME" not in seen
    assert os.environ["MLFLOW_RUN_ID"] == "parent"
    assert os.environ["MLFLOW_EXPERIMENT_NAME"] == "parent's"
    assert json.loads(seen["MLFLOW_RUN_CONTEXT"]) == {"team": "blue", "tune.of": "run5", "tune.of_study": "study"}
    assert "another" in os.environ["MLFLOW_RUN_CONTEXT"]
    assert seen["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] == "true"
    if kind != "objective":
        assert seen["cwd"] == str(HERE)


@pytest.mark.slow
@supervised
def test_a_timeout_ends_the_whole_tree(launch, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("TREE", str(tmp_path / "tree"))
    launcher = launch(kind, "tree", timeout=4)
    outcome = launcher(job(lr=0.25))
    assert (outcome.kind, outcome.reason) == ("timeout", "took longer than 4s")
    assert gone(tree_of(tmp_path / "tree"))


@supervised
def test_too_much_memory_in_all_its_processes_ends_the_whole_tree(launch, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("TREE", str(tmp_path / "tree"))
    launcher = launch(kind, "hoard", memory=150 * MIB)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(launcher, job(lr=0.25))
        tree = tree_of(tmp_path / "tree")
        outcome = running.result(60)
    assert outcome.kind == "failed"
    found = re.fullmatch(r"used (\S+) MiB of memory, more than its limit of 150 MiB \(run\.memory\)", outcome.reason)
    assert 150 < float(found[1]) < 400
    assert gone(tree)


@supervised
def test_a_trial_within_its_limits_is_left_alone(launch, kind):
    assert launch(kind, memory=2**40, timeout=100.0)(job(lr=0.25)).kind == "ok"


@pytest.mark.slow
@supervised
def test_stop_interrupts_what_runs_and_what_comes_later(launch, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("TREE", str(tmp_path / "tree"))
    launcher = launch(kind, "tree")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(launcher, job(lr=0.25))
        tree = tree_of(tmp_path / "tree")
        launcher.stop()
        launcher.stop()
        assert running.result(20).kind == "interrupted"
    assert len(tree) == 5
    assert gone(tree)
    assert launcher(job(lr=0.25)).kind == "interrupted"


@pytest.mark.slow
@supervised
def test_prune_ends_one_trial_with_all_that_it_started_and_no_other(launch, kind, tmp_path, monkeypatch):
    monkeypatch.setenv("TREE", str(tmp_path / "tree"))
    launcher = launch(kind, "tree")
    with ThreadPoolExecutor() as pool:
        running = pool.submit(launcher, job(lr=0.25))
        tree = tree_of(tmp_path / "tree")
        assert launcher.prune("run1", 0) and launcher.prune("run1", 0)
        assert running.result(20).kind == "pruned"
    assert len(tree) == 5
    assert gone(tree)
    assert launcher.prune("run2", 0)
    assert launcher(job(2, lr=0.25)).kind == "pruned", "one that begins later runs on"


@every
def test_after_stop_nothing_starts(launch, kind):
    launcher = launch(kind)
    launcher.stop()
    assert launcher(job(lr=0.25)).kind == "interrupted"


@pytest.mark.slow
@supervised
def test_trials_overlap_and_one_timeout_leaves_the_others_alone(launch, kind):
    slow, quick = launch(kind, "sleep", timeout=1.0), launch(kind)
    with ThreadPoolExecutor() as pool:
        late = pool.submit(slow, job(lr=0.5))
        others = [pool.submit(quick, job(number, lr=0.25)) for number in range(4)]
        assert [other.result(60).kind for other in others] == ["ok"] * 4
        assert late.result(60).kind == "timeout"


@every
def test_close_may_come_twice_and_leaves_nothing(launch, kind):
    there = {process.pid for process in psutil.Process().children(recursive=True)}
    launcher = launch(kind)
    launcher(job(lr=0.25))
    launcher.close()
    launcher.close()
    assert {process.pid for process in psutil.Process().children(recursive=True)} <= there


@pytest.mark.parametrize("kind", [name for name in LAUNCHERS if name != "bare project"])  # that one takes any
def test_a_parameter_that_the_code_does_not_take_is_refused(launch, kind):
    with pytest.raises(InputError, match="lrr"):
        launch(kind).check(Space({"lr": Float(0, 1), "lrr": Float(0, 1)}))


@every
def test_a_parameter_is_fixed_or_searched(launch, kind):
    with pytest.raises(InputError, match=r"^parameters\.do: "):
        launch(kind).check(Space({"lr": Float(0, 1), "do": Categorical(["ok", "raise"])}))


def test_a_callable_may_be_what_no_module_holds(launch):
    factor = 2
    launcher = FunctionLauncher(lambda lr: factor * lr, "loss")
    try:
        launcher.check(SPACE)
        assert launcher(job(lr=0.25)).metrics == {"loss": 0.5}
    finally:
        launcher.close()


@pytest.fixture(autouse=True)
def no_process_is_left():
    before = set(psutil.Process().children(recursive=True))
    yield
    wait_for(lambda: set(psutil.Process().children(recursive=True)) <= before)
