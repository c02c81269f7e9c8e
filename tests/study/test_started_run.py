"""The run that a process was started in, by `mlflow run` or by whoever sets MLFLOW_RUN_ID, becomes its study."""

from __future__ import annotations

import logging

import pytest
from mlflow import MlflowClient

from mlflow_tune import Study
from mlflow_tune.tracking import Client
from mlflow_tune.tracking.comparisons import Comparisons


def study(uri: str, name: str = "s", **more) -> Study:
    space = {"x": {"type": "int", "low": 1, "high": 2, "grid": [1, 2]}}
    return Study(
        name=name, objective=lambda x: x, space=space, metric="loss", strategy="grid", tracking_uri=uri, **more
    )


@pytest.mark.slow
def test_it_stays_in_its_experiment_and_keeps_its_name_behind_the_study_s_and_that_is_said(
    sqlite_store, monkeypatch, caplog
):
    client = MlflowClient(sqlite_store)
    theirs = client.create_experiment("theirs")
    run_id = client.create_run(theirs, run_name="bold-fish-7").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    with caplog.at_level(logging.WARNING, "mlflow_tune"):
        done = study(sqlite_store, experiment="houses").run()
    assert done.run_id == run_id
    told = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert told == [
        "the study names the experiment 'houses', but a run that is there stays in 'theirs'",
        "MLFLOW_RUN_ID is set, as `mlflow run` does: its run, now 's (bold-fish-7)', becomes the study, in the "
        "experiment 'theirs'",
    ]
    run = client.get_run(run_id)
    assert (run.info.run_name, run.info.experiment_id) == ("s (bold-fish-7)", theirs)
    assert done.record.definition["experiment"] == "theirs"
    assert Study.load("s", experiment="theirs", tracking_uri=sqlite_store).run_id == run_id
    assert client.get_experiment_by_name("houses") is None, "nothing is in it"

    caplog.clear()
    second = study(sqlite_store, "t", experiment="houses").run()
    assert second.run_id != run_id, "a study is nobody's run to take"
    assert client.get_run(second.run_id).info.run_name == "t"
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.slow
def test_a_run_of_the_study_s_name_and_experiment_is_taken_as_it_is(sqlite_store, monkeypatch):
    client = MlflowClient(sqlite_store)
    run_id = client.create_run(client.create_experiment("houses"), run_name="s").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    assert study(sqlite_store, experiment="houses").run().run_id == run_id
    assert client.get_run(run_id).info.run_name == "s"


def test_a_comparison_keeps_the_name_of_its_run_too(sqlite_store, monkeypatch):
    client = MlflowClient(sqlite_store)
    run_id = client.create_run("0", run_name="bold-fish-7").info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    assert Comparisons(Client(sqlite_store)).create("a and b", "0", ["1" * 32], {}) == run_id
    assert client.get_run(run_id).info.run_name == "a and b (bold-fish-7)"
