"""The MLprojects under projects/: `mlflow run` starts a study of each strategy, or compares several."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from mlflow_tune import InputError
from mlflow_tune.cli.common import Common
from mlflow_tune.cli.mlproject import _given, _spec
from tests.fixtures import ROOT
from tests.fixtures.small_studies.helpers import outcomes, runs_of, tune, wait_for
from tests.test_backend import make_project

PROJECTS = ROOT / "projects"
LONG = pytest.mark.long
NAMES = ("manual", "grid", "bisection", "random", "bayesian", "compare")
LINE = "{x: {type: float, low: 0, high: 1, grid: 3}}"
OWN = {
    "manual": {"points": "[{x: 0.25}, {x: 0.75}]"},
    "grid": {},
    "bisection": {"tolerance": "0.4"},
    "random": {"trials": "3", "seed": "4"},
    "bayesian": {"trials": "3", "initial": "2"},
}
NOWHERE = Common(None, None, as_json=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "parabola")


def command(name: str, manager: str = "local", /, **parameters: str) -> list[str]:
    words = [f"-P{key}={value}" for key, value in parameters.items()]
    flags = ["--env-manager", manager, "--experiment-name", "mlprojects"]
    return [sys.executable, "-m", "mlflow", "run", str(PROJECTS / name), *flags, *words]


def environment(uri: str) -> dict[str, str]:
    return {**os.environ, "MLFLOW_TRACKING_URI": uri, "MLFLOW_DISABLE_TELEMETRY": "true"}


def mlflow_run(uri: str, /, *words: str, **parameters: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*words, **parameters), env=environment(uri), capture_output=True, text=True, check=False, timeout=280
    )


def test_every_strategy_has_a_project_whose_command_passes_what_it_declares():
    for name in NAMES:
        form = yaml.safe_load((PROJECTS / name / "MLproject").read_text())
        main = form["entry_points"]["main"]
        assert set(main["parameters"]) >= {"project", "git", "study", "space", "metric", "trials"}
        assert {"project", "study"} == {key for key, each in main["parameters"].items() if each["type"] == "path"}
        words = main["command"].split(f"mlflow_tune mlproject {name} ")[1].split()
        assert words == [f"{key}={{{key}}}" for key in main["parameters"]]
        assert (PROJECTS / name / form["python_env"]).is_file()


def test_the_environment_of_the_projects_is_that_of_the_package():
    package = {Requirement(each) for each in requires("mlflow-tune") or () if "extra ==" not in each}
    listed = yaml.safe_load((PROJECTS / "python_env.yaml").read_text())["dependencies"]
    assert {Requirement(each) for each in listed} == package


def spec_of(strategy: str, **settings: str) -> Any:
    return _spec(strategy, _given([f"{key}={value}" for key, value in settings.items()]), NOWHERE)


def test_a_study_file_is_taken_whole_and_what_is_given_goes_over_it(tmp_path):
    form = {
        "name": "of-file", "run": {"command": ["train", "{x}"]}, "metric": "loss", "space": yaml.safe_load(LINE),
        "strategy": {"name": "bayesian", "initial": 5, "seed": 3}, "stop": {"trials": 9},
    }  # fmt: skip
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(form))
    same = spec_of("bayesian", study=str(path), seed="7", project="/dev/null", trials="", goal="maximize")
    assert (same.name, same.strategy.initial, same.strategy.seed, same.stop.trials) == ("of-file", 5, 7, 9)
    assert (list(same.run.command), same.goal) == (["train", "{x}"], "maximize")
    other = spec_of("grid", study=str(path), trials="2")
    assert (other.strategy.name, other.stop.trials) == ("grid", 2)


def test_without_a_file_the_study_is_named_after_the_project():
    given = {"space": LINE, "metric": "loss", "trials": "2"}
    assert spec_of("random", project="/code/digits", **given).name == "digits-random"
    assert spec_of("random", git="https://host/who/repo.git#projects/net", **given).name == "net-random"
    assert spec_of("random", git="git@host:who/repo.git", name="mine", **given).name == "mine"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"metric": "loss"}, "give project .*, git .* or study"),
        ({"project": ".", "space": LINE, "trials": "2"}, "metric"),
        ({"project": ".", "metric": "loss", "space": "{x: [}", "trials": "2"}, "line 1"),
        ({"project": ".", "metric": "loss", "space": LINE, "trials": "none"}, "stop.trials"),
        ({"study": "/nowhere.yaml"}, "cannot be read"),
    ],
)
def test_what_is_missing_or_wrong_is_told(settings, words):
    with pytest.raises(InputError, match=words):
        spec_of("random", **settings)


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("manual", marks=LONG),
        pytest.param("grid", marks=LONG),
        "bisection",
        pytest.param("random", marks=LONG),
        pytest.param("bayesian", marks=LONG),
    ],
)
def test_mlflow_run_makes_a_study_of_its_own_run(server, project, name):
    done = mlflow_run(
        server, name, project=str(project), space=LINE, metric="loss", name=f"by-mlflow-{name}", **OWN[name]
    )
    assert done.returncode == 0, done.stderr
    parent, children = runs_of(server, f"by-mlflow-{name}")
    assert f"in run with ID '{parent.info.run_id}'" in done.stderr
    assert parent.info.run_name.startswith(f"by-mlflow-{name} (")
    assert f"its run, now '{parent.info.run_name}', becomes the study" in done.stderr
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["tune.state"] == "finished"
    assert len(children) >= 2
    assert {outcome for _, _, outcome, _ in outcomes(children)} == {"ok"}
    assert {run.data.tags["tune.strategy"] for run in children} == {name}


@pytest.mark.long
def test_compare_runs_a_study_a_strategy_and_its_run_is_the_comparison(server, project):
    done = mlflow_run(
        server, "compare", project=str(project), space=LINE, metric="loss", trials="2", name="all",
        strategies="[grid, random, bisection]", parameters="{words: '<b>|`$(touch x){lr}'}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for strategy in ("grid", "random", "bisection"):
        _, children = runs_of(server, f"all-{strategy}")
        assert outcomes(children) == [(1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED")]
    from mlflow import MlflowClient

    client = MlflowClient(server)
    experiment = client.get_experiment_by_name("mlprojects")
    (run,) = client.search_runs([experiment.experiment_id], "tags.`tune.kind` = 'comparison'")
    assert f"in run with ID '{run.info.run_id}'" in done.stderr
    assert run.info.status == "FINISHED"
    assert {"comparison.html", "comparison.csv", "figures"} <= {
        each.path for each in client.list_artifacts(run.info.run_id)
    }
    assert not (project / "x").exists()


@pytest.mark.long
def test_ctrl_c_on_mlflow_run_leaves_a_study_that_resumes(server, project):
    parameters = json.dumps({"folder": str(project)})
    words = command(
        "grid", project=str(project), entry_point="held", space=LINE, metric="loss", name="cut", parameters=parameters
    )
    process = subprocess.Popen(words, env=environment(server), start_new_session=True, stderr=subprocess.PIPE)
    wait_for((project / "running").exists)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    (project / "go").touch()
    process.communicate(timeout=120)
    assert process.returncode != 0
    parent, children = runs_of(server, "cut")
    assert parent.data.tags["tune.state"] == "interrupted"
    assert all(run.info.status != "RUNNING" for run in children)
    assert tune(["resume", parent.info.run_id], uri=server).wait() == 0
    _, children = runs_of(server, "cut")
    assert [number for number, _, outcome, _ in outcomes(children) if outcome == "ok"] == [1, 2, 3]


@pytest.mark.long
@pytest.mark.skipif(
    "MLFLOW_TUNE_REQUIRE" not in os.environ, reason="builds an environment: minutes, and a package index"
)
def test_the_environment_manager_uv_builds_what_the_project_needs(server, project):
    done = mlflow_run(server, "grid", "uv", project=str(project), space=LINE, metric="loss", name="with-uv")
    assert done.returncode == 0, done.stderr
    _, children = runs_of(server, "with-uv")
    assert [outcome for _, _, outcome, _ in outcomes(children)] == ["ok"] * 3
