"""The project in projects/digits by itself, as people run it: with `mlflow run` and by hand, without mlflow_tune."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.benchmarks.diagnosis import train as train_in_process
from tests.fixtures import ROOT
from tests.fixtures.small_studies.helpers import fork
from tests.support.server import copy_store

DIGITS = ROOT / "projects" / "digits"
EPOCHS = 3
PARAMS = {
    "lr": "0.01",
    "units": "32",
    "alpha": "0.0001",
    "batch_size": "200",
    "activation": "relu",
    "epochs": str(EPOCHS),
    "train_images": "1347",
    "seed": "0",
}
# MLflow 3.17's own tables under SQLAlchemy 2.1; nothing that this project or the script could change.
pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning")
METRICS = ("train_loss", "val_loss", "val_accuracy")


@dataclass(frozen=True)
class Result:
    """What a script's process said, and the one MLflow run that it left in its store."""

    process: subprocess.CompletedProcess
    client: object
    run: object

    def curves(self):
        """Return the (step, value) points of each metric."""
        history = {name: self.client.get_metric_history(self.run.info.run_id, name) for name in METRICS}
        return {name: [(point.step, point.value) for point in points] for name, points in history.items()}


def run_in(folder, template, *command):
    """Run the command in `folder` on a new SQLite store there, and return its only run with all it said."""
    copy_store(template, folder)
    process = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=240, check=False
    )
    return result(folder, process)


def environment(folder):
    """Return a person's environment, with the store in the folder."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("MLFLOW_", "PYTHONWARNINGS"))}
    # The command in MLproject says `python`: it must be the one that runs the tests.
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
    return clean | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": store_in(folder)}


def store_in(folder):
    return f"sqlite:///{folder}/mlflow.db"


def result(folder, process):
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=store_in(folder))
    (run,) = client.search_runs(["0"])
    return Result(process, client, run)


def train(folder, *arguments):
    """Run train.py as by hand, but in a fork of a process that has imported MLflow."""
    return result(folder, forked(folder, DIGITS / "train.py", *arguments))


def refusal(folder, script, *arguments):
    """Return what the script says when it refuses its arguments."""
    process = forked(folder, script, *arguments)
    assert process.returncode == 2
    return process.stderr


def forked(folder, *words):
    done = fork([str(word) for word in words], folder, environment(folder), "", folder / "out", folder / "err")
    code = done.wait()
    return subprocess.CompletedProcess(words, code, done.out.read_text(), done.err.read_text())


@pytest.fixture(autouse=True, scope="module")
def no_telemetry():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        yield


@pytest.fixture(scope="module")
def by_mlflow(store_template, tmp_path_factory):
    """The project under plain `mlflow run`, every parameter given."""
    given = [word for name, value in PARAMS.items() for word in ("-P", f"{name}={value}")]
    command = (sys.executable, "-m", "mlflow", "run", str(DIGITS), "--env-manager", "local", *given)
    return run_in(tmp_path_factory.mktemp("mlflow_run"), store_template, *command)


@pytest.fixture(scope="module")
def by_hand(store_template, tmp_path_factory):
    """The same training by hand, with what PARAMS and the defaults share left out."""
    given = ("--lr", "0.01", "--units", "32", "--epochs", str(EPOCHS))
    return run_in(tmp_path_factory.mktemp("by_hand"), store_template, sys.executable, str(DIGITS / "train.py"), *given)


@pytest.mark.long
def test_mlflow_run_leaves_params_curves_and_model(by_mlflow):
    assert by_mlflow.process.returncode == 0, by_mlflow.process.stderr
    assert by_mlflow.run.info.status == "FINISHED"
    assert by_mlflow.run.data.params == PARAMS
    for name, points in by_mlflow.curves().items():
        assert [step for step, _ in points] == list(range(1, EPOCHS + 1)), name
    losses = [value for _, value in by_mlflow.curves()["val_loss"]]
    assert losses == sorted(losses, reverse=True)


@pytest.mark.long
def test_the_logged_model_reads_digits(by_mlflow):
    import mlflow.sklearn
    from sklearn.datasets import load_digits

    (output,) = by_mlflow.run.outputs.model_outputs
    logged = by_mlflow.client.get_logged_model(output.model_id)
    assert (logged.name, logged.status) == ("model", "READY")
    images, labels = load_digits(return_X_y=True)
    assert mlflow.sklearn.load_model(logged.artifact_location).score(images / 16.0, labels) > 0.75


@pytest.mark.long
def test_by_hand_it_logs_its_params_and_says_nothing_but_its_epochs(by_hand):
    assert by_hand.process.returncode == 0, by_hand.process.stderr
    assert by_hand.run.data.params == PARAMS
    lines = by_hand.process.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", str(epoch)] for epoch in range(1, EPOCHS + 1)]
    assert "Warning" not in by_hand.process.stderr


@pytest.mark.long
def test_equal_parameters_give_equal_curves(by_mlflow, by_hand):
    assert by_mlflow.curves() == by_hand.curves()


@pytest.mark.slow
def test_the_seed_changes_the_curves_and_few_images_are_fitted_faster():
    settings = {"lr": 0.01, "units": 32, "epochs": EPOCHS}
    ours, again, other = (train_in_process(settings, seed) for seed in (0, 0, 1))
    assert ours == again
    assert ours["train_loss"] != other["train_loss"]
    few = train_in_process(settings | {"train_images": 20, "epochs": 40}, 0)
    assert few["train_loss"][-1][1] < 0.1 < 1 < few["val_loss"][-1][1]


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [("--train_images", "0"), ("--train_images", "1348"), ("--epochs", "0")])
def test_what_cannot_be_trained_is_refused_in_words(wrong, tmp_path):
    assert f"must hold, but got {wrong[1]}" in refusal(tmp_path, DIGITS / "train.py", *wrong)


@pytest.mark.long
def test_a_diverging_run_logs_its_losses_as_they_are(sqlite_store, tmp_path):
    result = train(tmp_path, "--lr", "10", "--activation", "tanh", "--epochs", "2")
    assert result.process.returncode == 0, result.process.stderr
    assert min(value for _, value in result.curves()["val_loss"]) > 10  # guessing gives ln(10) = 2.3


@pytest.mark.slow
def test_weights_that_overflow_fail_the_run(sqlite_store, tmp_path):
    result = train(tmp_path, "--lr", "1e200")
    assert result.process.returncode == 1
    assert "ValueError: Solver produced non-finite parameter weights" in result.process.stderr
    assert "RuntimeWarning" not in result.process.stderr
    assert result.run.info.status == "FAILED"


@pytest.mark.long
def test_running_it_leaves_no_store_in_its_folder(by_mlflow):
    assert not {"mlruns", "mlartifacts", "mlflow.db"} & {path.name for path in DIGITS.iterdir()}
