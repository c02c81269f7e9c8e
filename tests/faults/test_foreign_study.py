"""A study that another user wrote: what it would run here is shown, and a person is asked first."""

from __future__ import annotations

import getpass
import os
import uuid
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from mlflow_tune import Study
from mlflow_tune.cli import main
from mlflow_tune.tracking import Client, Studies
from tests.fixtures.small_studies.helpers import runs_of, study_folder
from tests.support.terminal import at_terminal, plain

SPACE = {"x": {"type": "int", "low": 1, "high": 4, "grid": [1, 2, 3, 4]}}
FUNCTION = {"function": "objectives:total"}


@pytest.fixture
def made(sqlite_store: str, tmp_path: Path):
    """Make studies that are not run yet, as another user, with what they run; return their run ids."""

    def make(user: str = "eve", run: dict | None = None) -> str:
        study = Study(
            name=f"foreign-{uuid.uuid4().hex}", run=run or FUNCTION, space=SPACE, metric="loss", strategy="grid",
            tracking_uri=sqlite_store, folder=study_folder(tmp_path),
        ).create()  # fmt: skip
        MlflowClient(sqlite_store).set_tag(study.run_id, "mlflow.user", user)
        return study.run_id

    return make


def cli(uri: str, *words: object) -> Result:
    """Run `mlflow-tune` in this process, with no terminal."""
    return CliRunner().invoke(main, [*map(str, words), "--tracking-uri", uri])


def children(uri: str, run_id: str) -> int:
    return len(runs_of(uri, Studies(Client(uri)).get(run_id).name)[1])


@pytest.mark.parametrize("words", [("resume",), ("try", "-P", "x=1")], ids=["resume", "try"])
def test_without_a_terminal_it_is_refused_and_the_option_named(sqlite_store, made, words):
    run_id = made()
    refused = cli(sqlite_store, words[0], run_id, *words[1:])
    assert refused.exit_code == 2
    [line] = refused.stderr.splitlines()
    assert "was written by eve and runs the function `objectives:total`" in line
    assert "--yes" in line
    assert children(sqlite_store, run_id) == 0, "not even queued"
    trusted = cli(sqlite_store, words[0], run_id, *words[1:], "--yes")
    assert trusted.exit_code == 0, trusted.output
    assert children(sqlite_store, run_id) == (4 if words[0] == "resume" else 1)


def test_ones_own_study_and_python_code_are_not_asked(sqlite_store, made):
    assert cli(sqlite_store, "resume", made(user=getpass.getuser())).exit_code == 0
    foreign = made()
    assert len(Study.load(foreign, tracking_uri=sqlite_store).resume().trials) == 4


def test_who_drove_it_last_counts_too(sqlite_store, made, monkeypatch):
    run_id = made(user=getpass.getuser())
    with monkeypatch.context() as patch:
        patch.setenv("LOGNAME", "mallory")
        Study.load(run_id, tracking_uri=sqlite_store).resume(2)
    refused = cli(sqlite_store, "resume", run_id, "--trials", "+2")
    assert refused.exit_code == 2
    assert "was written by mallory" in refused.stderr


def test_the_words_cannot_hide_from_a_terminal(sqlite_store, made):
    hidden = {"command": ["sh", "-c", "rm -rf ~ # \x1b[2K\r\x1b[8m{x}"]}
    refused = cli(sqlite_store, "resume", made("eve\x1b[2K\nError: nothing", hidden))
    assert refused.exit_code == 2
    [line] = refused.stderr.splitlines()
    assert line.isprintable()
    assert "sh -c 'rm -rf ~ # \\x1b[2K\\r\\x1b[8m{x}'" in line


@pytest.mark.slow
@pytest.mark.parametrize(("answer", "code", "trials"), [("y", 0, 4), ("n", 1, 0)])
def test_at_a_terminal_the_answer_counts(sqlite_store, made, tmp_path, answer, code, trials):
    run_id, waiting = made(), [answer]

    def press(terminal: int) -> None:
        if waiting:
            os.write(terminal, f"{waiting.pop()}\n".encode())

    screen, found = at_terminal(["resume", run_id], sqlite_store, press)
    assert found == code, screen
    assert f"in the folder {tmp_path}" in plain(screen)
    assert "Run it here? [y/N]" in plain(screen)
    assert ("Nothing was run." in screen) == (answer == "n")
    assert children(sqlite_store, run_id) == trials
