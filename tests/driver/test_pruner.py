"""Hopeless trials are stopped while they run: what they leave, what is safe, and what the looks cost."""

from __future__ import annotations

import io
import json
import time
import uuid
from dataclasses import replace
from types import SimpleNamespace

import mlflow
import pytest
from rich.console import Console

import mlflow_tune
from mlflow_tune import Categorical, Float, Study
from mlflow_tune.cli.follow import Follower
from mlflow_tune.driver import pruner
from mlflow_tune.report.figures.style import words_of
from mlflow_tune.spec.stop_trials import StopTrials
from mlflow_tune.tracking.steps import trained_steps
from mlflow_tune.trial import EXPECTED, Suggestion, Trial
from tests.driver.test_requests import SUBPROCESS
from tests.fixtures import TRAINING_CODE
from tests.fixtures.training_code.light import AGENT
from tests.support.proxy import Proxy

SPACE = {"level": Float(0, 9), "manner": Categorical(["mild", "deaf", "polite", "nan"])}
COMMAND = ["python", "hopeless.py", "{level}", "{manner}"]
# The first three are so near one another that none is ever worse than the others' averages.
TRIES = [
    (0.5, "mild"),
    (0.51, "mild"),
    (0.52, "mild"),
    (3, "mild"),
    (4, "deaf"),
    (5, "polite"),
    (0.4, "nan"),
    (0.3, "mild"),
]
OUTCOMES = ["ok", "ok", "ok", "pruned", "pruned", "pruned", "pruned", "ok"]


@pytest.fixture(scope="module", autouse=True)
def often():
    """Look as often as the driver's loop goes round."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruner, "LONGEST", 0.0)  # nor does a step that took long let a whole trial pass unseen
        yield


def study_of(uri, tries, **more):
    points = [{"level": level, "manner": manner} for level, manner in tries]
    given = {"space": SPACE, "metric": "loss", "tracking_uri": uri, "folder": TRAINING_CODE}
    given["strategy"] = {"name": "manual", "points": points}
    return Study(name=f"pruned-{uuid.uuid4().hex[:8]}", **{**given, **more})


@pytest.fixture(scope="module")
def pruned(server):
    """What is left of a study of commands some of which never end by themselves."""
    rule = {"rule": "median", "grace": "1s", "after": 2}
    with Proxy(server) as proxy:
        study = study_of(proxy.uri, TRIES, run={"command": COMMAND}, workers=2, stop_trials=rule).run()
        requests = list(proxy.requests)
        trials = study.trials
        runs = [study.client.send("get_run", trial.run_id) for trial in trials]
        return SimpleNamespace(study=study, trials=trials, runs=runs, best=study.best, requests=requests)


@pytest.mark.slow
def test_hopeless_trials_are_pruned_and_the_others_are_not(pruned):
    assert [trial.outcome for trial in pruned.trials] == OUTCOMES
    assert [trial.attempt for trial in pruned.trials] == [1] * 8
    assert pruned.best.number == 8
    assert pruned.study.ending.state == "finished"


def test_a_pruned_trial_says_why_and_what_it_would_have_come_to(pruned):
    for trial in pruned.trials[3:6]:
        assert trial.value is None and trial.reason.startswith("median: loss was ")
        assert "is the median of the averages of" in trial.reason and "; rank " in trial.reason
        assert trial.metrics[EXPECTED] >= trial.metrics["loss"]
    blown = pruned.trials[6]
    assert blown.reason.startswith("diverged: at step 5: loss is not finite from there on")
    assert EXPECTED not in blown.metrics


def test_plain_mlflow_sees_killed_runs_with_their_curves(pruned):
    assert [run.info.status for run in pruned.runs] == ["FINISHED"] * 3 + ["KILLED"] * 4 + ["FINISHED"]
    curves = [json.loads(run.data.tags["tune.curve"]) for run in pruned.runs]
    assert curves[0] == {"steps": 4, "every": 1, "values": [0.4, 0.3, 0.2, 0.1]}
    assert curves[6]["values"][-1] == "nan"
    assert ["bar" in curve for curve in curves] == [False] * 3 + [True] * 3 + [False] * 2
    used = [run.data.metrics["steps_used"] for run in pruned.runs]
    assert used == [curve["steps"] for curve in curves]
    assert not any("objective" in run.data.metrics for run in pruned.runs[3:7])


def test_a_picture_shows_what_was_stopped_and_by_which_threshold(pruned):
    figure = pruned.study.plot("stopping")
    words = words_of(figure)
    assert "Learning curves of 8 trials. Stopped: trials 4, 5, 6, 7." in words and "The best is trial 8." in words
    (asked,) = [each for each in figure.axes[0].collections if each.get_label() == "asked for by the rule"]
    bars = [json.loads(run.data.tags["tune.curve"])["bar"] for run in pruned.runs[3:6]]
    assert sorted(asked.get_offsets().tolist()) == sorted(bars)


def test_the_life_cycle_costs_what_it_did_and_a_look_one_search(pruned):
    ours = [request for request in pruned.requests if request.agent != AGENT]
    for trial in pruned.trials:
        calls = [request.call for request in ours if request.run_id == trial.run_id]
        reads = calls.count("GET metrics/get-history")
        assert [call for call in calls if call != "GET metrics/get-history"] == SUBPROCESS
        assert reads <= 4  # when it is first seen, before it is stopped, and at its end


@pytest.mark.slow
def test_a_worker_process_is_replaced(server):
    tries = [(0.5, "mild"), (0.5, "deaf"), (3, "mild"), (4, "deaf"), (0.4, "mild")]
    rule = {"rule": "percentile(keep=50)", "grace": "1s"}
    study = study_of(server, tries, run={"function": "hopeless:main"}, workers=2, stop_trials=rule).run()
    assert [trial.outcome for trial in study.trials] == ["ok", "ok", "pruned", "pruned", "ok"]
    assert study.trials[3].reason.startswith("percentile: loss was 3.9 at best by its step 1, and the best 50 % of ")


def curve(level, manner):
    with mlflow.start_run():
        for step in range(1, 30):
            mlflow.log_metric("loss", level + 1 / step, step=step)
            if mlflow_tune.should_stop():
                if manner == "deaf":
                    raise RuntimeError("leaving")
                return


@pytest.mark.slow
def test_an_objective_of_this_process_asks_whether_it_should_stop(sqlite_store):
    tries = [(0.5, "mild"), (0.4, "mild"), (3, "mild"), (4, "deaf"), (0.3, "mild")]
    study = study_of(sqlite_store, tries, objective=curve, stop_trials="median").run()
    assert [trial.outcome for trial in study.trials] == ["ok", "ok", "pruned", "pruned", "ok"]
    steps = [json.loads(trial.curve)["steps"] for trial in study.trials]
    assert steps == [29, 29, 1, 1, 29]
    assert trained_steps(study.client, study.record, "loss") == sum(steps)
    assert mlflow_tune.should_stop() is False


@pytest.mark.slow
def test_without_the_key_nothing_is_looked_at(sqlite_store, monkeypatch):
    monkeypatch.setattr("mlflow_tune.tracking.Trials.latest", None)
    study = study_of(sqlite_store, [(3, "mild"), (4, "mild")], objective=curve).run()
    assert [trial.outcome for trial in study.trials] == ["ok", "ok"]
    assert not any(trial.curve for trial in study.trials)


@pytest.mark.slow
def test_the_steps_of_a_study_that_stops_nothing_are_counted_too(sqlite_store):
    def batches(level, manner):
        with mlflow.start_run():
            for step in range(int(level)):
                mlflow.log_metric("loss", level, step=100 * step)

    study = study_of(sqlite_store, [(3, "mild"), (1, "mild"), (5, "mild")], objective=batches).run()
    assert trained_steps(study.client, study.record, "loss") == 3 + 1 + 5
    assert trained_steps(study.client, study.record, "val_loss") is None


def test_looks_are_paced_to_the_steps(server):
    """Between 1 s and 30 s, however many run: here nobody waits for it, the pace is what counts."""
    watched = pruner.Pruner(study_of(server, [(1, "mild")], objective=curve, stop_trials="median").spec, None)
    seen = pruner._Seen()
    running = [Trial(1, {}, run_id="r", start_time=int(time.time() * 1000))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pruner, "LONGEST", 30.0)
        assert watched._pause(running) == 1.0
        old = [replace(running[0], start_time=running[0].start_time - 100_000)]
        assert watched._pause(old) == pytest.approx(10, abs=1)
        watched._seen["r"] = seen
        for seconds, pause in ((0.1, 1.0), (7.0, 7.0), (600.0, 30.0)):
            seen.first = (0, 0)
            seen.read([(10, 0.5), (20, 0.4)], at=1000)
            seen.add(40, 0.3, at=1000 + int(2000 * seconds))
            assert watched._pause(running) == pytest.approx(pause)
            assert seen.values == [0.5, 0.4, 0.4, 0.3]


@pytest.mark.slow
def test_the_looks_are_one_search_a_pace_and_two_where_runs_are_followed(server):
    """However many trials run, and however often the driver's loop comes round."""
    for mode, searches in (("bind", 1), ("follow", 2)):
        with Proxy(server) as proxy, pytest.MonkeyPatch.context() as patch:
            patch.setattr(pruner, "LONGEST", 600.0)
            patch.setattr(pruner, "SHORTEST", 600.0)
            run = {"command": COMMAND, "mlflow": mode}
            study = study_of(proxy.uri, TRIES, run=run, stop_trials={"rule": "median", "after": 9}).create()
            store = study.handle.trial_store
            suggestions = [Suggestion({"level": level, "manner": manner}, "") for level, manner in TRIES]
            running = [store.start(number, each, "manual", 1, {}) for number, each in enumerate(suggestions, start=1)]
            watched = pruner.Pruner(study.spec, store)
            for step in (1, 2, 3):
                for trial in running:
                    study.client.send("log_metric", trial.run_id, "loss", 1.0, step=step)
                proxy.requests.clear()
                found = [watched.look(running) for _ in range(20)]
                assert found == [[]] * 20
                calls = [request.call for request in proxy.requests]
                reads = calls.count("GET metrics/get-history")
                assert calls.count("POST runs/search") == searches and reads == (len(running) if step < 3 else 0)
                assert len(calls) == searches + reads + (mode == "follow" and step == 1)  # which experiments there are
                watched._next = 0.0  # a pace later


@pytest.mark.slow
def test_a_diverged_trial_is_found_within_two_looks(sqlite_store):
    study = study_of(sqlite_store, TRIES, objective=curve, stop_trials={"rule": "median", "after": 9}).create()
    store = study.handle.trial_store
    trial = store.start(1, Suggestion({"level": 1.0, "manner": "nan"}, ""), "manual", 1, {})
    watched = pruner.Pruner(study.spec, store)
    looks = []
    for step, value in enumerate((0.5, 0.4, 0.3, float("nan")), start=1):
        study.client.send("log_metric", trial.run_id, "loss", value, step=step)
        watched._next = 0.0
        looks.append(watched.look([trial]))
    watched._next = 0.0
    looks.append(watched.look([trial]))
    assert [len(found) for found in looks[:3]] == [0, 0, 0] and len(looks[3]) + len(looks[4]) == 1
    assert (looks[3] or looks[4])[0][1].reason.startswith("diverged: ")


def slow_start(level, manner):
    """Log the level for three steps, and where it is high at first, the best value of all from then on."""
    with mlflow.start_run():
        for step in range(1, 8):
            mlflow.log_metric("loss", level if step <= 3 or level < 1 else 0.1, step=step)
            if mlflow_tune.should_stop():
                return


@pytest.mark.slow
def test_a_trial_that_starts_slowly_and_becomes_the_best_survives_after(sqlite_store):
    tries = [(0.5, "mild"), (0.4, "mild"), (5, "mild")]
    for after, outcome, best in ((0, "pruned", 2), (4, "ok", 3)):
        study = study_of(sqlite_store, tries, objective=slow_start, stop_trials={"rule": "median", "after": after})
        done = study.run()
        assert (done.trials[2].outcome, done.best.number) == (outcome, best)


@pytest.mark.slow
def test_a_person_who_tries_a_point_is_told_what_the_rule_would_do_and_decides(sqlite_store):
    tries = [(0.5, "mild"), (0.4, "mild"), (3, "mild")]
    study = study_of(sqlite_store, tries, objective=curve, stop_trials="median").run()
    assert study.trials[2].outcome == "pruned"
    for level in (6.0, 0.3):
        study.enqueue({"level": level, "manner": "mild"})
    tried = study.resume(only_queued=True).trials
    assert [trial.outcome for trial in tried[3:]] == ["ok", "ok"]
    spec, store = study.spec, study.handle.trial_store
    told = []
    for chosen in (spec, spec.model_copy(update={"stop_trials": StopTrials()})):
        watched = pruner.Pruner(chosen, store)
        watched.know(tried[:3])
        told += [watched.opinion(trial) for trial in tried[3:]]
        watched.close()
    assert told[0].startswith("would be stopped by median: loss was 7 at best by its step 1, ")
    assert told[1] == "would go on by median: loss was 0.334483 at best by its step 29; rank 1 of 3"
    assert told[2] == "would go on; auto: no rule before 5 complete curves, of which there are 2 yet"
    assert pruner.Pruner(spec.model_copy(update={"stop_trials": None}), store).opinion(tried[3]) == ""
    screen = Console(force_terminal=True, width=120, file=io.StringIO())
    running = replace(tried[3], outcome=None, end_time=None)
    screen.print(Follower(screen, study.client, study.record, spec)._picture(running))
    assert "would be stopped by median" in screen.file.getvalue()


@pytest.mark.slow
def test_a_script_that_logs_without_steps_is_told_after_its_first_trial(sqlite_store, caplog):
    def no_steps(level, manner):
        with mlflow.start_run():
            for _ in range(3):
                mlflow.log_metric("loss", level)

    study = study_of(sqlite_store, [(1, "mild"), (2, "mild")], objective=no_steps, stop_trials="median")
    study.run()
    said = "stop_trials can stop nothing: trial 1 logged 'loss' 3 times, all at step 0: log it after each epoch"
    assert caplog.text.count("stop_trials can stop nothing") == 1 and said in caplog.text
    note = study.client.send("get_run", study.run_id).data.tags["mlflow.note.content"]
    assert "can stop nothing" in note
