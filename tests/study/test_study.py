"""The public Study, and what a study looks like to plain MLflow."""

from __future__ import annotations

import errno
import functools
import json
import math
import os
import sys
import threading
import time
from itertools import product
from pathlib import Path

import mlflow
import numpy as np
import pytest
import yaml
from mlflow import MlflowClient

import mlflow_tune
from mlflow_tune import (
    Bayesian,
    Categorical,
    Float,
    InputError,
    Int,
    Ordinal,
    Random,
    Study,
    StudyConflict,
    StudyFailed,
    StudyNotFound,
)
from mlflow_tune.driver import driver, publisher
from mlflow_tune.study.adoption import adopt, candidates
from tests.fixtures.small_studies.helpers import failing, outcomes, runs_of, study_file, study_folder

SPACE = {"x": Int(1, 4, grid=[1, 2, 3, 4])}


def study(uri: str, objective=None, **more) -> Study:
    """Return a study of four points, called `s`."""
    given = {"name": "s", "space": SPACE, "metric": "loss", "strategy": "grid", "tracking_uri": uri, **more}
    return Study(objective=objective, **given)


def children_of(uri: str, name: str = "s") -> list:
    return runs_of(uri, name)[1]


@pytest.mark.slow
def test_a_grid_is_twelve_finished_nested_children_with_params(store):
    """As plain MLflow sees it, whatever wrote it."""
    rates, alphas = [1e-4, 1e-3, 1e-2], [0.01, 0.1, 1.0, 10.0]
    space = {"lr": Float(1e-4, 1e-2, log=True, grid=rates), "alpha": Float(0.01, 10, log=True, grid=alphas)}

    def objective(lr, alpha, epochs):
        with mlflow.start_run():
            for step in range(epochs):
                mlflow.log_metric("loss", lr * alpha / (step + 1), step=step)

    name = f"twelve-{store[:4]}"
    done = study(store, objective, name=name, space=space, parameters={"epochs": 3}, experiment=name).run()

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name(name)
    query = f"tags.`mlflow.parentRunId` = '{done.run_id}'"
    children = client.search_runs([experiment.experiment_id], query, order_by=["attributes.start_time ASC"])
    assert [run.info.status for run in children] == ["FINISHED"] * 12
    assert [(run.data.params["lr"], run.data.params["alpha"]) for run in children] == [
        (str(lr), str(alpha)) for lr, alpha in product(rates, alphas)
    ]
    for number, run in enumerate(children, start=1):
        lr, alpha = float(run.data.params["lr"]), float(run.data.params["alpha"])
        assert run.data.params == {"lr": str(lr), "alpha": str(alpha), "epochs": "3"}
        assert [point.step for point in client.get_metric_history(run.info.run_id, "loss")] == [0, 1, 2]
        assert run.data.metrics == pytest.approx(
            {
                "loss": lr * alpha / 3, "objective": lr * alpha / 3, "trial": number,
                "log10_lr": math.log10(lr), "log10_alpha": math.log10(alpha),
            }
        )  # fmt: skip
        assert run.info.run_name.startswith(f"#{number:03d} lr=")
        tags = run.data.tags
        assert (tags["tune.kind"], tags["tune.trial"], tags["tune.attempt"]) == ("trial", str(number), "1")
        assert (tags["tune.outcome"], tags["tune.strategy"]) == ("ok", "grid")
        assert tags["tune.why"] == f"point {number} of 12 of the grid"
        assert json.loads(tags["tune.params"]) == {"lr": lr, "alpha": alpha}
        assert tags["mlflow.user"]
        assert tags["mlflow.source.name"]
    assert [trial.value for trial in done.trials] == [run.data.metrics["objective"] for run in children]


@pytest.mark.slow
def test_the_parent_run_tells_the_whole_study(sqlite_store):
    values = {1: 3.0, 2: 5.0, 3: 1.0, 4: 2.0}
    done = study(sqlite_store, lambda x: values[x], goal="maximize", stop={"trials": 4}).run()
    parent, _ = runs_of(sqlite_store, "s")
    client, tags = MlflowClient(sqlite_store), parent.data.tags
    assert (parent.info.run_name, parent.info.status) == ("s", "FINISHED")
    own = {key: value for key, value in parent.data.params.items() if not key.startswith("tune.claim.")}
    assert own == {"metric": "loss", "goal": "maximize"}
    assert (tags["tune.kind"], tags["tune.study"], tags["tune.state"]) == ("study", "s", "finished")
    assert tags["tune.why_stopped"] == done.ending.why == "trials: the budget of 4 is used"
    assert json.loads(tags["tune.strategy"]) == {"name": "grid"}
    assert json.loads(tags["tune.budget"])["trials"] == 4
    assert json.loads(tags["tune.spec"])["metric"] == "loss"
    assert tags["tune.folder"] == str(Path.cwd())
    curve = client.get_metric_history(done.run_id, "best_loss")
    assert [(point.step, point.value) for point in curve] == [(1, 3.0), (2, 5.0), (3, 5.0), (4, 5.0)]
    note = tags["mlflow.note.content"].splitlines()
    assert note[0].startswith("Best loss: **5** (trial 2: x=2)")
    assert any(line.startswith("**finished**: trials: the budget of 4 is used") for line in note[:3])
    assert any("resume" in line and done.run_id in line for line in note)
    kept = yaml.safe_load(Path(client.download_artifacts(done.run_id, "study.yaml", ".")).read_text())
    assert (kept["name"], kept["metric"], kept["space"]["x"]["high"]) == ("s", "loss", 4)


@pytest.mark.slow
def test_an_objective_returns_a_number_a_dict_or_nothing(sqlite_store):
    seen = []

    def objective(x):
        seen.append((os.getpid(), mlflow.active_run(), os.environ["MLFLOW_RUN_ID"]))
        if x == 2:
            return {"loss": 2.0, "accuracy": 0.5}
        if x == 3:
            mlflow.log_metric("loss", 3.0)
            return None
        if x == 4:
            mlflow.log_metric("loss", 40.0)
            return {"loss": 4, "accuracy": 0.25}
        return x

    done = study(sqlite_store, objective).run()
    assert [trial.value for trial in done.trials] == [1.0, 2.0, 3.0, 4.0]
    assert done.best.params == {"x": 1}
    assert [trial.metrics.get("accuracy") for trial in done.trials] == [None, 0.5, None, 0.25]
    assert {pid for pid, _, _ in seen} == {os.getpid()}, "one worker runs in this process"
    assert [run_id for _, _, run_id in seen] == [trial.run_id for trial in done.trials]
    assert "MLFLOW_RUN_ID" not in os.environ
    assert mlflow.active_run() is None


@pytest.mark.slow
def test_two_workers_get_the_objective_by_cloudpickle(sqlite_store):
    offset = 10
    done = study(sqlite_store, lambda x: {"loss": x + offset, "pid": os.getpid()}, workers=2).run()
    assert [trial.value for trial in done.trials] == [11.0, 12.0, 13.0, 14.0]
    assert os.getpid() not in {int(trial.metrics["pid"]) for trial in done.trials}
    lock = threading.Lock()
    with pytest.raises(InputError, match="cannot be sent to worker processes"):
        study(sqlite_store, lambda x: lock, name="t", workers=2).run()
    assert runs_of(sqlite_store, "t") == (None, [])


@pytest.mark.slow
def test_a_free_worker_gets_the_next_trial_at_once(sqlite_store, tmp_path):
    """Trial 1 waits for trial 4: it would wait for ever, were trials started in batches."""

    def objective(x):
        if x == 4:
            (tmp_path / "four").touch()
        while x == 1 and not (tmp_path / "four").exists():
            time.sleep(0.01)
        return x

    done = study(sqlite_store, objective, workers=2).run()
    assert [trial.outcome for trial in done.trials] == ["ok"] * 4


@pytest.mark.slow
def test_a_timeout_needs_a_worker_process(sqlite_store):
    with pytest.raises(InputError, match="timeout"):
        study(sqlite_store, lambda x: x, timeout="10s")

    def objective(x):
        if x == 2:
            time.sleep(3600)
        return x

    done = study(sqlite_store, objective, timeout="2s", workers=2).run()
    assert [trial.outcome for trial in done.trials] == ["ok", "timeout", "ok", "ok"]


def test_maximize(sqlite_store):
    done = study(sqlite_store, lambda x: -((x - 3) ** 2), goal="maximize", stop={"target": 0}).run()
    assert done.best.params == {"x": 3}
    assert len(done.trials) == 3
    assert done.ending.why.startswith("target: trial 3 reached")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("goal", "value", "expected"), [("minimize", "best", 0.5), ("maximize", "best", 3.0), ("minimize", "last", 2.0)]
)
def test_the_value_is_the_last_or_the_best_of_the_curve(sqlite_store, goal, value, expected):
    def objective(x):
        for step, loss in enumerate((3.0, 0.5, math.nan, 2.0)):
            mlflow.log_metric("loss", loss, step=step)

    done = study(sqlite_store, objective, goal=goal, value=value, stop={"trials": 1}).run()
    assert done.trials[0].value == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "returned", "expected"), [("best", 2.0, 0.5), ("best", 0.1, 0.1), ("last", 0.7, 0.7)]
)
def test_what_is_logged_and_returned_is_one_curve(sqlite_store, value, returned, expected):
    def objective(x):
        for step, loss in enumerate((3.0, 0.5)):
            mlflow.log_metric("loss", loss, step=step)
        return returned

    assert study(sqlite_store, objective, value=value, stop={"trials": 1}).run().trials[0].value == expected


def test_fixed_parameters_are_passed_and_logged(sqlite_store):
    study(sqlite_store, lambda x, y, kind: x * y, parameters={"y": 2, "kind": "a b"}, stop={"trials": 1}).run()
    (child,) = children_of(sqlite_store)
    assert child.data.params == {"x": "1", "y": "2", "kind": "a b"}
    assert child.data.metrics["loss"] == 2


@pytest.mark.slow
def test_points_reach_the_code_with_their_own_types(sqlite_store):
    space = {
        "whole": Int(1, 9),
        "real": Float(1, 9),
        "word": Categorical(["relu", "1e-3"]),
        "flag": Categorical([True, False]),
        "number": Categorical([16, 0.5]),
    }
    seen = []

    def objective(**params):
        seen.append(params)
        return 0.0

    done = study(sqlite_store, objective, space=space, strategy=Random(seed=5), stop={"trials": 6}).run()
    for params, trial in zip(seen, done.trials, strict=True):
        assert list(map(type, params.values()))[:4] == [int, float, str, bool]
        assert type(params["number"]) in (int, float)
        assert params == trial.params
        assert list(map(type, params.values())) == list(map(type, trial.params.values()))
    again = Study.load("s", objective=objective, tracking_uri=sqlite_store)
    assert {name: vars(again.spec.space[name]) for name in space} == {name: vars(space[name]) for name in space}


@pytest.mark.slow
def test_a_command_in_place_of_an_objective(server, tmp_path):
    (study_folder(tmp_path / "code") / "go").touch()
    run = {"command": [sys.executable, "train.py", "--x", "{x}"]}
    done = study(server, run=run, name="command", workers=2, folder=tmp_path / "code").run()
    assert [trial.value for trial in done.trials] == [1.0, 2.0, 3.0, 4.0]
    parent, _ = runs_of(server, "command")
    assert "train.py" in parent.data.tags["mlflow.source.name"]


@pytest.mark.slow
def test_a_study_is_loaded_looked_at_and_resumed(sqlite_store):
    study(sqlite_store, lambda x: x, stop={"trials": 2}).run()
    for key in ("s", runs_of(sqlite_store, "s")[0].info.run_id):
        seen = Study.load(key, tracking_uri=sqlite_store)
        assert [trial.value for trial in seen.trials] == [1.0, 2.0]
        assert (seen.best.number, seen.record.state) == (1, "finished")
    with pytest.raises(InputError, match=r"Study\.load\(.*objective="):
        seen.resume()
    assert runs_of(sqlite_store, "s")[0].data.tags["tune.state"] == "finished", "a refused resume changes nothing"

    resumed = Study.load("s", objective=lambda x: 10 * x, tracking_uri=sqlite_store).resume(trials=4)
    assert [trial.value for trial in resumed.trials] == [1.0, 2.0, 30.0, 40.0]
    parent, _ = runs_of(sqlite_store, "s")
    curve = MlflowClient(sqlite_store).get_metric_history(parent.info.run_id, "best_loss")
    assert [point.step for point in curve] == [1, 2, 3, 4], "the curve has each trial once"
    assert json.loads(parent.data.tags["tune.budget"])["trials"] == 4


@pytest.mark.slow
def test_a_resumed_study_is_the_uninterrupted_one(sqlite_store):
    space, strategy = {"x": Float(0, 1), "y": Float(1e-3, 1, log=True)}, Random(seed=9)
    whole = study(sqlite_store, lambda x, y: x, name="whole", space=space, strategy=strategy, stop={"trials": 7}).run()
    study(sqlite_store, lambda x, y: x, space=space, strategy=strategy, stop={"trials": 1}).run()
    for trials in ("+2", 4, "+3"):
        resumed = Study.load("s", objective=lambda x, y: x, tracking_uri=sqlite_store).resume(trials)
    assert [trial.params for trial in resumed.trials] == [trial.params for trial in whole.trials]


@pytest.mark.slow
def test_a_second_study_of_a_name_waits_for_the_first_to_be_finished(sqlite_store):
    def broken(x):
        raise ValueError("no")

    failing(study(sqlite_store, broken, stop={"failures": 1}).run)
    with pytest.raises(
        StudyConflict, match=r"Study\.load\('\w{32}', objective=\.\.\., tracking_uri='sqlite:.+'\)\.resume\(\)"
    ):
        study(sqlite_store, lambda x: x).run()
    assert len(children_of(sqlite_store)) == 1
    # In another experiment it is another study.
    assert len(study(sqlite_store, lambda x: x, experiment="other").run().trials) == 4


@pytest.mark.slow
def test_a_failing_objective_says_why(sqlite_store):
    def objective(x):
        if x < 3:
            raise ValueError(f"x is {x}")
        return "a lot" if x == 3 else {"accuracy": 1}

    with pytest.raises(StudyFailed) as failed:
        study(sqlite_store, objective, stop={"failures": 9}).run()
    done = failed.value.study
    said = str(failed.value).splitlines()
    assert "no trial has a value of 'loss'" in said[0]
    assert said[1].startswith("trial 1 failed first: ValueError: x is 1 (")
    assert f"Study.load({done.run_id!r}, objective=..." in said[2]
    assert said[2].endswith(".resume(retry_failed=True)")
    reasons = [trial.reason for trial in done.trials]
    assert "ValueError: x is 1" in reasons[0]
    assert Path(__file__).name in reasons[0]
    assert "'a lot' (str)" in reasons[2]
    assert "logged were 'accuracy'" in reasons[3]
    assert done.best is None
    assert runs_of(sqlite_store, "s")[0].data.tags["mlflow.note.content"].startswith("No trial has a value")


def test_an_active_run_is_in_the_way(sqlite_store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_store)
    with mlflow.start_run(), pytest.raises(InputError, match="is active"):
        study(sqlite_store, lambda x: x).run()
    assert runs_of(sqlite_store, "s") == (None, [])


def test_what_is_wrong_is_told_before_a_run_is_made(sqlite_store):
    with pytest.raises(InputError, match="nothing says what a trial runs: give objective or run, or ask"):
        study(sqlite_store).run()
    with pytest.raises(InputError, match=r"missing a required argument: 'y'"):
        study(sqlite_store, lambda x, y: x).run()
    with pytest.raises(InputError, match="has not been run"):
        _ = study(sqlite_store, lambda x: x).run_id
    with pytest.raises(StudyNotFound):
        Study.load("s", tracking_uri=sqlite_store)
    assert runs_of(sqlite_store, "s") == (None, [])


@pytest.mark.slow
def test_metrics_that_are_reserved_or_odd_do_not_break_the_history(sqlite_store):
    """Code that logs our own metric names is not believed."""

    def objective(x):
        mlflow.log_metric("objective", -99)
        mlflow.log_metric("trial", 77)
        return x

    done = failing(study(sqlite_store, objective).run)
    assert [(trial.number, trial.outcome, trial.value) for trial in done.trials] == [
        (number, "failed", None) for number in (1, 2, 3, 4)
    ]
    assert "'objective', which is reserved" in done.trials[0].reason


@pytest.mark.slow
def test_a_child_that_a_person_deletes_keeps_its_number_and_is_tried_again_when_that_is_asked_for(sqlite_store):
    done = study(sqlite_store, lambda x: x, stop={"trials": 4}).run()
    MlflowClient(sqlite_store).delete_run(done.trials[1].run_id)
    resumed = Study.load("s", objective=lambda x: x, tracking_uri=sqlite_store).resume()
    assert [(trial.number, trial.params["x"]) for trial in resumed.trials] == [(1, 1), (3, 3), (4, 4)]
    resumed.resume(retry_failed=True)
    assert [(trial.number, trial.attempt) for trial in resumed.trials] == [(1, 1), (2, 2), (3, 1), (4, 1)]


@pytest.mark.slow
def test_a_child_whose_run_is_deleted_keeps_its_number_from_adopted_runs(sqlite_store):
    done = study(sqlite_store, lambda x: x, stop={"trials": 2}).run()
    client = MlflowClient(sqlite_store)
    client.delete_run(done.trials[1].run_id)
    by_hand = client.create_run(done.record.experiment_id).info.run_id
    client.log_param(by_hand, "x", 4)
    client.log_metric(by_hand, "loss", 4.0)
    client.set_terminated(by_hand)
    [adopted] = adopt(done.handle, candidates(done.handle, "params.x = '4'"))
    assert (adopted.number, [trial.number for trial in done.trials]) == (3, [1, 3])


@pytest.mark.slow
def test_a_trial_that_runs_again_later_does_not_bend_the_curves_of_the_parent_and_tells_at_their_end(
    sqlite_store, monkeypatch
):
    values = {1: 4.0, 3: 3.0, 4: 2.0}

    def looked_up(x):
        time.sleep(0.3)
        return values[x]

    done = study(sqlite_store, looked_up).run()
    assert [trial.outcome for trial in done.trials] == ["ok", "failed", "ok", "ok"]
    values[2] = 1.0
    monkeypatch.setattr(publisher, "CURVE_INTERVAL", 0.0)  # also while it runs
    monkeypatch.setattr(driver, "PULSE", 0.0)
    done.resume(retry_failed=True, workers=2)
    client = MlflowClient(sqlite_store)
    for metric, told in {"best_loss": [4, 4, 3, 2, 1], "trials_ok": [1, 1, 2, 3, 4]}.items():
        points = client.get_metric_history(done.run_id, metric)
        in_time = sorted(points, key=lambda point: point.timestamp)
        assert [(point.step, point.value) for point in in_time] == list(zip([1, 2, 3, 4, 4], told, strict=True))
    shown = client.get_run(done.run_id).data.metrics
    assert (shown["best_loss"], shown["trials_ok"], shown["trials_failed"]) == (1, 4, 0)
    assert Study.load("s", tracking_uri=sqlite_store).record.best_value == 1, "as `list` tells"


@pytest.mark.slow
def test_what_a_partial_function_holds_is_not_stored(sqlite_store):
    def objective(x, db):
        return x

    done = study(sqlite_store, functools.partial(objective, db="postgresql://me:secret@db/x")).run()
    parent, children = runs_of(sqlite_store, "s")
    assert len(children) == 4
    for run in (parent, *children):
        assert "secret" not in str(run.to_dictionary())
    assert done.spec.run.objective.endswith(".objective")


@pytest.mark.slow
def test_an_object_that_is_false_can_be_an_objective(sqlite_store):
    assert [trial.value for trial in study(sqlite_store, Nothing(), workers=2).run().trials] == [1, 2, 3, 4]


class Nothing:
    """Something to call, which is empty."""

    def __len__(self) -> int:
        return 0

    def __call__(self, x):
        return x


@pytest.mark.slow
def test_a_strategy_object_keeps_the_rule_that_only_its_kind_has(sqlite_store):
    bayesian = {"strategy": "bayesian", "stop": {"trials": 2, "expected_improvement": 0.1}}
    done = study(sqlite_store, lambda x: x, **bayesian).run()
    done.resume(trials="+1", strategy=Bayesian(acquisition="LCB"))
    assert done.spec.stop.expected_improvement == 0.1


@pytest.mark.long
def test_a_local_store_is_made_where_files_cannot_be_linked(tmp_path, monkeypatch):
    def link(source, target):
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    uri = f"sqlite:///{tmp_path}/new.db"
    assert len(study(uri, lambda x: x).run().trials) == 4
    assert [path.name for path in tmp_path.glob(".mlflow-new-*")] == []


@pytest.mark.slow
def test_foreign_tags_on_children_are_ignored(sqlite_store):
    """Whatever a child's tags say, a study is read without an error."""
    done = study(sqlite_store, lambda x: x, stop={"trials": 2}).run()
    client, (first, second) = MlflowClient(sqlite_store), done.trials
    client.set_tag(first.run_id, "tune.params", "not json")
    client.set_tag(second.run_id, "tune.outcome", "splendid")
    seen = Study.load("s", objective=lambda x: x, tracking_uri=sqlite_store)
    assert [(trial.number, trial.outcome) for trial in seen.trials] == [(2, None)]
    seen.resume(trials=4)
    assert {trial.params["x"] for trial in seen.trials} == {1, 2, 3, 4}


@pytest.mark.slow
def test_the_environment_and_the_caller_stay_as_they_were(sqlite_store, monkeypatch):
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "mine")
    before = dict(os.environ)
    done = study(sqlite_store, lambda x: x).run()
    assert dict(os.environ) == before
    assert MlflowClient(sqlite_store).get_experiment(done.record.experiment_id).name == "mine"
    assert mlflow_tune.Study is Study


@pytest.mark.slow
def test_a_study_file_of_a_function_and_its_study_by_python_are_the_same(sqlite_store, tmp_path):
    from mlflow_tune.spec.study_file import read_study_file

    path = study_file(tmp_path / "code", name="file")
    Study.of(read_study_file(path), folder=path.parent, tracking_uri=sqlite_store).run()
    resumed = Study.load("file", tracking_uri=sqlite_store).resume()
    assert outcomes(children_of(sqlite_store, "file")) == [(n, 1, "ok", "FINISHED") for n in (1, 2, 3, 4)]
    assert resumed.resume_command.startswith(f"mlflow-tune resume {resumed.run_id}")


@pytest.mark.slow
def test_null_booleans_and_lists_reach_the_code_and_stand_typed_in_mlflow(sqlite_store):
    """Half of the trials log their own params, as training code does, in the words of Python."""
    space = {
        "hidden": Categorical([[64], [64, 32]]),
        "drop": Categorical([None, 0.5]),
        "amp": Categorical([True, False]),
        "batch": Ordinal(np.array([16, 32]), grid=[32]),
        "lr": Float(0.1, 0.1),
    }
    seen = []

    def objective(**params):
        seen.append({name: repr(value) for name, value in params.items()})
        params["hidden"].append(8)
        if params["amp"]:
            mlflow.log_params({**params, "hidden": params["hidden"][:-1]})
        return len(seen)

    done = study(sqlite_store, objective, space=space, strategy="grid").run()
    assert [trial.outcome for trial in done.trials] == ["ok"] * 8
    assert seen == [{name: repr(value) for name, value in trial.params.items()} for trial in done.trials]
    first, *_, last = children_of(sqlite_store)
    typed = '{"hidden":[64],"drop":null,"amp":true,"batch":32,"lr":0.1}'
    assert first.data.tags["tune.params"] == typed
    assert first.data.params == {"hidden": "[64]", "drop": "None", "amp": "True", "batch": "32", "lr": "0.1"}
    assert last.data.params == {"hidden": "[64, 32]", "drop": "0.5", "amp": "False", "batch": "32", "lr": "0.1"}
    assert {run.data.params["drop"] for run in children_of(sqlite_store) if run.data.params["amp"] == "False"} == {
        "null", "0.5",
    }  # fmt: skip
    again = Study.load("s", objective=objective, tracking_uri=sqlite_store)
    assert [trial.params for trial in again.trials] == [trial.params for trial in done.trials]
    assert again.spec.space == done.spec.space
    again.enqueue({"hidden": np.array([1, 2]), "drop": None, "amp": False, "batch": np.int64(16), "lr": 1})
    resumed = again.resume()
    assert len(resumed.trials) == 9, "a grid that has been tried is not tried again"
    assert resumed.trials[-1].params == {"hidden": [1, 2], "drop": None, "amp": False, "batch": 16, "lr": 1}


def test_a_loop_of_one_s_own_may_change_the_list_that_it_is_given(sqlite_store):
    space = {"hidden": Categorical([[64], [64, 32]])}
    own = Study(name="own", space=space, metric="loss", strategy="grid", tracking_uri=sqlite_store)
    while trial := own.ask():
        trial.params["hidden"].append(1)
        own.tell(trial, 0.5)
    assert [trial.params for trial in own.trials] == [{"hidden": [64]}, {"hidden": [64, 32]}]


@pytest.mark.slow
def test_that_an_order_may_be_meant_is_told_once(sqlite_store, caplog):
    space = {
        "n": Categorical([16, 32]),
        "flag": Categorical([True, False]),
        "m": Categorical([0.5, 1]),
        "o": Ordinal([1, 2]),
    }
    study(sqlite_store, lambda **params: 0.0, space=space, strategy="grid", stop={"trials": 1}).run()
    Study.load("s", objective=lambda **params: 0.0, tracking_uri=sqlite_store).resume("+1")
    told = [record.getMessage() for record in caplog.records if "ordinal" in record.getMessage()]
    assert told == ["n, m: the categories are numbers; `type: ordinal` lets their order count"]


@pytest.mark.slow
def test_runs_that_people_made_are_adopted_however_they_spelt_their_values(sqlite_store):
    space = {
        "hidden": Categorical([["a"], [64, 32]]),
        "drop": Categorical([None, 0.5]),
        "amp": Categorical([True, False]),
    }
    made = study(sqlite_store, lambda **params: 0.0, space=space, strategy="random", stop={"trials": 1}).run()
    client = MlflowClient(sqlite_store)
    for params in ({"hidden": ["a"], "drop": None, "amp": True}, {"hidden": (64, 32), "drop": "null", "amp": "false"}):
        run_id = client.create_run(made.record.experiment_id).info.run_id
        for name, value in params.items():
            client.log_param(run_id, name, value)
        client.log_metric(run_id, "loss", 0.25)
        client.set_terminated(run_id)
    adopted = adopt(made.handle, candidates(made.handle, "metrics.loss = 0.25"))
    assert [trial.params for trial in adopted] == [
        {"hidden": ["a"], "drop": None, "amp": True},
        {"hidden": [64, 32], "drop": None, "amp": False},
    ]
