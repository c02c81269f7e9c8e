"""The convolutional network in projects/convnet and the two lessons on it, as people run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from PIL import Image

from tests.fixtures import ROOT
from tests.projects.test_projects import METRICS, refusal, run_in
from tests.support.required import required
from tests.support.server import copy_store

CONVNET = ROOT / "projects" / "convnet"
LESSONS = ROOT / "examples"
PARAMS = {
    "lr": "0.01",
    "dropout": "0.4",
    "weight_decay": "0.01",
    "kernel_size": "3",
    "batch_size": "64",
    "epochs": "3",
    "seed": "0",
}
SCORE = """
import mlflow.pytorch, sys, torch
from sklearn.datasets import load_digits
images, labels = load_digits(return_X_y=True)
scores = mlflow.pytorch.load_model(sys.argv[1])(torch.tensor(images / 16).float().reshape(-1, 1, 8, 8))
print((scores.argmax(dim=1).numpy() == labels).mean())
"""
pytestmark = [pytest.mark.long, pytest.mark.timeout(900)]


@pytest.fixture(autouse=True, scope="module")
def torch():
    required("torch", "torch")


def python(store, *words):
    """Run Python in the current folder on the store; return what it printed."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    environment = {**os.environ, "PATH": path, "MLFLOW_TRACKING_URI": store, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *map(str, words)], env=environment, capture_output=True, text=True, check=False, timeout=850
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(torch, store_template, tmp_path_factory):
    """The project under plain `mlflow run`, with some of its parameters given."""
    given = [word for name in ("lr", "dropout", "epochs") for word in ("-P", f"{name}={PARAMS[name]}")]
    command = (sys.executable, "-m", "mlflow", "run", str(CONVNET), "--env-manager", "local", *given)
    return run_in(tmp_path_factory.mktemp("convnet"), store_template, *command)


def test_the_network_logs_params_curves_and_pictures(trained, tmp_path):
    assert trained.process.returncode == 0, trained.process.stderr
    assert trained.run.info.status == "FINISHED"
    assert trained.run.data.params == PARAMS
    for name, points in trained.curves().items():
        assert [step for step, _ in points] == [1, 2, 3], name
    assert set(METRICS) == set(trained.run.data.metrics)
    for name in ("feature_maps.png", "misread.png"):
        path = trained.client.download_artifacts(trained.run.info.run_id, name, str(tmp_path))
        with Image.open(path) as picture:
            assert 100 < picture.width < 1000
            assert picture.convert("L").getextrema() == (0, 255)


def test_the_logged_network_reads_digits(trained, tmp_path):
    (output,) = trained.run.outputs.model_outputs
    model = trained.client.get_logged_model(output.model_id)
    assert (model.name, model.status) == ("model", "READY")
    assert float(python(f"sqlite:///{tmp_path}/no.db", "-c", SCORE, model.artifact_location)) > 0.75


def test_what_cannot_be_trained_is_refused_in_words(tmp_path):
    said = refusal(tmp_path, CONVNET / "train.py", "--kernel_size", "2")
    assert "kernel_size in 1, 3, 5, 7 must hold, but got 2" in said


@pytest.mark.long
def test_the_twelve_models_train_as_the_project(sqlite_store, tmp_path):
    """The first two of grid.yaml, for an epoch: each a process of the project that writes into its own run."""
    from mlflow import MlflowClient

    form = yaml.safe_load((LESSONS / "dropout_grid" / "grid.yaml").read_text())
    assert form["run"] == {"project": "../../projects/convnet", "parameters": {"epochs": 10}, "timeout": "10m"}
    form["run"] |= {"project": str(CONVNET), "parameters": {"epochs": 1}}
    (tmp_path / "grid.yaml").write_text(yaml.safe_dump(form))
    python(sqlite_store, "-m", "mlflow_tune", "run", tmp_path / "grid.yaml", "--trials", "2")
    client = MlflowClient(sqlite_store)
    experiment = client.get_experiment_by_name("dropout_grid").experiment_id
    (parent,) = client.search_runs([experiment], "tags.`tune.kind` = 'study'")
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert [run.info.status for run in children] == ["FINISHED"] * 2
    assert len(client.search_runs([experiment])) == 3
    assert len({run.data.metrics["val_loss"] for run in children}) == 2


@pytest.fixture(scope="module")
def short_lesson(torch, store_template, tmp_path_factory):
    """The lesson in its short form, once: its store, its folder and what it printed."""
    folder = tmp_path_factory.mktemp("short_lesson")
    store = copy_store(store_template, folder)
    return store, folder, python(store, LESSONS / "dropout_grid" / "lesson.py", folder, "--short")


@pytest.mark.long
def test_the_twelve_models_are_twelve_children_and_the_cells_of_the_heat_map(short_lesson):
    from mlflow import MlflowClient

    from mlflow_tune import Study
    from mlflow_tune.driver.reporter import subject_of
    from mlflow_tune.report.figures.heat_map import heat_map_figure

    store, *_ = short_lesson
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("dropout_grid").experiment_id
    (parent,) = client.search_runs([experiment], "tags.`tune.study` = 'twelve-models' and tags.`tune.kind` = 'study'")
    children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'")
    assert [run.info.status for run in children] == ["FINISHED"] * 12
    points = {(float(run.data.params["lr"]), float(run.data.params["dropout"])): run for run in children}
    rates, dropouts = (1e-4, 1e-3, 1e-2), (0.4, 0.5, 0.6, 0.7)
    values = [[points[lr, dropout].data.metrics["val_loss"] for lr in rates] for dropout in dropouts]

    study = Study.load(parent.info.run_id, tracking_uri=store)
    trials = study.trials
    axes = heat_map_figure(subject_of(study.spec, trials), trials).axes[0]
    assert axes.images[0].get_array().tolist() == values
    assert [text.get_text() for text in axes.texts] == [f"{value:.3g}" for row in values for value in row]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["0.0001", "0.001", "0.01"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["0.4", "0.5", "0.6", "0.7"]
    (frame,) = [patch for patch in axes.patches if patch.get_label() == "best"]
    best = min(value for row in values for value in row)
    assert values[round(frame.get_y() + 0.5)][round(frame.get_x() + 0.5)] == best


@pytest.mark.long
def test_the_short_lesson_compares_three_strategies_over_two_seeds(short_lesson):
    from mlflow import MlflowClient

    store, folder, told = short_lesson
    assert "trials each the best val_loss is" in told
    for name in ("dropout_grid.png", "dropout_grid_compared.png"):
        with Image.open(folder / name) as picture:
            assert picture.width > 500
    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("dropout_grid").experiment_id
    studies = client.search_runs([experiment], "tags.`tune.kind` = 'study'")
    assert len(studies) == 7
    runs = client.search_runs([experiment])
    assert len(runs) == 7 + 12 + 6 * 4 + 1
    assert {run.info.status for run in runs} == {"FINISHED"}
    (comparison,) = client.search_runs([experiment], "tags.`tune.kind` = 'comparison'")
    assert "comparison.html" in {each.path for each in client.list_artifacts(comparison.info.run_id)}


@pytest.mark.long
def test_the_short_session_is_three_tries_with_their_curves(sqlite_store, tmp_path):
    told = python(sqlite_store, LESSONS / "babysitting" / "session.py", "--short")
    assert told.count("$ mlflow-tune try") == told.count("diagnosis: ") == 3
    assert "against the best of the others (#001)" in told
    assert "val_loss from " in told.splitlines()[-2]
    with Image.open(tmp_path / "babysitting.png") as picture:
        assert picture.width > 500
