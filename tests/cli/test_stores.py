"""Which store a command asks: it names it, makes none to look, and prints commands that find it from everywhere."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlflow_tune import InputError, Int, Study, StudyConflict, StudyNotFound
from mlflow_tune.cli import main
from mlflow_tune.study.handle import resume_command, study_command
from mlflow_tune.tracking.address import check_address, is_local, nearby
from tests.fixtures.small_studies.helpers import runs_of, study_file
from tests.support.terminal import at_terminal, plain


def invoke(*words: object) -> Result:
    """Run `mlflow-tune` in this process."""
    return CliRunner().invoke(main, [*map(str, words)])


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http//localhost:5000", "is no address: did you mean http://localhost:5000?"),
        ("https:/me.org/mlflow", "is no address: did you mean https://me.org/mlflow?"),
        ("htp://localhost:5000", "begins with htp://, which MLflow does not know: did you mean http://localhost:5000?"),
        ("localhost:5000", "does not begin with http:// or https://: did you mean http://localhost:5000?"),
        ("127.0.0.1:80/x", "did you mean http://127.0.0.1:80/x?"),
        ("http://", "names no host"),
        ("sqlite://mlflow.db", "names no file: three slashes lead to one, as in sqlite:///mlflow.db"),
        ("runs/mlflow.db", "is a path: did you mean sqlite:///runs/mlflow.db?"),
        ("gopher://x", "begins with gopher://, which MLflow does not know: known are http, https, sqlite, mysql"),
    ],
)
def test_a_misspelt_address_is_told_with_the_one_that_is_meant(uri, said):
    with pytest.raises(InputError) as caught:
        check_address(uri)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "uri",
    [
        *("http://localhost:5000", "https://me.org/mlflow", "sqlite:///mlflow.db", "sqlite:////tmp/a.db"),
        *("sqlite:///:memory:", "postgresql+psycopg2://me@db/x", "databricks", "databricks://profile"),
        *("file:///tmp/mlruns", "./mlruns", "/tmp/mlruns", "mlruns"),
    ],
)
def test_addresses_that_mlflow_knows_are_left_to_it(uri):
    check_address(uri)


def test_a_secret_in_a_misspelt_address_is_not_told():
    with pytest.raises(InputError) as caught:
        check_address("htp://ann:hunter2@localhost:5000")
    assert "hunter2" not in str(caught.value)
    assert [is_local(uri) for uri in ("sqlite:////a.db", "mlruns", "file:///a", "http://a", "mysql://a")] == [
        *(True, True, True, False, False)
    ]


def test_to_look_makes_no_store_and_names_those_that_lie_near(tmp_path, monkeypatch):
    folder = tmp_path / "above" / "below"
    folder.mkdir(parents=True)
    (tmp_path / "mlflow.db").touch()
    monkeypatch.chdir(folder)
    asked, near = f"sqlite:///{folder}/mlflow.db", f"sqlite:///{tmp_path}/mlflow.db"
    said = f"there is no study yet: the store {asked} does not exist; also near: --tracking-uri {near}"
    for words in (["list"], ["show", "x"], ["resume", "x"], ["ui"], ["show", "f" * 32]):
        result = invoke(*words)
        assert said in result.output, result.output
        assert result.exit_code == (0 if words == ["list"] else 2)
    assert json.loads(invoke("list", "--json").stdout)["studies"] == []
    with pytest.raises(StudyNotFound, match="there is no study yet"):
        Study.load("x")
    assert [*folder.iterdir()] == []
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:hunter2@server:5000")
    assert nearby(asked) == ["http://server:5000", near]


@pytest.mark.slow
def test_commands_that_are_printed_work_in_every_folder(sqlite_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = f"sqlite:///{Path(sqlite_store.removeprefix('sqlite:///')).relative_to(tmp_path)}"
    path = study_file(tmp_path / "code", name="here", stop={"trials": 2})
    ran = invoke("run", path, "--tracking-uri", relative)
    assert f"mlflow-tune ui here --tracking-uri {sqlite_store}" in ran.stdout
    record = runs_of(sqlite_store, "here")[0]
    monkeypatch.chdir(tmp_path / "code")
    assert "any machine" not in record.data.tags["mlflow.note.content"]
    command = record.data.tags["mlflow.note.content"].splitlines()[-1].strip()
    assert command == f"mlflow-tune resume {record.info.run_id} --tracking-uri {sqlite_store}"
    assert invoke(*shlex.split(command)[1:], "--trials", "+1").exit_code == 0
    # The same name in another experiment: only the run id is no riddle then, and the options may stand before it all.
    other = ["--tracking-uri", sqlite_store, "--experiment", "other"]
    again = invoke(*other, "run", path)
    assert again.exit_code == 0, again.stderr
    assert "mlflow-tune ui here" not in again.stdout
    assert len(json.loads(invoke(*other, "--json", "list").stdout)["studies"]) == 1
    missing = invoke("--tracking-uri", "htp://nowhere", "show", "gone", "--tracking-uri", sqlite_store)
    assert f"no study is named 'gone' at {sqlite_store};" in missing.stderr, "what stands behind the command counts"


def test_the_environment_names_a_store_only_as_it_is_everywhere(monkeypatch):
    uri = "sqlite:////data/mlflow.db"
    assert study_command("watch", "a b", uri) == f"mlflow-tune watch 'a b' --tracking-uri {uri}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert study_command("watch", "x", uri) == "mlflow-tune watch x"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    assert study_command("watch", "x", uri).endswith(uri)


@pytest.mark.slow
def test_a_plus_counts_from_the_budget_or_from_what_has_run_and_try_leaves_no_killed_run(sqlite_store, tmp_path):
    path = study_file(tmp_path, name="odd", metric="loss", goal="maximize")
    words = ["--tracking-uri", sqlite_store]
    tried = invoke("try", path, "-P", "x=2", "--note", "first", "--yes", *words)
    assert tried.exit_code == 0, tried.output
    assert tried.stderr.count("odd is to maximize loss: if that is not meant, give goal: minimize") == 1
    run, _ = runs_of(sqlite_store, "odd")
    assert (run.info.status, run.data.tags["tune.state"]) == ("FINISHED", "interrupted")
    with pytest.raises(StudyConflict, match="'odd' exists and is not finished"):
        Study(name="odd", objective=lambda x: x, space={"x": Int(1, 4)}, metric="loss", stop={"trials": 1},
              tracking_uri=sqlite_store).run()  # fmt: skip

    def budget() -> object:
        return json.loads(runs_of(sqlite_store, "odd")[0].data.tags["tune.budget"]).get("trials")

    assert invoke("resume", "odd", "--trials", "3", *words).exit_code == 0
    assert budget() == 3
    assert invoke("resume", "odd", "--trials", "+2", *words).exit_code == 0
    assert budget() == 5
    lowered = invoke("resume", "odd", "--trials", "4", *words)
    assert "the budget is lowered from 5 trials to 4" in lowered.stderr
    assert budget() == 4


@pytest.mark.slow
def test_an_odd_goal_is_asked_about_at_a_terminal_before_anything_is_made(sqlite_store, tmp_path):
    path = study_file(tmp_path, name="asked", metric="val_loss", goal="maximize")
    pressed = []

    def press(terminal: int) -> None:
        if not pressed:
            pressed.append(os.write(terminal, b"n\n"))

    screen, code = at_terminal(["run", path], sqlite_store, press)
    said = plain(screen)
    assert (code, said.count("asked is to maximize val_loss"), "Run it anyway?" in said) == (1, 1, True)
    assert "Nothing was run." in said
    assert invoke("list", "--json", "--tracking-uri", sqlite_store).stdout == '{\n  "schema": 1,\n  "studies": []\n}\n'


@pytest.mark.slow
def test_the_text_of_a_resume_is_that_of_its_store(sqlite_store):
    made = Study(name="py", objective=lambda x: x, space={"x": Int(1, 4)}, metric="loss", stop={"trials": 1},
                 tracking_uri=sqlite_store).create()  # fmt: skip
    assert resume_command(made.record, made.spec, sqlite_store, word="py") == (
        f"Study.load('py', objective=..., tracking_uri={sqlite_store!r}).resume()"
    )
