"""MLflow's own examples, rewritten small, run unchanged as trials; what they leave is read with plain MlflowClient."""

from __future__ import annotations

import pytest
from mlflow import MlflowClient

from mlflow_tune import Study
from tests.fixtures import TRAINING_CODE
from tests.support.required import required

pytestmark = pytest.mark.slow


def study_of(uri, metric, run, space, trials=1):
    study = Study(
        name=metric, metric=metric, space=space, strategy={"name": "grid"}, run=run, tracking_uri=uri,
        folder=TRAINING_CODE, stop={"trials": trials},
    ).run()  # fmt: skip
    client = MlflowClient(uri)
    return client, [client.get_run(trial.run_id) for trial in study.trials]


def grid(*values):
    return {"type": "float", "low": 0, "high": 1, "grid": list(values)}


@pytest.mark.long
@pytest.mark.parametrize(
    ("mode", "values"), [("bind", (0.25, 0.5)), pytest.param("follow", (0.25,), marks=pytest.mark.long)]
)
def test_multistep_workflow(sqlite_store, mode, values):
    run = {"project": "multistep", "mlflow": mode}
    client, trials = study_of(sqlite_store, "test_rmse", run, {"reg_param": grid(*values)}, len(values))
    for trial, reg_param in zip(trials, values, strict=True):
        expected = pytest.approx(1 + (reg_param - 0.5) ** 2 + 1 / 3)
        assert (trial.info.status, trial.data.metrics["objective"]) == ("FINISHED", expected)
        step = client.get_run(trial.data.tags["tune.followed"])
        assert step.data.tags["mlflow.project.entryPoint"] == "train"
        assert step.data.params["reg_param"] == str(reg_param)
        assert step.data.tags["tune.of_study"] == trial.data.tags["mlflow.parentRunId"]
        above = client.get_run(step.data.tags["mlflow.parentRunId"])
        outermost = above.info.run_id if mode == "bind" else above.data.tags["mlflow.parentRunId"]
        assert outermost == trial.info.run_id
        curve = client.get_metric_history(trial.info.run_id, "test_rmse")
        assert [(point.step, point.value) for point in curve] == [
            (epoch, pytest.approx(1 + (reg_param - 0.5) ** 2 + 1 / (epoch + 1))) for epoch in range(3)
        ]


@pytest.mark.long
def test_sklearn_elasticnet_wine(sqlite_store):
    space = {"alpha": grid(0.1), "l1_ratio": grid(0.5)}
    _, [trial] = study_of(sqlite_store, "rmse", {"project": "wine"}, space)
    assert trial.data.params == {"alpha": "0.1", "l1_ratio": "0.5"}
    assert trial.data.metrics["objective"] == trial.data.metrics["rmse"] == pytest.approx(0.3, abs=0.2)
    assert {"mae", "r2"} < set(trial.data.metrics)
    assert "tune.followed" not in trial.data.tags
    assert len(trial.outputs.model_outputs) == 1


@pytest.mark.long
def test_pytorch(sqlite_store):
    required("torch", "torch")
    command = ["python", "mnist.py", "--lr", "{lr}", "--epochs", "6"]
    client, [trial] = study_of(sqlite_store, "test_loss", {"command": command}, {"lr": grid(0.05)})
    assert trial.data.params["lr"] == "0.05"
    assert trial.data.params["epochs"] == "6"
    curve = client.get_metric_history(trial.info.run_id, "test_loss")
    assert trial.data.metrics["objective"] == curve[-1].value < curve[0].value
    assert "tune.diagnosis" in trial.data.tags
    assert [each.path for each in client.list_artifacts(trial.info.run_id)] == ["events"]
