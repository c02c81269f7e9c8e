"""What somebody else has written into a study is shown, and a person is asked, before any of it runs here.

An attacker here may write whatever they like to the tracking server: names, users, definitions, points.
"""

from __future__ import annotations

import getpass
import json
import os
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from mlflow_tune import Study
from mlflow_tune.cli import main
from mlflow_tune.errors import InputError
from mlflow_tune.study import approvals
from mlflow_tune.tracking import Client, Studies
from tests.fixtures.small_studies.helpers import runs_of
from tests.support.terminal import at_terminal, plain

SPACE = {
    "x": {"type": "int", "low": 1, "high": 4, "grid": [1, 2, 3, 4]},
    "kind": {"type": "categorical", "values": ["a", "b"], "grid": ["a"]},
}
FUNCTION = {"function": "mine:train", "parameters": {"epochs": 3}}
COMMAND = {"command": ["python", "train.py", "{x}", "{kind}", "{epochs}"], "parameters": {"epochs": 3}}


def code(folder: Path) -> Path:
    """Make a folder with the code of the studies, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.py").write_text("def train(x, kind, epochs):\n    return x + epochs\n")
    return folder


@pytest.fixture
def made(sqlite_store: str, tmp_path: Path):
    """Make studies that are not run yet, with what they run; return their run ids."""

    def make(run: dict[str, Any] | None = None) -> str:
        study = Study(
            name=f"foreign-{uuid.uuid4().hex}",
            run=run or FUNCTION,
            space=SPACE,
            metric="loss",
            strategy="grid",
            tracking_uri=sqlite_store,
            folder=code(tmp_path),
        ).create()
        return study.run_id

    return make


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Become somebody who has approved nothing: on another machine, or another user."""

    def become(name: str) -> Path:
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))
        return tmp_path / name / "mlflow-tune" / "approvals.jsonl"

    return become


def cli(uri: str, *words: object) -> Result:
    """Run `mlflow-tune` in this process, with no terminal."""
    return CliRunner().invoke(main, [*map(str, words), "--tracking-uri", uri])


def children(uri: str, run_id: str) -> int:
    return len(runs_of(uri, Studies(Client(uri)).get(run_id).name)[1])


def rewrite(uri: str, run_id: str, change: dict[str, Any]) -> None:
    """Write over parts of the definition that the server holds; a key may be a path."""
    client = MlflowClient(uri)
    definition = json.loads(client.get_run(run_id).data.tags["tune.spec"])
    for path, value in change.items():
        inner, keys = definition, path.split(".")
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
        inner[keys[-1]] = value
    client.set_tag(run_id, "tune.spec", json.dumps(definition))


@pytest.mark.slow
def test_what_one_has_started_is_not_asked_about_and_nobody_elses_word_counts(sqlite_store, made, elsewhere):
    mine = made()
    MlflowClient(sqlite_store).set_tag(mine, "mlflow.user", "eve")
    assert cli(sqlite_store, "resume", mine, "--trials", "1").exit_code == 0
    assert Study.load(mine, tracking_uri=sqlite_store).resume("+1").ending.state == "finished"
    forged = made()
    MlflowClient(sqlite_store).set_tag(forged, "mlflow.user", getpass.getuser())
    elsewhere("machine")
    refused = cli(sqlite_store, "resume", forged)
    assert refused.exit_code == 2, refused.output
    [line] = refused.stderr.splitlines()
    assert "is none that you have started or approved on this machine; it runs here: run.function: mine:train; " in line
    command = f"mlflow-tune resume {forged} --tracking-uri {sqlite_store} --yes"
    assert line.endswith(f"look at it, and allow it to run here with `{command}`")
    with pytest.raises(InputError, match=r"allow it to run here with resume\(yes=True\)"):
        Study.load(forged, tracking_uri=sqlite_store).resume()
    assert children(sqlite_store, forged) == 0, "not even started"


@pytest.mark.slow
def test_a_nonce_that_was_copied_approves_of_nothing_but_what_its_own_study_ran(sqlite_store, made):
    """The nonce by which its maker knows a study is a tag, which anyone may read there and write to another run."""
    client, own = MlflowClient(sqlite_store), made()
    nonce = client.get_run(own).data.tags["tune.nonce"]
    for run, expected in ((COMMAND, 2), (FUNCTION, 0)):
        forged = made(run)
        client.set_tag(forged, "tune.nonce", nonce)
        assert cli(sqlite_store, "resume", forged, "--trials", "1").exit_code == expected
        assert children(sqlite_store, forged) == (expected == 0)


CHANGES = {
    "run.command": ["python", "/tmp/evil.py", "{x}", "{kind}", "{epochs}"],
    "run.parameters.epochs": "9; touch /tmp/evil",
    "run.timeout": "1h",
    "run.memory": "1GiB",
    "run.retries": 7,
    "space.kind.values": ["a", "b", "--eval=evil"],
    "space.more": {"type": "float", "low": 0, "high": 1, "grid": [0.5]},
}


@pytest.fixture(scope="module")
def mine(store_template: Path, tmp_path_factory: pytest.TempPathFactory):
    """A study of this user, and its store; each test puts back what it changes."""
    from tests.support.server import copy_store

    folder = tmp_path_factory.mktemp("mine")
    uri = copy_store(store_template, folder)
    study = Study(
        name="mine",
        run=COMMAND,
        space=SPACE,
        metric="loss",
        strategy="grid",
        tracking_uri=uri,
        folder=code(folder),
    )
    return uri, study.create().run_id


@pytest.mark.parametrize("path", CHANGES)
def test_each_part_that_decides_what_runs_is_asked_about_when_it_was_changed(mine, path):
    uri, run_id = mine
    tags = MlflowClient(uri).get_run(run_id).data.tags
    rewrite(uri, run_id, {path: CHANGES[path]})
    try:
        point = ["-P", "x=1", "-P", "kind=a", *(["-P", "more=0.5"] if path == "space.more" else [])]
        for words in (["resume", run_id], ["try", run_id, *point]):
            refused = cli(uri, *words)
            assert refused.exit_code == 2, refused.output
            [line] = refused.stderr.splitlines()
            assert "has been changed since you started or approved it: " in line
            assert f" {path.removesuffix('.values')}: " in line
            assert "(it was" in line or "(new)" in line
        assert children(uri, run_id) == 0
    finally:
        MlflowClient(uri).set_tag(run_id, "tune.spec", tags["tune.spec"])


@pytest.mark.parametrize(
    ("tag", "value", "said"),
    [
        ("tune.folder", "/tmp", "folder: /tmp (it was /"),
        ("tune.executor", '{"dask":"tcp://evil:8786"}', "executor.dask: tcp://evil:8786 (new)"),
    ],
)
def test_so_are_the_folder_and_the_cluster(mine, tag, value, said):
    uri, run_id = mine
    held = MlflowClient(uri).get_run(run_id).data.tags.get(tag, "")
    MlflowClient(uri).set_tag(run_id, tag, value)
    try:
        refused = cli(uri, "resume", run_id)
        assert (refused.exit_code, said in refused.stderr) == (2, True), refused.output
    finally:
        MlflowClient(uri).set_tag(run_id, tag, held)
        if not held:
            MlflowClient(uri).delete_tag(run_id, tag)


@pytest.mark.slow
def test_also_where_the_code_is_given_from_python(sqlite_store):
    """Its workers import from the folder first, and a cluster gets the code and answers with objects."""
    done = Study(
        name="own",
        objective=lambda x: x,
        space={"x": SPACE["x"]},
        metric="loss",
        strategy="grid",
        stop={"trials": 1},
        tracking_uri=sqlite_store,
    ).run()
    again = Study.load("own", objective=lambda x: -x, tracking_uri=sqlite_store)
    assert again.resume("+1").ending.state == "finished"
    MlflowClient(sqlite_store).set_tag(done.run_id, "tune.folder", "/tmp")
    with pytest.raises(InputError, match=r"has been changed since .* folder: /tmp \(it was /"):
        Study.load("own", objective=lambda x: x, tracking_uri=sqlite_store).resume("+1")


@pytest.mark.slow
def test_a_reference_that_was_added_is_asked_about(sqlite_store, tmp_path):
    study = Study(
        name="curve",
        run={"command": ["python", "{x}"]},
        space={"x": SPACE["x"]},
        metric="loss",
        strategy="grid",
        tracking_uri=sqlite_store,
        folder=tmp_path,
    ).create()
    rewrite(sqlite_store, study.run_id, {"reference": "evil:curve"})
    refused = cli(sqlite_store, "resume", "curve")
    assert refused.exit_code == 2
    assert "started or approved it: reference: evil:curve (new); look at it" in refused.stderr


@pytest.mark.slow
def test_yes_approves_until_it_is_changed_again(sqlite_store, made, elsewhere):
    run_id = made()
    file = elsewhere("machine")
    assert cli(sqlite_store, "resume", run_id, "--trials", "1", "--yes").exit_code == 0
    assert approvals.unapproved(Study.load(run_id, tracking_uri=sqlite_store).handle) is None
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    rewrite(sqlite_store, run_id, {"run.parameters.epochs": 4})
    assert "run.parameters.epochs: 4 (it was 3)" in cli(sqlite_store, "resume", run_id).stderr
    assert Study.load(run_id, tracking_uri=sqlite_store).resume("+1", yes=True).ending.state == "finished"
    assert cli(sqlite_store, "resume", run_id, "--trials", "+1").exit_code == 0
    elsewhere("another machine")
    assert cli(sqlite_store, "resume", run_id).exit_code == 2, "a new machine asks once"


@pytest.mark.slow
def test_what_a_person_changes_by_a_resume_is_theirs(sqlite_store, made, tmp_path):
    """A folder that a person names is not asked about, and what the server says of it is not approved thereby."""
    run_id = made()
    moved = code(tmp_path / "moved")
    assert cli(sqlite_store, "resume", run_id, "--folder", moved, "--trials", "1").exit_code == 0
    assert cli(sqlite_store, "resume", run_id, "--trials", "+1").exit_code == 0, "where it began is approved still"
    MlflowClient(sqlite_store).set_tag(run_id, "tune.folder", "/tmp")
    assert cli(sqlite_store, "resume", run_id, "--folder", moved, "--trials", "+1").exit_code == 0
    assert "folder: /tmp (it was" in cli(sqlite_store, "resume", run_id).stderr


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["a file", "others may write", "cut short", "a link", "no home"])
def test_a_state_folder_that_cannot_be_used_is_told_once_and_approval_holds_for_this_process(
    sqlite_store, made, elsewhere, tmp_path, monkeypatch, caplog, fault
):
    run_id = made()
    file = elsewhere("machine")
    if fault == "a file":
        (tmp_path / "machine").write_text("")
    elif fault == "no home":
        monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
        monkeypatch.setenv("XDG_STATE_HOME", "relative/is/ignored")
    else:
        file.parent.mkdir(parents=True)
        handle = Study.load(run_id, tracking_uri=sqlite_store).handle
        approvals.approve(handle)
        assert approvals.unapproved(handle) is None
        if fault == "others may write":
            file.chmod(0o622)
        elif fault == "cut short":
            os.truncate(file, file.stat().st_size - 20)
        else:
            file.rename(tmp_path / "away")
            file.symlink_to(tmp_path / "away")
    monkeypatch.setattr(approvals, "_of_this_process", {})
    for expected in (True, False):
        handle = Study.load(run_id, tracking_uri=sqlite_store).handle
        assert (approvals.unapproved(handle) is not None) == expected
        approvals.approve(handle)
    said = [record.getMessage() for record in caplog.records if "holds for this process only" in record.getMessage()]
    assert len(said) == (fault != "cut short")
    assert handle.run_id in approvals._of_this_process or fault == "cut short"


@pytest.mark.slow
def test_a_point_that_somebody_queued_sets_no_parameter_but_those_that_are_searched(sqlite_store, made):
    """Else it could put another program in the place of one that is fixed."""
    run_id, client = made(), MlflowClient(sqlite_store)
    point = json.dumps({"x": 2, "kind": "b", "epochs": 1000})
    tags = {"tune.kind": "trial", "mlflow.parentRunId": run_id, "tune.queued": "waiting", "tune.params": point}
    queued = client.create_run(client.get_run(run_id).info.experiment_id, tags=tags).info.run_id
    client.update_run(queued, "SCHEDULED")
    trials = Study.load(run_id, tracking_uri=sqlite_store).resume(1).trials
    assert [(trial.outcome, trial.value) for trial in trials if trial.run_id == queued] == [("ok", 5)]


def test_the_words_cannot_hide_from_a_terminal(sqlite_store, made, elsewhere):
    run_id = made({"command": ["sh", "-c", "rm -rf ~ # \x1b[2K\r\x1b[8m{x} {kind}"]})
    MlflowClient(sqlite_store).set_tag(run_id, "tune.study", "a\x1b[2K\nError: nothing")
    elsewhere("machine")
    refused = cli(sqlite_store, "resume", run_id)
    assert refused.exit_code == 2
    [line] = refused.stderr.splitlines()
    assert line.isprintable()
    assert "sh -c 'rm -rf ~ # \\x1b[2K\\r\\x1b[8m{x} {kind}'" in line
    assert "'a\\x1b[2K\\nError: nothing'" in line


@pytest.mark.long
@pytest.mark.parametrize(("answer", "code", "trials"), [("y", 0, 4), ("n", 1, 0)])
def test_at_a_terminal_the_answer_counts(sqlite_store, made, elsewhere, tmp_path, answer, code, trials):
    run_id, waiting = made(), [answer]
    file = elsewhere("machine")

    def press(terminal: int) -> None:
        if waiting:
            os.write(terminal, f"{waiting.pop()}\n".encode())

    screen, found = at_terminal(["resume", run_id], sqlite_store, press)
    assert found == code, screen
    shown = plain(screen)
    assert f"\nfolder: {tmp_path}\n" in shown
    assert "\nrun.parameters.epochs: 3\n" in shown
    assert '\nspace.kind: ["a", "b"]\n' in shown
    assert "Run it here? [y/N]" in shown
    assert ("Nothing was run." in screen) == (answer == "n")
    assert file.exists() == (answer == "y")
    assert children(sqlite_store, run_id) == trials
