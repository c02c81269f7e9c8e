"""The backend plugin: MLflow's own command, and its Python API, tune projects by `-b tune`.

What tells of exit codes and signals starts real processes of `mlflow run`; the rest calls the same command in this
process, where MLflow is loaded already.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml
from click.testing import CliRunner, Result

from tests.fixtures import TRAINING_CODE
from tests.fixtures.small_studies.helpers import outcomes, points, runs_of, study_file, wait_for

MANNER = TRAINING_CODE
MLPROJECT = """\
name: parabola
entry_points:
  main:
    parameters:
      x: {type: float, default: 0.3}
      epochs: {type: int, default: 1}
      words: {type: string, default: ""}
    command: python light.py {x} {words}
  broken:
    parameters: {x: float}
    command: "echo {x} && exit 3"
  held:
    parameters: {x: float, folder: string}
    command: "touch {folder}/running && until test -e {folder}/go; do sleep 0.05; done && python light.py {x}"
"""
SPACE = {"x": {"type": "float", "low": 0.0, "high": 1.0}}
CONFIG = {"metric": "loss", "space": SPACE, "strategy": {"name": "random", "seed": 1}, "stop": {"trials": 2}}
RESERVED = ("ENV_MANAGER", "SYNCHRONOUS", "DOCKER_ARGS", "STORAGE_DIR", "build_image", "docker_auth")


def make_project(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "MLproject").write_text(MLPROJECT)
    (folder / "light.py").write_text((MANNER / "light.py").read_text())
    return folder


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project whose training code costs next to nothing, in the folder `parabola` of this one."""
    return make_project(tmp_path / "parabola")


@pytest.fixture
def uri(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server that MLFLOW_TRACKING_URI names."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    return server


@pytest.fixture
def name() -> str:
    """A name that no other study of the server has."""
    return f"study-{uuid4().hex[:8]}"


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def commit(folder: Path, *tags: str) -> None:
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "next")
    for tag in tags:
        git(folder, "tag", tag)


def words_of(project: object, config: Any, *more: object) -> list[str]:
    text = config if isinstance(config, str) else json.dumps(config)
    return ["run", str(project), "-b", "tune", "--backend-config", text, *map(str, more)]


def typed(project: object, config: Any, *more: object) -> Result:
    """Run `mlflow run` in this process."""
    return mlflow_cli(*words_of(project, config, *more))


def mlflow_cli(*words: str) -> Result:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # MLflow's own, of what its commands import
        from mlflow.cli import cli
    return CliRunner().invoke(cli, words)


def refusal(project: object, config: Any, *more: object) -> str:
    """Return the one line that says why `mlflow run` ends with 1."""
    result = typed(project, config, *more)
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    (line,) = result.stderr.splitlines()
    return line.partition("=== ")[2].removesuffix(" ===")


def process(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    """Start `mlflow run` in a session of its own."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"} | variables
    return subprocess.Popen(
        [sys.executable, "-m", "mlflow", *words], cwd=folder, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


# --- real processes --------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_mlflow_run_tunes_a_project_of_git(uri, project, tmp_path, name):
    commit(project, "v1")
    (project / "MLproject").write_text("name: changed since\n")
    commit(project)
    (tmp_path / "study.json").write_text(json.dumps({**CONFIG, "experiment": "of the config", "workers": 2}))
    words = words_of(f"file://{project}", "study.json", "-v", "v1", "-P", "epochs=3", "--experiment-name", name)
    done = process(tmp_path, *words)
    out, err = done.communicate()
    assert done.returncode == 0, err
    assert [line for line in err.splitlines() if "Creating a new experiment" not in line] == []
    lines = out.splitlines()
    assert lines[0] == "parabola: minimize loss by random, up to 2 trials"
    assert lines[1].startswith(f"in MLflow: {uri}/#/experiments/")
    assert sorted(line[:7] for line in lines[2:4]) == ["#001 ok", "#002 ok"]
    assert out.count("#/experiments/") == 1, "a link stands once"
    assert lines[-1] == "mlflow-tune open parabola --browser"
    parent, children = latest(uri, name)
    assert outcomes(children) == [(1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED")]
    assert (parent.data.tags["tune.study"], parent.data.tags["mlflow.project.backend"]) == ("parabola", "tune")
    assert json.loads(parent.data.tags["tune.spec"])["run"] == {
        "project": f"file://{project}", "entry_point": "main", "version": "v1", "parameters": {"epochs": "3"},
        "env_manager": "local", "mlflow": "bind", "retries": 0,
    }  # fmt: skip


def latest(uri: str, experiment: str) -> tuple[Any, list[Any]]:
    """Return the parent run of the only study in the experiment, and its children."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    found = client.search_runs([client.get_experiment_by_name(experiment).experiment_id])
    (parent,) = [run for run in found if run.data.tags["tune.kind"] == "study"]
    return parent, [run for run in found if run.data.tags["tune.kind"] == "trial"]


@pytest.mark.slow
def test_a_project_that_fails_is_told_once_and_exits_with_1(sqlite_store, project, tmp_path):
    config = {**CONFIG, "name": "fails", "stop": {"trials": 9, "failures": 2}}
    words = words_of("parabola", config, "-e", "broken")
    done = process(tmp_path, *words, MLFLOW_TRACKING_URI=sqlite_store)
    out, err = done.communicate()
    assert done.returncode == 1
    (line,) = err.splitlines()
    assert "=== the study 'fails' is aborted (failures: 2 " in line
    assert out.splitlines()[-1].startswith("mlflow-tune resume ")
    parent, children = runs_of(sqlite_store, "fails")
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FAILED", "aborted")
    assert outcomes(children) == [(1, 1, "failed", "FAILED"), (2, 1, "failed", "FAILED")]


@pytest.mark.long
def test_ctrl_c_leaves_a_study_that_can_be_resumed(uri, project, tmp_path, name):
    config = {**CONFIG, "name": name}
    held = ["-e", "held", "-P", f"folder={tmp_path}"]
    started = process(tmp_path, *words_of("parabola", config, *held))
    wait_for((tmp_path / "running").exists)
    os.killpg(started.pid, signal.SIGINT)
    wait_for(lambda: runs_of(uri, name)[1])
    (tmp_path / "go").touch()
    out, err = started.communicate()
    assert started.returncode not in (0, -signal.SIGINT)
    assert "Traceback" not in err
    assert f"{name} is interrupted (interrupted by Ctrl-C)" in out
    parent, children = runs_of(uri, name)
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("KILLED", "interrupted")
    assert len(children) == 1
    resumed = typed("parabola", {"resume": parent.info.run_id}, *held)
    assert resumed.exit_code == 0, resumed.output
    parent, children = runs_of(uri, name)
    assert parent.data.tags["tune.state"] == "finished"
    assert [trial[0] for trial in outcomes(children) if trial[2] == "ok"] == [1, 2]


# --- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", RESERVED)
def test_a_config_may_not_use_the_names_that_mlflow_puts_into_it(uri, project, tmp_path, key):
    said = f"{key}: MLflow writes its own value under this name"
    assert refusal("parabola", {**CONFIG, key: "local"}).startswith(said)
    (tmp_path / "study.json").write_text(json.dumps({key: "local"}))
    assert refusal("parabola", "study.json").startswith(said)


REFUSED = [
    ({}, ["-P", "x=0.5"], "-P x: the parameter is searched in space"),
    ({}, ["-P", "epochz=3"], "run.parameters.epochz: the entry point 'main' does not declare it; "),
    ({}, ["-P", "epochs=many"], "run.parameters.epochs: the entry point declares an int, but got 'many'"),
    ({}, ["--env-manager", "virtualenv"], "--env-manager: must be local or uv, but got 'virtualenv'"),
    ({}, ["-A", "gpus=all"], "projects that run in Docker are not supported"),
    ({}, ["--run-id", "f" * 32], "--run-id: a study makes its own run"),
    ({}, ["-v", "v1"], "run.version: only a project of a git URI has versions"),
    ({}, ["-e", "mian"], "run.entry_point: unknown entry point 'mian'; did you mean 'main'?"),
    ({"metrik": "loss"}, [], "metrik: unknown key; did you mean 'metric'?"),
    ({"studdy": "study.yaml"}, [], "studdy: unknown key; did you mean 'study'?"),
    ({"trials": 3}, [], "trials: unknown key; did you mean 'stop.trials'?"),
    ({"study": 3}, [], "study: must name a study file, but got 3"),
    ({"study": "missing.yaml"}, [], "missing.yaml: the study file cannot be read"),
    ({"run": "parabola"}, [], "run: must be a mapping with keys such as parameters, timeout, retries"),
    ({"run": {"project": "."}}, [], "run.project: the project comes from the command line"),
    ({"run": {"entry_point": "main"}}, [], "run.entry_point: the entry point comes from the command line"),
    ({"run": {"version": "v1"}}, [], "run.version: the version comes from the command line"),
    ({"run": {"command": ["ls"]}}, [], "run.command: the backend tune runs the project of the command line"),
    ({"run": {"objective": "x"}}, [], "run.objective: the backend tune runs the project of the command line"),
    ({"run": {"retires": 1}}, [], "run.retires: unknown key; did you mean 'retries'?"),
    ({"metric": "trial", "goal": "up"}, [], "; goal: must be 'minimize' or 'maximize', but got 'up'"),
    ({"resume": "f" * 32}, [], "name: a study that is resumed keeps what it began with"),
]


@pytest.mark.parametrize(("changes", "words", "said"), REFUSED, ids=[each[2][:40] for each in REFUSED])
def test_wrong_input_is_one_message_and_leaves_nothing(uri, project, name, changes, words, said):
    line = refusal("parabola", {"name": name, **CONFIG, **changes}, *words)
    assert said in line
    assert line.startswith((said, "study.json", "metric: ", str(Path.cwd())))
    assert runs_of(uri, name) == (None, [])


@pytest.mark.slow
def test_the_environment_manager_of_the_command_line_is_that_of_the_study(uri, project, monkeypatch):
    from mlflow_tune.errors import InputError

    def build(*_: object) -> str:
        raise InputError("none is built in this test", "env_manager")

    monkeypatch.setattr("mlflow_tune.launchers.mlproject.build_environment", build)
    assert refusal("parabola", CONFIG, "--env-manager", "uv") == "run.env_manager: none is built in this test"
    config = {**CONFIG, "run": {"env_manager": "uv"}}
    assert refusal("parabola", config) == "run.env_manager: none is built in this test"
    assert typed("parabola", config, "--env-manager", "local").exit_code == 0


def test_a_config_is_needed(uri, project):
    result = mlflow_cli("run", "parabola", "-b", "tune")
    assert (result.exit_code, "metric: the key is missing; space: the key is missing" in result.stderr) == (1, True)


def test_a_folder_that_is_no_project(uri, project):
    assert refusal("nowhere", CONFIG).startswith("run.project: there is no folder ")


# --- Python, experiments, names, versions ----------------------------------------------------------------------------


def by_python(project: object, config: Any, **more: Any) -> Any:
    import mlflow

    return mlflow.projects.run(str(project), backend="tune", backend_config=config, **more)


@pytest.mark.slow
def test_from_python(uri, project, name, capsys):
    run = by_python(project, {**CONFIG, "name": name}, parameters={"epochs": 3}, synchronous=False)
    parent, children = runs_of(uri, name)
    assert (run.run_id, run.get_status(), run.wait()) == (parent.info.run_id, "FINISHED", True)
    run.cancel()
    assert (parent.info.experiment_id, parent.info.status) == ("0", "FINISHED")
    assert len(points(children, "ok")) == 2
    assert all(child.data.params["x"] == str(points([child])[number]["x"]) for number, child in by_number(children))
    said = capsys.readouterr().out
    assert f"{name}: minimize loss by random, up to 2 trials" in said
    assert "View run" not in said
    assert by_python(project, {**CONFIG, "name": name}).wait()


def by_number(children: list[Any]) -> list[tuple[int, Any]]:
    return [(int(child.data.tags["tune.trial"]), child) for child in children]


def test_from_python_what_is_wrong_raises_execution_exception(uri, project):
    from mlflow.exceptions import ExecutionException

    with pytest.raises(ExecutionException, match=r"^goal: must be 'minimize' or 'maximize', but got 'up'$"):
        by_python(project, {**CONFIG, "goal": "up"})
    with pytest.raises(ExecutionException, match=r"^no tracking server answers|^no answer"):
        os.environ["MLFLOW_TRACKING_URI"] = "http://127.0.0.1:9"
        by_python(project, {**CONFIG}, experiment_id="0")


@pytest.mark.slow
def test_the_experiment_of_the_command_line_goes_over_that_of_the_config(uri, project, name):
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    config = {**CONFIG, "name": name, "stop": {"trials": 1}}
    given = client.create_experiment(f"given {name}")
    by_python(project, {**config, "experiment": f"config {name}"}, experiment_id=given)
    assert runs_of(uri, name)[0].info.experiment_id == given
    by_python(project, {**config, "experiment": f"config {name}"})
    parent, _ = runs_of(uri, name)
    assert client.get_experiment(parent.info.experiment_id).name == f"config {name}"


@pytest.mark.slow
def test_a_study_file_under_the_keys_of_the_config(uri, project, tmp_path, name):
    (tmp_path / "files").mkdir()
    path = study_file(tmp_path / "files", name="of the file", metric="loss", space=SPACE, strategy={"name": "random"})
    definition = yaml.safe_load(path.read_text())
    run = {"project": "elsewhere", "parameters": {"epochs": 7}, "timeout": "5m"}
    path.write_text(yaml.safe_dump({**definition, "run": run, "stop": {"trials": 9, "failures": 3}}))
    config = {"study": "files/study.yaml", "name": name, "stop": {"trials": 1}, "run": {"retries": 1}}
    result = typed("parabola", config, "-P", "words=hello")
    assert result.exit_code == 0, result.output
    parent, children = runs_of(uri, name)
    assert len(children) == 1
    held = json.loads(parent.data.tags["tune.spec"])["run"]
    assert (held["project"], held["timeout"]) == ("parabola", "5m")
    assert held["parameters"] == {"epochs": 7, "words": "hello"}
    assert json.loads(parent.data.tags["tune.budget"]) == {"trials": 1, "failures": 3}
    assert "study.yaml: stop.trials: must be" in refusal("parabola", {**config, "stop": {"trials": "x"}})


@pytest.mark.slow
def test_a_version_of_a_local_repository_leaves_its_folder_alone(uri, project, name):
    commit(project, "v1")
    (project / "MLproject").write_text(MLPROJECT.replace("light.py", "missing.py"))
    commit(project)
    before = git(project, "rev-parse", "HEAD"), git(project, "status", "--porcelain")
    result = typed("parabola", {**CONFIG, "name": name}, "-v", "v1")
    assert result.exit_code == 0, result.output
    assert len(points(runs_of(uri, name)[1], "ok")) == 2
    assert (git(project, "rev-parse", "HEAD"), git(project, "status", "--porcelain")) == before
    assert "run.project: cannot fetch 'parabola': " in refusal("parabola", CONFIG, "-v", "v9")
    said = refusal("parabola", CONFIG, "--version=--upload-pack=x")
    assert said.startswith("run.version: must be a branch, a tag or a commit")


@pytest.mark.parametrize(
    ("uri_of_project", "found"),
    [
        (".", "folder"),
        ("folder", "folder"),
        ("../x/folder/", "folder"),
        ("https://h/a/repo.git", "repo"),
        ("git@host:a/repo", "repo"),
        ("git@host:repo.git", "repo"),
        ("https://h/a/repo#sub/part", "part"),
    ],
)
def test_a_project_without_a_name_has_that_of_its_place(tmp_path, uri_of_project, found):
    from mlflow_tune.launchers.mlproject import project_name

    (tmp_path / "folder").mkdir()
    assert project_name(uri_of_project, tmp_path / "folder") == found
    (tmp_path / "folder" / "MLproject").write_text("name: own\n")
    assert project_name(uri_of_project, tmp_path / "folder") == "own"


# --- resume ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def finished(uri: str, project: Path, name: str) -> str:
    """The run id of a study of two trials."""
    return str(by_python("parabola", {**CONFIG, "name": name}, parameters={"epochs": 3}).run_id)


@pytest.mark.long
def test_resume_with_a_larger_budget(uri, finished, name, tmp_path, monkeypatch):
    result = typed("parabola", {"resume": finished, "trials": "+1"}, "-P", "epochs=3")
    assert result.exit_code == 0, result.output
    parent, children = runs_of(uri, name)
    assert (parent.info.run_id, len(points(children, "ok"))) == (finished, 3)
    assert typed(tmp_path / "parabola", {"resume": name, "trials": 4}).exit_code == 0
    make_project(tmp_path / "moved" / "parabola")
    monkeypatch.chdir(tmp_path / "moved")
    onward = {"resume": finished, "trials": "+1", "train_on": [1], "epochs": 5}
    assert by_python("parabola", onward).run_id == finished
    children = runs_of(uri, name)[1]
    assert len(points(children, "ok")) == 5
    epochs = {
        (run.data.tags["tune.trial"], run.data.tags["tune.attempt"]): run.data.params["epochs"] for run in children
    }
    assert (epochs["1", "1"], epochs["1", "2"], epochs["5", "1"]) == ("3", "5", "3")


@pytest.mark.slow
def test_resume_refuses_what_the_study_did_not_begin_with(uri, finished, project, tmp_path, name):
    make_project(tmp_path / "other")
    for config, words, said in (
        ({"trials": 1}, [], "trials: the study holds 2 trials already, but got 1"),
        ({"trials": "many"}, [], "trials: must be"),
        ({"train_on": 9}, [], "train_on: the study has no trial 9; it has 2"),
        ({"epochs": 9}, [], "epochs: says for how long trials are trained on"),
        ({"tirals": 3}, [], "tirals: unknown key 'tirals'; did you mean 'trials'?"),
        ({"study": "study.yaml"}, [], "study: a study that is resumed keeps"),
        ({}, ["-P", "epochs=4"], "-P epochs: the study began with '3' and keeps it, but got '4'"),
        ({}, ["-P", "words=new"], "-P words: the study began with nothing and keeps it, but got 'new'"),
        ({}, ["-e", "held"], "-e: the study began with 'main' and keeps it, but got 'held'"),
        ({}, ["--env-manager", "uv"], "--env-manager: the study began with 'local'"),
    ):
        assert refusal("parabola", {"resume": finished, **config}, *words).startswith(said)
    assert refusal("other", {"resume": finished}) == "resume: the study tunes the project 'parabola', but got 'other'"
    assert refusal("parabola", {"resume": 3}).startswith("resume: must be the run id or the name of a study")
    assert refusal("parabola", {"resume": "nobody"}).startswith("no study is named 'nobody'")
    assert len(runs_of(uri, name)[1]) == 2


@pytest.mark.slow
def test_what_was_not_approved_here_is_refused_unless_the_config_says_yes(uri, finished, name, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    held, more = len(runs_of(uri, name)[1]), {"resume": finished, "trials": "+1"}
    said = f"resume: the study '{name}' is none that you have started or approved on this machine; it runs here: "
    for each in ({}, {"yes": False}):
        refused = refusal("parabola", {**more, **each})
        assert refused.startswith(f"{said}run.project: parabola; run.parameters.epochs: ")
        assert refused.endswith('; look at it, and allow it to run here with "yes": true in the config')
    assert refusal("parabola", {**more, "yes": "no"}) == "yes: must be true or false, but got 'no'"
    assert len(runs_of(uri, name)[1]) == held
    assert typed("parabola", {**more, "yes": True}).exit_code == 0
    assert len(runs_of(uri, name)[1]) == held + 1
    assert typed("parabola", more).exit_code == 0, "it is approved from then on"


@pytest.mark.slow
def test_a_study_of_a_function_is_resumed_by_its_own_command(uri, project, tmp_path, name):
    from mlflow_tune.cli import main

    path = study_file(tmp_path / "function", name=name)
    assert CliRunner().invoke(main, ["run", str(path)]).exit_code == 0
    said = refusal("parabola", {"resume": name})
    assert said.startswith("resume: the study runs a function: go on with it by `mlflow-tune resume ")
