"""The command line: every command, its options, what it prints where, and its exit codes."""

from __future__ import annotations

import io
import json
import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from mlflow_tune.cli import main
from mlflow_tune.diagnosis.finding import Finding, findings_to_json
from mlflow_tune.study.display.progress import Unseen
from mlflow_tune.study.display.tables import TrialsView
from mlflow_tune.trial import Trial
from tests.fixtures.small_studies.helpers import outcomes, points, runs_of, start, study_file, tune, wait_for
from tests.support import commands
from tests.support.server import free_port
from tests.support.terminal import at_terminal, plain

SHOW_KEYS = [
    "schema",
    "study",
    "run_id",
    "experiment_id",
    "state",
    "why_stopped",
    "metric",
    "goal",
    "best",
    "recommended",
    "trials",
    "queued",
]
TRIAL_KEYS = ["number", "attempt", "outcome", "params", "value", "run_id", "strategy", "why", "reason", "diagnosis"]
COMMANDS = {
    "advise": {"--trials", "--workers", "--minutes-per-trial"},
    "init": {"--entry-point", "--output", "--metric"},
    "run": {"--name", "--trials", "--workers", "--seed", "--dask", "--gpus"},
    "try": {"--param", "--note", "--from", "--outside", "--folder", "--yes"},
    "enqueue": {"--param", "--note", "--from", "--outside"},
    "adopt": {"--filter", "--from-experiment", "--copy", "--dry-run"},
    "resume": {"--trials", "--strategy", "--workers", "--retry-failed", "--train-on", "--epochs"}
    | {"--folder", "--dask", "--gpus", "--yes"},
    "list": set(),
    "show": set(),
    "best": {"--command"},
    "confirm": {"--top", "--seeds", "--until", "--workers", "--folder", "--yes"},
    "watch": {"--interval"},
    "open": {"--charts", "--table", "--run", "--browser"},
    "ui": {"--port", "--no-browser"},
    "replay": {"--rule", "--after", "--protect", "--seed"},
    "report": set(),
    "schema": set(),
    "compare": {"--target", "--html", "--no-log"},
    "stop": set(),
}
COMMON = {"--tracking-uri", "--experiment", "--json", "--verbose", "--help"}
RANDOM = {"space": {"x": {"type": "float", "low": 0.0, "high": 1.0}}, "strategy": {"name": "random", "seed": 1}}


def invoke(*words: object) -> Result:
    """Run `mlflow-tune` in this process."""
    return CliRunner().invoke(main, [*map(str, words)])


def parsed(result: Result) -> dict:
    """Return the one JSON object that standard output holds."""
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def uri(sqlite_store: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store that MLFLOW_TRACKING_URI names."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_store)
    return sqlite_store


@pytest.fixture
def finished(uri: str, tmp_path: Path) -> Path:
    """The file of a study that has been run to its end."""
    path = study_file(tmp_path, name="done")
    assert invoke("run", path).exit_code == 0
    return path


def test_every_command_tells_its_options():
    assert {name for name, command in commands.COMMANDS.items() if not command.hidden} - {"diff"} == set(COMMANDS)
    assert all(command in invoke("--help").stdout for command in COMMANDS)
    for command, own in COMMANDS.items():
        shown = invoke(command, "--help")
        assert shown.exit_code == 0
        assert set(re.findall(r"--[a-z-]+", shown.stdout)) >= own | COMMON
        options = [each for each in commands.COMMANDS[command].params if isinstance(each, click.Option)]
        assert all(option.help for option in options)
        declared = {word for option in options for word in option.opts if word.startswith("--")}
        assert declared == (own | COMMON) - {"--help"}, "an option is missing from this test"


@pytest.mark.slow
def test_run_prints_a_plain_line_a_trial_and_last_where_to_look(uri, tmp_path):
    result = invoke("run", study_file(tmp_path, name="lines"))
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    trials = [line for line in lines if line.startswith("#")]
    assert [line.split()[0:3] for line in trials] == [[f"#00{n}", "ok", f"loss={n}"] for n in (1, 2, 3, 4)]
    assert "best 1 (#001)" in trials[3]
    assert not re.search(r"\x1b", result.stdout), "control sequences in a file"
    assert "lines is finished" in result.stdout
    assert lines[-1] == f"mlflow ui --backend-store-uri {uri}"
    assert result.stderr == ""


@pytest.mark.slow
def test_show_json_has_exactly_the_keys_of_the_readme(finished):
    shown = parsed(invoke("show", "done", "--json"))
    parent, children = runs_of(os.environ["MLFLOW_TRACKING_URI"], "done")
    assert list(shown) == SHOW_KEYS
    assert all(list(trial) == TRIAL_KEYS for trial in shown["trials"])
    assert (shown["study"], shown["run_id"], shown["experiment_id"]) == ("done", parent.info.run_id, "0")
    assert (shown["state"], shown["metric"], shown["goal"]) == ("finished", "loss", "minimize")
    assert shown["why_stopped"].startswith("grid:")
    assert shown["best"] == shown["trials"][0]
    assert [trial["run_id"] for trial in shown["trials"]] == [run.info.run_id for run in children]
    first = {**shown["trials"][0], "run_id": ""}
    assert first == {
        "number": 1, "attempt": 1, "outcome": "ok", "params": {"x": 1}, "value": 1.0, "run_id": "",
        "strategy": "grid", "why": "point 1 of 4 of the grid", "reason": "", "diagnosis": [],
    }  # fmt: skip


@pytest.mark.slow
def test_run_and_resume_print_the_json_of_show_alone(uri, tmp_path):
    run = invoke("run", study_file(tmp_path, name="json", stop={"trials": 2}), "--json")
    assert run.exit_code == 0
    assert parsed(run) == parsed(invoke("show", "json", "--json"))
    assert "#001 ok" in run.stderr
    resumed = invoke("resume", "json", "--trials", "+1", "--json")
    assert len(parsed(resumed)["trials"]) == 3


@pytest.mark.slow
def test_a_study_is_named_by_its_run_id_or_the_newest_of_its_name(finished):
    first = parsed(invoke("show", "done", "--json"))["run_id"]
    second = parsed(invoke("run", finished, "--json"))["run_id"]
    assert first != second
    assert parsed(invoke("show", "done", "--json"))["run_id"] == second
    assert parsed(invoke("show", first, "--json"))["run_id"] == first
    assert [study["run_id"] for study in parsed(invoke("list", "--json"))["studies"]] == [first, second]


@pytest.mark.slow
def test_list_show_and_best_speak_to_people(finished):
    run_id = parsed(invoke("show", "done", "--json"))["run_id"]
    listed = invoke("list")
    assert listed.stdout.splitlines()[0] == f"Studies at {os.environ['MLFLOW_TRACKING_URI']}:"
    assert all(word in listed.stdout for word in ("done", "finished", run_id, " 4 ", "loss=1"))
    (record,) = parsed(invoke("list", "--json"))["studies"]
    assert (record["trials_done"], record["best_value"]) == (4, 1.0)
    assert record["last_active"] > record["start_time"]
    shown = invoke("show", "done")
    assert shown.stdout.startswith("done: finished (grid: ")
    assert f"minimize loss by grid, run {run_id}" in shown.stdout
    assert all(f"#00{number}" in shown.stdout for number in (1, 2, 3, 4))
    best = invoke("best", "done")
    assert best.stdout.splitlines()[0].startswith("loss=1 at trial 1, run ")
    assert best.stdout.splitlines()[1:] == ["x=1"]
    found = parsed(invoke("best", "done", "--json"))
    assert (list(found), found["best"]["params"]) == (
        ["schema", "study", "metric", "best", "recommended", "answer", "bracket"],
        {"x": 1},
    )
    assert found["answer"] == found["best"]


@pytest.mark.slow
def test_best_tells_the_boundary_that_was_searched_beside_the_best_value(uri, tmp_path):
    strategy = {"name": "bisection", "find": "boundary", "constraint": "loss <= 3"}
    path = study_file(tmp_path, name="edge", space={"x": {"type": "int", "low": 1, "high": 8}}, strategy=strategy)
    assert invoke("run", path).exit_code == 0
    found = parsed(invoke("best", "edge", "--json"))
    assert (found["best"]["params"], found["answer"]["params"]) == ({"x": 1}, {"x": 3})
    lines = invoke("best", "edge").stdout.splitlines()
    where = f"trial {found['answer']['number']}, run {found['answer']['run_id']}"
    assert lines[0].startswith("loss=1  loss=1 at trial")
    assert lines[1:] == ["x=1", f"bisection has come to x=3 at {where}", "bracket 3 to 4"]
    assert found["bracket"] == [3, 4]
    shown = invoke("show", "edge").stdout
    assert "loss <= 3" in shown
    assert "8 (not met)" in shown
    assert shown.splitlines()[-1] == "bracket 3 to 4"
    parent, children = runs_of(uri, "edge")
    notes = {run.data.tags["tune.params"]: run.data.tags["mlflow.note.content"].splitlines()[1] for run in children}
    assert notes['{"x":3}'] == "It came to loss **3**, loss=3.  "
    assert notes['{"x":8}'] == "It came to loss **8**, loss=8 (not met).  "
    told = f"bisection has come to x=3 at {where}; bracket 3 to 4  "
    assert parent.data.tags["mlflow.note.content"].splitlines()[1] == told
    by_hand = invoke("best", "edge", "--command").stdout
    assert by_hand == "python -c 'import objectives; print(objectives.total(x=3))'\n"


@pytest.mark.slow
def test_a_study_without_a_value_has_no_best(uri, tmp_path):
    path = study_file(tmp_path, name="bad", run={"function": "objectives:odd"}, stop={"trials": 3, "failures": 9})
    run = invoke("run", path)
    assert run.exit_code == 1, "nothing has been found"
    assert "no trial has a value of 'loss'; 1 failed, 2 not-finite\n" in run.stdout
    assert run.output.count("logged were 'other'") == 1, "a reason stands once"
    assert outcomes(runs_of(uri, "bad")[1]) == [
        (1, 1, "not-finite", "FAILED"), (2, 1, "not-finite", "FAILED"), (3, 1, "failed", "FAILED"),
    ]  # fmt: skip
    best = invoke("best", "bad", "--json")
    assert (best.exit_code, parsed(best)["best"]) == (1, None)
    shown = invoke("show", "bad").stdout
    assert all(reason in shown for reason in ("is nan", "is inf", "logged were 'other'"))


@pytest.mark.slow
def test_a_resume_without_anything_to_do_says_so(uri, tmp_path):
    path = study_file(tmp_path, name="bad", run={"function": "objectives:odd"}, stop={"trials": 3, "failures": 9})
    invoke("run", path)
    again = invoke("resume", "bad")
    assert "nothing to do: the budget of 3 is used; give --trials +N" in again.stdout
    assert "1 failed: --retry-failed runs such trials again" in again.stdout
    assert "no trial has a value of 'loss'; 1 failed, 2 not-finite, the last: " in again.stdout
    assert again.exit_code == 1
    as_json = invoke("resume", "bad", "--json")
    assert (as_json.exit_code, parsed(as_json)["state"]) == (1, "finished")
    whole = study_file(tmp_path, name="whole")
    assert "nothing to do" not in invoke("run", whole).stdout
    assert "nothing to do: grid: " in invoke("resume", "whole").stdout


@pytest.mark.slow
def test_of_an_aborted_study_both_remedies_are_told(uri, tmp_path):
    run = {"function": "objectives:broken_until_mended", "parameters": {"folder": "."}}
    aborted = invoke("run", study_file(tmp_path, name="broken", run=run, stop={"failures": 2}))
    assert aborted.exit_code == 1
    assert "under another name (--name): a resume keeps the definition that is stored" in aborted.stdout
    command = aborted.stdout.splitlines()[-1]
    assert command == "mlflow-tune resume broken --retry-failed"
    (tmp_path / "mended").touch()
    assert invoke(*shlex.split(command)[1:]).exit_code == 0
    assert points(runs_of(uri, "broken")[1], "ok") == {number: {"x": number} for number in range(1, 5)}


@pytest.mark.slow
def test_a_finished_study_of_the_name_is_told_of(finished):
    first = parsed(invoke("show", "done", "--json"))["run_id"]
    lines = invoke("run", finished).stdout.splitlines()
    assert lines[2] == f"a finished study 'done' exists (run {first}): to continue that one:"
    assert lines[3] == f"mlflow-tune resume {first}"
    assert "finished study" not in invoke("run", finished, "--name", "other").stdout


@pytest.mark.slow
def test_points_that_wait_are_shown(finished):
    queued = invoke("enqueue", "done", "-P", "x=2,3", "--note", "a hunch")
    assert "2 points queued in done; they run when the study goes on: mlflow-tune resume " in queued.stdout
    assert "1 point queued in done; it runs when " in invoke("enqueue", "done", "-P", "x=4").stdout
    waiting = parsed(invoke("show", "done", "--json"))["queued"]
    assert [list(each) for each in waiting] == [["params", "run_id", "why"]] * 3
    assert [(each["params"], each["why"]) for each in waiting[:2]] == [({"x": 2}, "a hunch"), ({"x": 3}, "a hunch")]
    shown = invoke("show", "done").stdout.splitlines()
    assert shown[-4:-1] == ["3 points wait in the queue:", "  x=2  (a hunch)", "  x=3  (a hunch)"]


# A terminal of 80 columns, as far as what is printed goes


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let standard output be taken for a terminal of 80 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")


def on_screen(*words: object) -> str:
    """Return what `mlflow-tune` prints on that terminal."""
    return plain(invoke(*words).stdout).replace("\r", "\n")


@pytest.mark.slow
def test_a_narrow_list_keeps_names_and_run_ids_whole(uri, tmp_path, narrow):
    name = "a-study-whose-name-is-rather-long-as-names-are"
    invoke("run", study_file(tmp_path, name=name))
    listed = on_screen("list")
    assert name in listed
    assert f"run {runs_of(uri, name)[0].info.run_id}\n" in listed
    assert "  grid: every point that it asks for has been tried\n" in listed
    assert "  finished, 4 trials done, best loss=1\n" in listed
    assert max(map(len, listed.splitlines()[1:])) <= 80, "the store alone is not broken into lines"


@pytest.mark.slow
def test_narrow_tables_leave_out_empty_columns_and_wrap_no_word(uri, tmp_path, narrow):
    invoke("run", study_file(tmp_path, name="good"))
    assert "reason" not in on_screen("show", "good")
    assert "diagnosis" not in on_screen("show", "good")
    invoke("run", study_file(tmp_path, name="bad", run={"function": "objectives:ending"}, stop={"failures": 9}))
    assert "reason" in on_screen("show", "bad"), "there is room for the column"


def test_words_stand_below_a_table_that_has_no_room_for_them():
    diagnosis = findings_to_json([Finding("overfitting", "val_loss", (1, 2), "it overfits")])
    params = {f"parameter-{index}": 0.5 for index in range(4)}
    trials = [Trial(1, params, "ok", 0.5, diagnosis=diagnosis), Trial(2, params, "failed", reason="too\nlarge")]
    for width, columns in ((80, False), (200, True)):
        shown = Console(width=width, record=True, file=io.StringIO())
        shown.print(TrialsView("loss", trials))
        text = shown.export_text()
        assert all((heading in text) == columns for heading in ("diagnosis", "reason"))
        assert text.endswith("#001 ok: overfitting\n#002 failed: too large\n") != columns
        assert all(word in text for word in ("overfitting", "too large"))


@pytest.mark.slow
def test_a_terminal_wraps_prose_at_words_and_no_command(uri, tmp_path, narrow):
    run = {"function": "objectives:broken_until_mended", "parameters": {"folder": "."}}
    folder = tmp_path / "a-folder-with-a-rather-long-name"
    path = study_file(folder, name="broken", run=run, stop={"failures": 1})
    invoke("run", path)
    moved = folder.rename(folder.with_name("a-folder-with-a-rather-long-name-that-is-another"))
    lines = on_screen("resume", "broken", "--folder", moved).splitlines()
    assert lines[-1] == f"mlflow-tune resume broken --folder {moved} --retry-failed"
    first = next(index for index, line in enumerate(lines) if line.startswith("If the study file"))
    assert max(map(len, lines[first : first + 3])) <= 80
    assert "a resume keeps the definition that is stored." in " ".join(lines[first : first + 3])


@pytest.mark.slow
def test_a_bar_begins_with_what_is_done_and_tells_of_failures(uri, tmp_path, narrow):
    path = study_file(tmp_path, name="bar", run={"function": "objectives:odd"}, stop={"trials": 3, "failures": 9})
    first = on_screen("run", path)
    assert "0/3" in first
    assert re.search("^#003 failed .*logged were", first, re.MULTILINE)
    again = on_screen("resume", "bar", "--trials", "+1")
    assert "3/4" in again
    assert "4/4" in again
    assert not re.search("[012]/[34]", again)
    invoke("enqueue", "bar", "-P", "x=2")
    assert "5/5" in on_screen("resume", "bar"), "the total is never less than what is done"


@pytest.mark.parametrize(("running", "words"), [(1, "1 still runs. Press again to kill it"), (2, "2 still run. Press")])
def test_the_first_ctrl_c_is_told(running, words):
    shown = Console(record=True, file=io.StringIO(), width=100)
    screen = Unseen(shown, lambda: pytest.fail("nothing is asked of the study"))
    screen.on_interrupt([Trial(number, {}) for number in range(2, 2 + running)])
    text = shown.export_text()
    assert text.startswith(f"Ctrl-C: no new trial starts; {words}")
    assert text.count("\n") == 1


@pytest.mark.slow
def test_options_stand_over_the_file(uri, tmp_path):
    path = study_file(tmp_path, name="file", stop={"trials": 9}, workers=1, **RANDOM)
    words = ["--name", "option", "--trials", 3, "--workers", 2, "--seed", 7]
    assert invoke("run", path, *words).exit_code == 0
    parent, children = runs_of(uri, "option")
    assert len(children) == 3
    tags = parent.data.tags
    assert json.loads(tags["tune.strategy"])["seed"] == 7
    assert (json.loads(tags["tune.budget"])["trials"], tags["tune.workers"]) == (3, "2")
    assert runs_of(uri, "file") == (None, [])


@pytest.mark.slow
def test_the_experiment_comes_from_the_option_the_file_or_the_environment(uri, tmp_path, monkeypatch):
    def experiment_of(name: str, *words: str, **changes) -> str:
        assert invoke("run", study_file(tmp_path, name=name, **changes), "--trials", 1, *words).exit_code == 0
        from mlflow import MlflowClient

        return MlflowClient(uri).get_experiment(runs_of(uri, name)[0].info.experiment_id).name

    assert experiment_of("a") == "Default"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of the environment")
    assert experiment_of("b") == "of the environment"
    assert experiment_of("c", experiment="of the file") == "of the file"
    assert experiment_of("c", "--experiment", "of the option", experiment="of the file") == "of the option"
    names = [study["name"] for study in parsed(invoke("list", "--experiment", "of the file", "--json"))["studies"]]
    assert names == ["c"]
    assert "several experiments have a study named 'c'" in invoke("show", "c").stderr
    shown = [invoke("show", "c", "--experiment", f"of the {each}", "--json") for each in ("file", "option")]
    assert len({parsed(each)["experiment_id"] for each in shown}) == 2
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "of the option")
    assert parsed(invoke("show", "c", "--json"))["experiment_id"] == parsed(shown[1])["experiment_id"]
    missing = invoke("show", "b", "--experiment", "of the file", "--json")
    assert (missing.exit_code, parsed(missing)["exit_code"]) == (2, 2)


WRONG = [
    (["show", "nobody"], "no study is named 'nobody'"),
    (["resume", "f" * 32], "no run"),
    (["resume", "done", "--trials", "0"], "at least 1"),
    (["resume", "done", "--trials", "+-2"], "at least 1"),
    (["resume", "done", "--trials", "many"], "many"),
    (["resume", "done", "--folder", "/no/such/folder"], "/no/such/folder"),
    (["run", "missing.yaml"], "missing.yaml"),
    (["run", "study.yaml", "--trials", "0"], "--trials"),
    (["run", "study.yaml", "--seed", "-1"], "--seed"),
    (["run", "study.yaml", "--seed", "1"], "seed"),  # a grid has none
    (["run", "study.yaml", "--colour"], "--colour"),
    (["best"], "STUDY"),
    (["dance"], "dance"),
]


@pytest.mark.slow
def test_wrong_input_is_told_in_words_and_in_json(finished, uri):
    for words, said in WRONG:
        result = invoke(*words)
        assert (result.exit_code, "#0" in result.stdout) == (2, False), words
        assert said in result.stderr, words
        assert "Traceback" not in result.stderr
        as_json = invoke(*words, "--json")
        assert as_json.exit_code == 2, words
        assert list(parsed(as_json)) == ["schema", "error", "exit_code"]
        assert said in parsed(as_json)["error"]
        assert parsed(as_json)["exit_code"] == 2
    assert len(runs_of(uri, "done")[1]) == 4


@pytest.mark.slow
def test_a_child_run_is_no_study(finished):
    child = parsed(invoke("show", "done", "--json"))["trials"][0]["run_id"]
    result = invoke("show", child)
    assert (result.exit_code, "not a study" in result.stderr) == (2, True)


def unfinished(path: Path) -> None:
    """Leave a study unfinished: its code is broken, so that it aborts."""
    (path.parent / "mended").unlink(missing_ok=True)
    assert invoke("run", path).exit_code == 1


@pytest.mark.slow
def test_a_study_that_exists_unfinished_is_not_started_again(uri, tmp_path):
    run = {"function": "objectives:broken_until_mended", "parameters": {"folder": "."}}
    path = study_file(tmp_path, name="twice", run=run, stop={"failures": 1})
    unfinished(path)
    parent, children = runs_of(uri, "twice")
    again = invoke("run", path, "--tracking-uri", uri)
    assert again.exit_code == 2
    command = re.search(r"`(mlflow-tune resume [^`]*)`", again.stderr)
    assert command
    after, same = runs_of(uri, "twice")
    assert (after.info.run_id, len(same)) == (parent.info.run_id, len(children))

    (tmp_path / "mended").touch()
    assert invoke(*shlex.split(command[1])[1:]).exit_code == 0
    assert invoke("run", path, "--name", "another").exit_code == 0
    # What is finished is no obstacle.
    assert invoke("run", path).exit_code == 0


def test_a_server_out_of_reach(tmp_path):
    for words in (
        ["run", study_file(tmp_path)],
        ["resume", "x"],
        ["list"],
        ["show", "x"],
        ["best", "x"],
        ["stop", "x"],
    ):
        result = invoke(*words, "--tracking-uri", f"http://127.0.0.1:{free_port()}", "--json")
        assert result.exit_code == 3
        assert "no tracking server answers" in parsed(result)["error"]


@pytest.mark.slow
def test_a_grid_larger_than_the_budget_is_told_before_the_first_trial(uri, tmp_path):
    result = CliRunner().invoke(main, ["run", str(study_file(tmp_path)), "--trials", "3"])
    assert result.exit_code == 0
    assert "grid asks for up to 4 trials, but the budget is 3" in result.stderr
    assert result.output.index("but the budget is 3") < result.output.index("#001")


@pytest.mark.slow
def test_stop_of_a_study_that_does_not_run_changes_nothing(finished):
    result = invoke("stop", "done")
    assert (result.exit_code, result.stdout) == (0, "done is not running: it is finished.\n")
    assert parsed(invoke("stop", "done", "--json"))["asked"] is False


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.slow
def test_code_that_moved_or_changed_is_told_before_a_trial_starts(uri, tmp_path):
    path = study_file(tmp_path / "code", name="moved", stop={"trials": 1})
    git(path.parent, "init")
    git(path.parent, "add", ".")
    git(path.parent, "commit", "-m", "first")
    assert invoke("run", path).exit_code == 0
    parent, _ = runs_of(uri, "moved")
    assert parent.data.tags["mlflow.source.git.commit"] == git(path.parent, "rev-parse", "HEAD")

    git(path.parent, "commit", "--allow-empty", "-m", "second")
    changed = invoke("resume", "moved", "--trials", 2)
    assert changed.exit_code == 0
    assert changed.output.index("the code is at commit") < changed.output.index("#002")
    assert len(runs_of(uri, "moved")[1]) == 2

    path.parent.rename(tmp_path / "moved here")
    missing = invoke("resume", "moved", "--trials", 3)
    assert (missing.exit_code, str(path.parent) in missing.stderr) == (2, True)
    assert len(runs_of(uri, "moved")[1]) == 2
    assert invoke("resume", "moved", "--trials", 3, "--folder", tmp_path / "moved here").exit_code == 0
    assert len(runs_of(uri, "moved")[1]) == 3


@pytest.mark.slow
def test_the_resume_command_names_the_folder_that_the_study_moved_to(uri, tmp_path):
    run = {"function": "objectives:broken_until_mended", "parameters": {"folder": "."}}
    path = study_file(tmp_path / "code", name="moved", run=run, stop={"failures": 1})
    unfinished(path)
    path.parent.rename(tmp_path / "it's here")
    aborted = invoke("resume", "moved", "--folder", tmp_path / "it's here")
    assert aborted.exit_code == 1
    (tmp_path / "it's here" / "mended").touch()
    command = shlex.split(aborted.stdout.splitlines()[-1])
    assert command[:2] == ["mlflow-tune", "resume"]
    assert invoke(*command[1:]).exit_code == 0


@pytest.mark.slow
def test_names_of_all_kinds(uri, tmp_path):
    names = ["it's", 'a "b" `c` $(d)', "ünï ☃ 研究", "a/b\\c%d", "<b>&amp;[x](y)|z", "--json", "x" * 200]
    for name in names:
        assert invoke("run", study_file(tmp_path, name=name), "--trials", 1).exit_code == 0
        assert parsed(invoke("show", "--json", "--", name))["study"] == name
    assert [study["name"] for study in parsed(invoke("list", "--json"))["studies"]] == names
    assert invoke("list").exit_code == 0


@pytest.mark.slow
def test_what_a_trial_prints_is_kept_but_not_shown(uri, tmp_path):
    path = study_file(tmp_path, name="loud", run={"function": "objectives:talkative"})
    result = invoke("run", path, "--trials", 1)
    assert result.exit_code == 0
    assert "line 1 of" not in result.output
    from mlflow import MlflowClient

    _, (child,) = runs_of(uri, "loud")
    log = Path(MlflowClient(uri).download_artifacts(child.info.run_id, "output.log", str(tmp_path))).read_text()
    assert log.endswith(f"line 29999 of trial 1: {'-' * 60}\nthe end\n")
    assert "earlier bytes were dropped" in log.splitlines()[0]


@pytest.mark.slow
def test_functions_that_end_their_process_are_failures_and_no_more(uri, tmp_path):
    path = study_file(tmp_path, name="ends", run={"function": "objectives:ending"}, stop={"failures": 9})
    assert invoke("run", path).exit_code == 0
    _, children = runs_of(uri, "ends")
    assert [entry[2] for entry in outcomes(children)] == ["failed", "failed", "failed", "ok"]
    reasons = [run.data.tags.get("tune.reason", "") for run in children]
    assert "sys.exit(3)" in reasons[0]
    assert "exit code 4" in reasons[1]
    assert "SIGKILL" in reasons[2]


@pytest.mark.slow
def test_a_process_that_a_function_forked_ends_with_the_study(uri, tmp_path):
    path = study_file(tmp_path, name="forks", run={"function": "objectives:forking", "parameters": {"folder": "."}})
    assert invoke("run", path, "--trials", 2).exit_code == 0
    pids = [int((tmp_path / f"forked-{number}").read_text()) for number in (1, 2)]
    wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids) or sys.platform != "linux")


def test_a_store_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    path = study_file(tmp_path)
    result = invoke("run", path, "--tracking-uri", f"sqlite:///{tmp_path}/file/mlflow.db", "--json")
    assert (result.exit_code, "cannot be made" in parsed(result)["error"]) == (2, True)


@pytest.mark.slow
def test_an_artifact_store_that_refuses_does_not_end_a_study(uri, tmp_path):
    (tmp_path / "mlruns").write_text("a file where the folder of artifacts should be")
    result = invoke("run", study_file(tmp_path / "code", name="bare", run={"function": "objectives:talkative"}))
    assert result.exit_code == 0, result.output
    assert result.stderr.count("Warning") >= 1
    parent, children = runs_of(uri, "bare")
    assert (parent.info.status, len(points(children, "ok"))) == ("FINISHED", 4)


@pytest.mark.long
def test_two_runs_of_one_file_at_once_leave_studies_that_can_be_read(sqlite_store, tmp_path):
    """They may both start (the claim of a study comes later); what they leave is two studies, each whole."""
    path = study_file(tmp_path, name="both", workers=2)
    both = [start(["run", path, "--json"], tmp_path, sqlite_store) for _ in range(2)]
    codes = sorted(process.wait() for process in both)
    assert codes in ([0, 0], [0, 2])
    os.environ.pop("MLFLOW_TRACKING_URI", None)
    listed = parsed(invoke("list", "--json", "--tracking-uri", sqlite_store))["studies"]
    assert [study["state"] for study in listed] == ["finished"] * codes.count(0)
    for study in listed:
        shown = parsed(invoke("show", study["run_id"], "--json", "--tracking-uri", sqlite_store))
        assert [trial["params"]["x"] for trial in shown["trials"]] == [1, 2, 3, 4]


@pytest.mark.slow
def test_a_default_store_in_this_folder(tmp_path):
    """Without a tracking URI the store is ./mlflow.db, as MLflow's own."""
    done = tune(["run", study_file(tmp_path, name="here")], tmp_path)
    assert done.wait() == 0, done.err.read_text()
    assert done.last_line == f"mlflow ui --backend-store-uri sqlite:///{tmp_path}/mlflow.db"
    assert len(runs_of(f"sqlite:///{tmp_path}/mlflow.db", "here")[1]) == 4


@pytest.mark.slow
def test_verbose_says_every_decision_on_standard_error(uri, tmp_path):
    result = invoke("run", study_file(tmp_path), "-v")
    assert "trial 1 attempt 1 started: {'x': 1} (point 1 of 4 of the grid)" in result.stderr
    assert "trial 4 attempt 1 ended: ok 4.0" in result.stderr
    assert "stopped: grid" in result.stderr
    assert "started" not in result.stdout


@pytest.mark.slow
def test_the_installed_command(sqlite_store, tmp_path):
    done = tune(["run", study_file(tmp_path)], tmp_path, sqlite_store, installed=True)
    assert done.wait() == 0, done.err.read_text()
    assert done.err.read_text() == "", "warnings of other packages are not for people"
    assert done.last_line.startswith("mlflow ui ")


@pytest.mark.slow
def test_a_terminal_shows_a_progress_bar_and_the_best_five(sqlite_store, tmp_path):
    screen, code = at_terminal(["run", study_file(tmp_path, name="shown"), "--trials", 3], sqlite_store)
    assert code == 0
    assert "\x1b[" in screen, "no control sequences: no bar was drawn"
    text = plain(screen)
    assert all(words in text for words in ("shown", "3/3", "0 running, 0 failed", "best 1 (#001)", "The best"))
    assert "but the budget is 3" in text


@pytest.mark.slow
def test_ctrl_c_at_a_terminal_ends_with_the_command_that_resumes(sqlite_store, tmp_path):
    """The terminal sends it to all processes in its foreground; the trial must not see it."""
    run = {"function": "objectives:held", "parameters": {"folder": "."}}
    path = study_file(tmp_path, name="shown", run=run)

    def press(terminal: int) -> None:
        if (tmp_path / "running-1").exists() and not (tmp_path / "go").exists():
            os.write(terminal, b"\x03")
            time.sleep(1)  # for the driver to see it, before another trial is started
            (tmp_path / "go").touch()

    screen, code = at_terminal(["run", path], sqlite_store, press)
    assert code == 130
    parent, children = runs_of(sqlite_store, "shown")
    assert outcomes(children)[0] == (1, 1, "ok", "FINISHED")
    assert "Ctrl-C: no new trial starts; 1 still runs. Press again to kill it." in plain(screen)
    assert plain(screen).splitlines()[-1] == "mlflow-tune resume shown"
    assert parent.data.tags["tune.state"] == "interrupted"
