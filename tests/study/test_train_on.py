"""Trials that a person trains on: more epochs for the same point, and whose value counts whatever becomes of it."""

from __future__ import annotations

import json
import os
import signal

import mlflow
import pytest
from click.testing import CliRunner
from mlflow import MlflowClient

import mlflow_tune
from mlflow_tune import Float, InputError, Int, Study
from mlflow_tune.cli import main
from mlflow_tune.study.training_on import asked_on
from mlflow_tune.tracking import Refresh
from tests.fixtures import TRAINING_CODE
from tests.fixtures.small_studies.helpers import nothing_left, outcomes, runs_of, start, study_file, wait_for

LEVEL = {"level": Float(0, 9)}
POINTS = {"name": "manual", "points": [{"level": 1}, {"level": 2}]}


def study(uri, objective, **more):
    given = {"name": "s", "space": LEVEL, "metric": "loss", "strategy": POINTS, "parameters": {"epochs": 4}}
    return Study(objective=objective, tracking_uri=uri, **{**given, **more})


def again(uri, objective):
    return Study.load("s", objective=objective, tracking_uri=uri)


def checkpointed(level, epochs):
    """Log a falling loss; begin where the checkpoint of the run that is named ends, and leave one."""
    with mlflow.start_run():
        source = os.environ.get("MLFLOW_TUNE_RESUME_FROM")
        begun = int(mlflow.artifacts.load_text(f"runs:/{source}/checkpoint.txt")) if source else 0
        for epoch in range(begun + 1, epochs + 1):
            mlflow.log_metric("loss", level + 1 / epoch, step=epoch)
        mlflow.log_text(str(epochs), "checkpoint.txt")


@pytest.mark.slow
def test_a_trial_that_is_trained_on_goes_on_from_its_checkpoint(sqlite_store, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study(sqlite_store, checkpointed).run()
    done = again(sqlite_store, checkpointed).resume(train_on=2)
    first, second = done.trials
    assert (first.attempt, first.value, second.attempt, second.value) == (1, 1.25, 2, 2 + 1 / 8)
    assert (second.params, second.raised, second.outcome) == ({"level": 2.0}, {"epochs": 8}, "ok")
    assert done.ending.state == "finished" and list(done.history) == done.trials
    client = MlflowClient(sqlite_store)
    run = client.get_run(second.run_id)
    assert [point.step for point in client.get_metric_history(second.run_id, "loss")] == [5, 6, 7, 8]
    assert (run.data.params["epochs"], run.info.run_name) == ("8", "#002 level=2 epochs=8")
    assert json.loads(run.data.tags["tune.params"]) == {"level": 2.0}
    assert "Trained on, to epochs=8." in run.data.tags["mlflow.note.content"]
    assert "MLFLOW_TUNE_RESUME_FROM" not in os.environ

    trained = again(sqlite_store, checkpointed).resume(train_on=[2, 1], epochs=12)
    assert [(trial.attempt, trial.raised) for trial in trained.trials] == [(2, {"epochs": 12}), (3, {"epochs": 12})]
    assert [trial.value for trial in trained.trials] == [1 + 1 / 12, 2 + 1 / 12]
    steps = [point.step for point in client.get_metric_history(trained.trials[1].run_id, "loss")]
    assert steps == [9, 10, 11, 12]
    odd = ["{", "[]", '{"epochs": "8"}', '{"after": 3}', '{"after": 9, "raised": {"level": 7}}']
    for text in odd:  # what anybody may have written asks for nothing
        client.set_tag(trained.trials[0].run_id, "tune.train_on", text)
        client.set_tag(trained.trials[1].run_id, "tune.raised", text)
        read = again(sqlite_store, checkpointed).trials
        assert [trial.value for trial in read] == [1 + 1 / 12, 2 + 1 / 12]
    resumed = again(sqlite_store, checkpointed).resume()  # nor is anything done twice
    assert [trial.attempt for trial in resumed.trials] == [2, 3]


@pytest.mark.slow
def test_a_searched_number_of_epochs_is_raised_and_the_point_stays(sqlite_store):
    space = {"rounds": Int(2, 4, grid=[2, 4], role="epochs")}
    given = {"space": space, "strategy": "grid", "parameters": {"epochs": 1}}
    study(sqlite_store, lambda rounds, epochs: 1 / rounds, **given).run()
    done = again(sqlite_store, lambda rounds, epochs: 1 / rounds).resume(train_on=[1, 2])
    assert [trial.value for trial in done.trials] == [1 / 4, 1 / 8]
    assert [trial.params for trial in done.trials] == [{"rounds": 2}, {"rounds": 4}]
    assert [trial.trained_with for trial in done.trials] == [{"rounds": 4}, {"rounds": 8}]
    assert done.best.number == 2 and len(runs_of(sqlite_store, "s")[1]) == 4


@pytest.mark.slow
def test_what_is_trained_on_in_vain_keeps_its_value(sqlite_store):
    def fails(level, epochs):
        if epochs > 4:
            raise ValueError("no checkpoint")
        return level

    study(sqlite_store, fails).run()
    done = again(sqlite_store, fails).resume(train_on=1)
    assert [(trial.attempt, trial.outcome, trial.value) for trial in done.trials] == [(2, "ok", 1.0), (1, "ok", 2.0)]
    assert list(done.history) == done.trials and done.best.number == 1
    assert outcomes(runs_of(sqlite_store, "s")[1])[:2] == [(1, 1, "ok", "FINISHED"), (1, 2, "failed", "FAILED")]
    assert [trial.value for trial in Refresh(done.client, done.record).trials()] == [1.0, 2.0]
    assert again(sqlite_store, fails).resume().trials == done.trials  # what failed is not tried again unasked
    later = again(sqlite_store, lambda level, epochs: level / epochs).resume(train_on="1")
    assert (later.trials[0].attempt, later.trials[0].value) == (3, 1 / 8)


@pytest.mark.slow
def test_what_is_broken_off_goes_on_with_the_next_resume(sqlite_store):
    def breaks(level, epochs):
        if epochs > 4:
            raise KeyboardInterrupt
        return level

    study(sqlite_store, breaks).run()
    broken = again(sqlite_store, breaks)
    with pytest.raises(KeyboardInterrupt):
        broken.resume(train_on=[1, 2], epochs=7)
    assert broken.ending.state == "interrupted"
    assert [trial.value for trial in broken.trials] == [1.0, 2.0] and broken.best.number == 1
    assert list(broken.history) == broken.trials
    seen = []

    def works(level, epochs):
        seen.append((level, epochs, os.environ["MLFLOW_TUNE_RESUME_FROM"]))
        return level / epochs

    done = again(sqlite_store, works).resume()
    firsts = [run.info.run_id for run in runs_of(sqlite_store, "s")[1] if run.data.tags["tune.attempt"] == "1"]
    assert seen == [(1.0, 7, firsts[0]), (2.0, 7, firsts[1])]
    assert [(trial.attempt, trial.value) for trial in done.trials] == [(3, 1 / 7), (2, 2 / 7)]
    assert done.ending.state == "finished"


def curve(level, epochs):
    with mlflow.start_run():
        for step in range(1, epochs + 1):
            mlflow.log_metric("loss", level + 1 / step, step=step)
            if mlflow_tune.should_stop():
                return


@pytest.mark.slow
def test_a_stopped_trial_is_trained_to_its_end_and_not_stopped_again(sqlite_store, monkeypatch):
    monkeypatch.setattr("mlflow_tune.driver.pruner.LONGEST", 0.0)  # a look after each step, however long it took
    tries = {"name": "manual", "points": [{"level": level} for level in (0.5, 0.4, 3)]}
    stopped = study(sqlite_store, curve, strategy=tries, stop_trials="median").run().trials
    assert [trial.outcome for trial in stopped] == ["ok", "ok", "pruned"]
    assert stopped[2].reason.endswith("; rank 3 of 3")
    done = again(sqlite_store, curve).resume(train_on=3)
    last = done.trials[-1]
    assert (last.outcome, last.attempt, last.raised, last.value) == ("ok", 2, {"epochs": 4}, 3.25)
    assert not last.curve and last.before.curve == stopped[2].curve  # rules know it by the curve it had
    assert done.best.number == 2


@pytest.mark.slow
def test_what_cannot_be_trained_on_is_told_before_anything_runs(sqlite_store):
    def some(level, epochs):
        if level > 1:
            raise ValueError("too high")
        return level

    study(sqlite_store, some).run()
    children = len(runs_of(sqlite_store, "s")[1])
    for given, words in [
        (
            {"train_on": [1, 2, 9]},
            ["trial 2 cannot be trained on: it failed", "--retry-failed", "no trial 9; it has 2"],
        ),
        ({"train_on": 1, "epochs": 4}, ["--epochs: must be more than the 4 epochs that trial 1 had, but got 4"]),
    ]:
        with pytest.raises(InputError) as refused:
            again(sqlite_store, some).resume(**given)
        assert all(word in "\n".join(map(str, refused.value.faults)) for word in words), refused.value.faults
    study(sqlite_store, lambda level: level, name="bare", parameters={}).run()
    with pytest.raises(InputError, match=r"nothing says for how many epochs .*`role: epochs`"):
        Study.load("bare", objective=lambda level: level, tracking_uri=sqlite_store).resume(train_on=1)
    assert len(runs_of(sqlite_store, "s")[1]) == children
    parent, bare = runs_of(sqlite_store, "bare")
    assert parent.data.tags["tune.state"] == "finished" and len(bare) == 2


def test_the_numbers_may_be_written_in_several_ways():
    assert asked_on("3,7", "60") == asked_on([3, 7, 3], 60) == ([3, 7], 60)
    assert asked_on(3, None) == ([3], None) and asked_on((), None) == ([], None)
    for trials, epochs, words in [
        ("3,x", None, "--train-on: must be numbers of trials, such as 3,7"),
        ((), 5, "--epochs: says for how long trials are trained on"),
        (3, 0, "--epochs: must be at least 1"),
    ]:
        with pytest.raises(InputError, match=words):
            asked_on(trials, epochs)
    shown = CliRunner().invoke(main, ["resume", "--help"]).output
    assert "--train-on N[,M]" in shown and "MLFLOW_TUNE_RESUME_FROM" in " ".join(shown.split())


@pytest.mark.long
def test_a_driver_that_is_killed_while_it_trains_on_loses_nothing(server, tmp_path):
    name = f"train-on-{os.getpid()}"
    path = study_file(
        tmp_path,
        name=name,
        run={
            "command": ["python", str(TRAINING_CODE / "onward.py"), "{level}", "{epochs}"],
            "parameters": {"epochs": 2},
        },
        space={"level": {"type": "float", "low": 0, "high": 9}},
        strategy=POINTS,
    )
    assert start(["run", path, "--tracking-uri", server], tmp_path).wait() == 0
    words = ["resume", name, "--tracking-uri", server, "--train-on", "1,2", "--epochs", "5"]
    driver = start(words, tmp_path, ONWARD_WAIT="1")
    wait_for(lambda: len(runs_of(server, name)[1]) == 3)
    refused = start(words, tmp_path)
    assert refused.wait() == 2 and "this study is driven by" in refused.err.read_text()
    driver.signal(signal.SIGKILL)
    driver.wait()
    nothing_left(driver)
    assert start(["resume", name, "--tracking-uri", server], tmp_path, MLFLOW_TUNE_LEASE="1s").wait() == 0
    parent, children = runs_of(server, name)
    done = [(1, 1, "ok", "FINISHED"), (1, 2, "interrupted", "KILLED"), (1, 3, "ok", "FINISHED")]
    assert outcomes(children) == [*done, (2, 1, "ok", "FINISHED"), (2, 2, "ok", "FINISHED")]
    assert parent.data.tags["tune.state"] == "finished"
    found = {(run.data.tags["tune.trial"], run.data.tags["tune.attempt"]): run.data for run in children}
    assert found["1", "3"].metrics["objective"] == 1 + 1 / 5 and found["2", "2"].metrics["objective"] == 2 + 1 / 5
    assert found["1", "3"].metrics["begun"] == found["2", "2"].metrics["begun"] == 2
