"""What the code of a script's objective may pickle within a worker process: its own classes and functions."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mlflow_tune import InputError
from mlflow_tune.launchers import main_module
from tests.fixtures import ROOT
from tests.fixtures.small_studies.helpers import runs_of, start
from tests.support.required import required

SCRIPT = """
import io, multiprocessing, pickle, sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from mlflow_tune.launchers import FunctionLauncher
from mlflow_tune.trial import Job

Path("loaded").open("a").write(f"{__name__}\\n")

class Base:
    def __init__(self, x):
        self.x = x

class Net(Base):
    class Part:
        size = 3

class Unseen:
    size = 7

def square(net):
    return Net(net.x * net.x)

def renamed(function):
    def wrapper(net):
        return function(net)
    wrapper.__name__, wrapper.__qualname__, wrapper.__module__ = "cube", "cube", function.__module__
    return wrapper

@renamed
def cube(net):
    return net.x ** 3

STORED = pickle.dumps(Unseen)

def objective(x, how):
    if how in ("fork", "spawn"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(how)) as pool:
            return pool.submit(square, Net(x)).result().x
    if how == "pickle":
        net, function, part = pickle.loads(pickle.dumps((Net(x), cube, Net.Part)))
        assert type(net) is Net and function is cube and part is Net.Part
        return function(net) + part.size
    if how == "joblib":
        import joblib
        joblib.dump(Net(x), "net.joblib")
        return joblib.load("net.joblib").x
    if how == "torch":
        import torch
        torch.save(Net(x), "net.pt")
        return torch.load("net.pt", weights_only=False).x
    return pickle.loads(STORED).size * x

if __name__ == "__main__":
    launcher = FunctionLauncher(objective, "loss")
    for number, how in enumerate(sys.argv[1:]):
        outcome = launcher(Job(number, {"x": 2.0, "how": how}, "run", "7", "sqlite:////nowhere.db"))
        print(how, outcome.kind, outcome.metrics.get("loss"), outcome.reason)
    launcher.close()
"""


def run(folder, *words: str) -> list[list[str]]:
    """Run the script, or with `-c` as no file, and return what it says of each trial."""
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [line.split(maxsplit=3) for line in done.stdout.splitlines()]


@pytest.mark.slow
@pytest.mark.parametrize("words", [["script.py"], ["-m", "script"]])
def test_what_a_script_defines_can_be_pickled_in_its_objective(tmp_path, words):
    (tmp_path / "script.py").write_text(SCRIPT)
    found = run(tmp_path, *words, "pickle", "joblib", "fork")
    assert found == [["pickle", "ok", "11.0"], ["joblib", "ok", "2.0"], ["fork", "ok", "4.0"]]
    assert (tmp_path / "loaded").read_text().split() == ["__main__"], "a worker needs no second run of the script"
    assert run(tmp_path, *words, "unseen", "unseen", "spawn") == [
        ["unseen", "ok", "14.0"], ["unseen", "ok", "14.0"], ["spawn", "ok", "4.0"],
    ]  # fmt: skip
    loaded = (tmp_path / "loaded").read_text().split()
    assert loaded == ["__main__", "__main__", "__mp_main__", "__mp_main__"], (
        "once by the worker, once by what it spawns"
    )


@pytest.mark.long
def test_torch_saves_what_a_script_defines(tmp_path):
    required("torch", "torch")
    (tmp_path / "script.py").write_text(SCRIPT)
    assert run(tmp_path, "script.py", "torch") == [["torch", "ok", "2.0"]]


def test_what_is_no_file_has_what_the_objective_refers_to_and_is_told_the_remedy_for_the_rest(tmp_path):
    found = run(tmp_path, "-c", SCRIPT, "pickle", "fork", "unseen", "spawn")
    assert found[:2] == [["pickle", "ok", "11.0"], ["fork", "ok", "4.0"]]
    for how, kind, _, reason in found[2:]:
        assert kind == "failed", how
        assert "cannot be loaded there: put it into a module, a .py file, and import it" in reason
    assert found[2][3].startswith("AttributeError: ")
    assert "Unseen" in found[2][3]
    assert found[3][3].startswith("concurrent.futures.process.BrokenProcessPool: ")


UNGUARDED = """
import os, pickle
from pathlib import Path

from mlflow_tune import Study

Path("loaded").open("a").write("once\\n")

class Unseen:
    size = 7

STORED = pickle.dumps(Unseen)

def objective(x):
    return pickle.loads(STORED).size * x

try:
    study = Study(name="unguarded", objective=objective, metric="loss", strategy="grid", workers=2,
                  space={"x": {"type": "int", "low": 1, "high": 4, "grid": 4}}).run()
except Exception as error:
    Path("went-on").write_text(repr(error))
    raise
Path("done").write_text(str([trial.outcome for trial in study.trials]))
"""


@pytest.mark.slow
def test_a_script_without_a_guard_is_loaded_as_far_as_its_study(sqlite_store, tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    process = start([tmp_path / "script.py"], tmp_path, sqlite_store)
    assert process.wait() == 0, process.err.read_text()
    assert (tmp_path / "done").read_text() == str(["ok"] * 4)
    assert (tmp_path / "loaded").read_text().split() in (["once"] * 2, ["once"] * 3)
    assert not (tmp_path / "went-on").exists()
    assert len(runs_of(sqlite_store, "unguarded")[1]) == 4


def test_a_process_that_python_spawns_drives_no_study(monkeypatch):
    process = main_module.multiprocessing.current_process()
    main_module.refuse_while_loading()
    monkeypatch.setattr(process, "_inheriting", True, raising=False)
    with pytest.raises(InputError, match=r'Put what is to run once under `if __name__ == "__main__":`'):
        main_module.refuse_while_loading()
