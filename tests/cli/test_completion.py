"""What a shell completes: commands, options, files, and the studies of a local store, of which it makes none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from mlflow_tune import Int, Study
from mlflow_tune.cli import main
from tests.support.server import copy_store


def completed(*words: str) -> list[str]:
    """Return what the last word is completed to."""
    *before, last = words
    found = ShellComplete(main, {}, "mlflow-tune", "_MLFLOW_TUNE_COMPLETE").get_completions(before, last)
    return [each.value for each in found if each.type == "plain"]


@pytest.fixture(scope="module")
def uri(store_template, tmp_path_factory):
    """A store with three studies: of one the name is not for a shell."""
    uri = copy_store(store_template, tmp_path_factory.mktemp("named"))
    for name in ("one", "only", "on the\tother"[:6] + " $(hand)"):
        Study(name=name, space={"x": Int(1, 2)}, metric="loss", strategy="manual", tracking_uri=uri).create()
    return uri


def test_commands_and_their_options():
    assert completed("re") == ["replay", "report", "resume"]
    assert "mlproject" not in completed("")
    assert completed("show", "--j") == ["--json"]


@pytest.mark.slow
def test_the_studies_of_a_local_store_newest_first(uri, monkeypatch):
    assert completed("show", "--tracking-uri", uri, "on") == ["only", "one"]
    assert completed("--tracking-uri", uri, "compare", "one", "onl") == ["only"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert completed("show", "o") == ["only", "one"]


def test_study_files_are_among_them():
    Path("study.yaml").touch()
    Path("train.py").touch()
    assert completed("resume", "") == ["study.yaml"]


@pytest.mark.parametrize(
    "uri", ["http://192.0.2.1:5000", "sqlite:///none.db", "sqlite:///text.db", "nonsense://", None]
)
def test_what_is_no_local_store_is_left_alone(uri):
    Path("text.db").write_text("no database")
    more = ["--tracking-uri", uri] if uri else []
    assert completed("show", *more, "o") == []
    assert [path.name for path in Path().iterdir()] == ["text.db"], "nothing is made"


@pytest.mark.slow
def test_each_shell_gets_its_script_and_nobody_waits_for_mlflow():
    command = str(Path(sys.executable).with_name("mlflow-tune"))
    for shell in ("bash", "zsh", "fish"):
        environment = {**os.environ, "_MLFLOW_TUNE_COMPLETE": f"{shell}_source"}
        done = subprocess.run([command], env=environment, capture_output=True, text=True, check=True)
        assert "_MLFLOW_TUNE_COMPLETE" in done.stdout
    code = (
        "import sys; from mlflow_tune.cli import main; from click.shell_completion import ShellComplete\n"
        "ShellComplete(main, {}, 'mlflow-tune', 'X').get_completions(['show'], '')\n"
        "print('mlflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
