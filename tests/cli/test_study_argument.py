"""The argument STUDY of every command: a run id, a name or a study file, and what is said of one that cannot be had."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import click
import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient

from mlflow_tune import StudyNotFound
from mlflow_tune.cli import main
from mlflow_tune.cli.study_argument import DESCRIPTION
from mlflow_tune.study.comparison import StudyComparison
from tests.fixtures.small_studies.helpers import study_file
from tests.support import commands
from tests.support.json_answers import answered

POINT = ["-P", "x=2"]
OTHERS = {"advise", "run", "init", "list", "mlproject", "schema"}  # they take a new file, a project, or no study
COMMANDS: dict[str, Sequence[str]] = {
    "show": [],
    "best": [],
    "watch": [],
    "report": [],
    "stop": [],
    "resume": ["--yes"],
    "confirm": ["--top", "1", "--seeds", "1", "--yes"],
    "try": [*POINT, "--yes"],
    "enqueue": POINT,
    "adopt": ["--filter", "params.x = '9'", "--dry-run"],
    "diff": ["1", "2"],
    "compare": ["--no-log"],
    "replay": [],
    "open": ["--run"],
    "ui": ["--no-browser"],
}
MAKE = {"try", "enqueue"}  # they make the study of a file that has none


@dataclass(frozen=True)
class Shared:
    """A study in an experiment of its own, which an older one has the name of; and another, to compare it with."""

    uri: str
    experiment: str
    name: str
    file: Path
    run_id: str
    other: str

    def invoke(self, *words: object) -> Result:
        """Run `mlflow-tune` on the store, in this process."""
        return CliRunner().invoke(main, [*map(str, words), "--tracking-uri", self.uri])

    def command(self, command: str, study: object, *more: object) -> Result:
        """Run the command on a study."""
        others = [self.other] if command == "compare" else []
        return self.invoke(command, study, *others, *COMMANDS[command], *more)


@pytest.fixture(scope="module")
def shared(server: str, tmp_path_factory: pytest.TempPathFactory) -> Shared:
    """One store for all commands."""
    mark = uuid4().hex[:8]
    name, experiment = f"argument {mark}", f"arguments {mark}"
    file = study_file(tmp_path_factory.mktemp("argument"), name=name, experiment=experiment, stop={"trials": 2})
    made = Shared(server, experiment, name, file, "", "")
    older, newer = (json.loads(made.invoke("run", file, "--json").stdout)["run_id"] for _ in range(2))
    other = json.loads(made.invoke("run", file, "--name", f"other {mark}", "--json").stdout)["run_id"]
    assert older != newer
    return Shared(server, experiment, name, file, newer, other)


def test_every_command_with_a_study_is_tried_and_tells_what_a_study_is():
    assert set(COMMANDS) == set(commands.COMMANDS) - OTHERS
    for name in COMMANDS:
        shown = CliRunner().invoke(main, [name, "--help"]).stdout
        assert " ".join(DESCRIPTION.split()) in " ".join(shown.split()), name
        usage = next(each for each in commands.COMMANDS[name].params if isinstance(each, click.Argument))
        assert usage.name in ("study", "studies"), name
        assert shown.splitlines()[0].split("[OPTIONS]")[1].lstrip(" [").startswith("STUDY"), name


@pytest.mark.slow
@pytest.mark.parametrize("form", ["run_id", "name", "file"])
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_a_run_id_a_name_and_a_file(shared, command, form):
    result = shared.command(command, getattr(shared, form), "--json")
    if command == "replay":  # the study is found, and its trials have no curves
        assert f"0 trials of the study '{shared.name}' trained to the end" in result.stderr
        return
    assert result.exit_code == 0, result.stderr
    answered(command, told := json.loads(result.stdout))
    if command == "best":  # it names the study, and the run of its best trial
        parent = MlflowClient(shared.uri).get_run(told["best"]["run_id"]).data.tags["mlflow.parentRunId"]
        assert (told["study"], parent) == (shared.name, shared.run_id)
    else:
        assert shared.run_id in result.stdout
    assert "has changed" not in result.stderr


@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in MAKE])
def test_of_a_file_without_a_study_the_command_that_starts_it_is_told(shared, tmp_path, command):
    file = study_file(tmp_path, name="not yet", experiment=shared.experiment)
    result = shared.command(command, file)
    start = f"mlflow-tune run {file} --tracking-uri {shared.uri}"
    said = (
        f"no study is named 'not yet' in the experiment '{shared.experiment}' at {shared.uri}; start it with `{start}`"
    )
    assert (result.exit_code, result.stderr) == (2, f"Error: {said}\n")


@pytest.mark.slow
@pytest.mark.parametrize("command", sorted(MAKE))
def test_what_a_person_chooses_makes_the_study_of_a_file(shared, tmp_path, command):
    name = f"{command} {shared.name}"
    result = shared.command(command, study_file(tmp_path, name=name, experiment=shared.experiment), "--json")
    assert result.exit_code == 0, result.stderr
    made = json.loads(result.stdout)["run_id"]
    assert json.loads(shared.invoke("show", name, "--json").stdout)["run_id"] == made


@pytest.mark.slow
def test_the_command_that_starts_a_study_does(shared, tmp_path):
    name, experiment = f"started {shared.name}", f"elsewhere {shared.experiment}"
    file = study_file(tmp_path / "with a blank", name=name, experiment=shared.experiment)
    said = shared.invoke("show", file, "--experiment", experiment).stderr
    assert f"in the experiment {experiment!r}" in said
    start = shlex.split(said.split("`")[1])
    assert start[:2] == ["mlflow-tune", "run"]
    assert CliRunner().invoke(main, start[1:]).exit_code == 0
    assert shared.invoke("show", file, "--experiment", experiment).exit_code == 0
    # The file's own experiment has none still: the option went over it.
    assert "no study is named" in shared.invoke("show", file).stderr


def test_the_experiment_of_a_file_without_one_is_that_of_the_environment(shared, tmp_path, monkeypatch):
    file = study_file(tmp_path, name=shared.name)
    assert f"in the experiment 'Default' at {shared.uri}; start it" in shared.invoke("show", file).stderr
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "123")
    assert "in the experiment '123' at " in shared.invoke("show", file).stderr
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", shared.experiment)
    assert json.loads(shared.invoke("show", file, "--json").stdout)["run_id"] == shared.run_id


def test_a_file_that_was_changed_since_is_told_of(shared, tmp_path):
    space = {"x": {"type": "int", "low": 1, "high": 5, "grid": [1, 2]}}
    file = study_file(tmp_path, name=shared.name, experiment=shared.experiment, space=space)
    result = shared.invoke("show", file, "--json")
    assert json.loads(result.stdout)["run_id"] == shared.run_id
    assert result.stderr == f"Warning: {file} has changed since its study began; the study goes on as it began\n"


def test_files_that_cannot_be_read_are_told_in_words(shared, tmp_path):
    (tmp_path / "broken.yml").write_text("name: [")
    (tmp_path / "wrong.yaml").write_text("name: wrong\ncolour: red\n")
    (tmp_path / "folder.yaml").mkdir()
    for name, said in {
        "missing.yaml": "missing.yaml: the study file cannot be read: No such file or directory; a study whose own "
        "name ends like this is given by its run id, which `mlflow-tune list` shows",
        f"{'x' * 300}.yaml": "the study file cannot be read: File name too long",
        ".yaml": ".yaml: the study file cannot be read: No such file or directory",
        "folder.yaml": "folder.yaml: the study file cannot be read: Is a directory",
        "broken.yml": "broken.yml: ",
        "wrong.yaml": "wrong.yaml: colour: unknown key",
    }.items():
        for command in ("show", "stop", "try", "compare"):
            result = shared.command(command, name)
            assert (result.exit_code, said in result.stderr) == (2, True), (command, result.stderr)
            assert "Traceback" not in result.stderr


@pytest.mark.parametrize("name", ["unheard-of", "unheard-of.json", "folder", "x" * 300])
def test_a_word_without_the_ending_is_a_name(shared, tmp_path, name):
    (tmp_path / "folder").mkdir()
    is_file = len(name) < 20 and name != "folder"
    if is_file:
        (tmp_path / name).write_text(shared.file.read_text())
    result = shared.invoke("show", name)
    assert result.exit_code == 2
    assert f"no study is named {name!r} at {shared.uri}; `mlflow-tune list` shows" in result.stderr
    assert ("the name of a study file ends in .yaml or .yml" in result.stderr) == is_file


@pytest.mark.slow
def test_a_study_that_is_named_like_a_file_is_had_by_its_run_id(shared, tmp_path):
    name = f"odd-{uuid4().hex[:8]}.yaml"
    file = study_file(tmp_path, name=name, experiment=shared.experiment, stop={"trials": 1})
    run_id = json.loads(shared.invoke("run", file, "--json").stdout)["run_id"]
    refused = shared.invoke("show", name)
    assert (refused.exit_code, "is given by its run id" in refused.stderr) == (2, True)
    assert json.loads(shared.invoke("show", run_id, "--json").stdout)["study"] == name
    assert json.loads(shared.invoke("show", file, "--json").stdout)["run_id"] == run_id


@pytest.mark.slow
def test_a_comparison_takes_a_mix(shared):
    result = shared.invoke("compare", shared.file, shared.other, "--no-log", "--json")
    assert result.exit_code == 0, result.stderr
    twice = shared.invoke("compare", shared.file, shared.run_id, "--no-log")
    assert (twice.exit_code, "is named twice" in twice.stderr) == (2, True)
    with pytest.raises(StudyNotFound):  # from Python studies have names and run ids
        StudyComparison.load([shared.run_id, "nobody at all"], tracking_uri=shared.uri)
