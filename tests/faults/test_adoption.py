"""A copy of a run that becomes a trial is made once, also when the answer to its making is lost on the way."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from mlflow import MlflowClient

from mlflow_tune import Study
from tests.fixtures.small_studies.helpers import tune
from tests.support.proxy import LOSE, TORN

SPACE = {"x": {"type": "int", "low": 1, "high": 8}}


@pytest.fixture
def original(server: str) -> tuple[str, str]:
    """The id of a run that a person made, and the experiment in which it is alone."""
    mlflow, experiment = MlflowClient(server), f"adoption-{uuid.uuid4().hex}"
    run_id = mlflow.create_run(mlflow.create_experiment(experiment)).info.run_id
    mlflow.log_param(run_id, "x", 4)
    for step, value in enumerate([3.0, 2.0, 1.0]):
        mlflow.log_metric(run_id, "loss", value, step=step)
    mlflow.set_terminated(run_id)
    return run_id, experiment


@pytest.mark.long
@pytest.mark.parametrize("fault", [LOSE, TORN], ids=["lost", "torn"])
@pytest.mark.parametrize("path", ["runs/create", "runs/log-batch"])
def test_a_lost_answer_makes_no_second_copy(server, proxy, tmp_path, original, path, fault):
    run_id, experiment = original
    study = Study(
        name="adopts", run={"command": ["true", "{x}"]}, space=SPACE, metric="loss", strategy="random",
        experiment=experiment, tracking_uri=server,
    ).create()  # fmt: skip
    words = ["adopt", study.run_id, "--filter", "params.x = '4'", "--copy"]
    proxy.spoil(path, fault)
    done = tune(words, tmp_path, proxy.uri)
    assert done.wait() == 0, done.err.read_text()
    assert not any(plan.times for plan in proxy._faults), "no answer was lost"
    assert proxy.calls().count("POST runs/create") == 1
    assert "1 adopted, 0 refused." in done.out.read_text()
    [copy] = copies(server, experiment)
    assert copy.data.tags["tune.copied_from"] == run_id
    assert [trial.run_id for trial in study.trials] == [copy.info.run_id]
    points = MlflowClient(server).get_metric_history(copy.info.run_id, "loss")
    assert [(point.step, point.value) for point in points] == [(0, 3.0), (1, 2.0), (2, 1.0)]
    again = tune(words, tmp_path, server)
    assert again.wait() == 1
    assert again.out.read_text().splitlines()[-2:] == ["1 run is a trial already", "0 adopted, 1 refused."]
    assert len(copies(server, experiment)) == 1


def copies(uri: str, experiment: str) -> list[Any]:
    """Return all runs of the experiment that are neither a study nor the original."""
    mlflow = MlflowClient(uri)
    runs = mlflow.search_runs([mlflow.get_experiment_by_name(experiment).experiment_id])
    return [run for run in runs if run.data.tags.get("tune.kind") != "study" and "tune.nonce" in run.data.tags]
