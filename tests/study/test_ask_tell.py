"""Loops of one's own: `Study.ask`, `tell` and `close`."""

from __future__ import annotations

import math
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import mlflow
import pytest
from mlflow import MlflowClient

from mlflow_tune import Float, InputError, Int, Study, StudyConflict, Trial
from mlflow_tune.tracking import Client, Studies, is_driven
from tests.fixtures.small_studies.helpers import outcomes, points, runs_of, start

SPACE = {"x": Float(0, 1), "y": Float(1e-3, 1, log=True)}
OWN = ("tune.nonce", "tune.heartbeat", "tune.spec", "tune.study", "tune.released", "tune.stop")  # of each study
ENDED = "trials: the budget of {} is used"


def loss(x: float, y: float) -> float:
    return (x - 0.3) ** 2 + y


def study(uri: str, name: str = "s", trials: int = 4, **more: Any) -> Study:
    """Return a study of two parameters whose trials this test runs, called `s`."""
    given = {"space": SPACE, "metric": "loss", "strategy": "random", "stop": {"trials": trials}, **more}
    return Study(name=name, tracking_uri=uri, **given)


def load(uri: str, name: str = "s", **more: Any) -> Study:
    return Study.load(name, tracking_uri=uri, **more)


def asked(loop: Study) -> Trial:
    """Return the next trial, which there must be."""
    trial = loop.ask()
    assert trial is not None
    return trial


def to_its_end(loop: Study, objective: Callable[..., float] = loss) -> Study:
    """Run the plain loop."""
    while trial := loop.ask():
        loop.tell(trial, objective(**trial.params))
    return loop


def parent_of(uri: str, name: str = "s") -> Any:
    return runs_of(uri, name)[0]


def children_of(uri: str, name: str = "s") -> list[Any]:
    return runs_of(uri, name)[1]


def standing(uri: str, name: str = "s") -> tuple[str, str]:
    """Return the parent's status and the study's state."""
    parent = parent_of(uri, name)
    return parent.info.status, parent.data.tags["tune.state"]


def record(run: Any) -> dict[str, Any]:
    """Return what a run holds, but for ids, times, claims and where its code is from."""
    left_out = (*OWN, "mlflow.parentRunId", "mlflow.runName", "mlflow.note.content")
    return {
        "tags": {
            key: value
            for key, value in run.data.tags.items()
            if key not in left_out and not key.startswith(("mlflow.source.", "tune.holder."))
        },
        "params": {key: value for key, value in run.data.params.items() if not key.startswith("tune.claim.")},
        "metrics": run.data.metrics,
        "status": run.info.status,
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy",
    [
        pytest.param({"name": "random", "seed": 3}, marks=pytest.mark.long),
        {"name": "bayesian", "seed": 3, "initial": 4},
    ],
)
def test_a_loop_of_ask_and_tell_leaves_the_records_that_run_leaves(store, strategy):
    by_itself, by_hand = (f"{way}-{uuid4().hex[:8]}" for way in ("run", "asked"))
    study(store, by_itself, 8, strategy=strategy, objective=loss).run()
    to_its_end(study(store, by_hand, 8, strategy=strategy))
    (parent, children), (own_parent, own_children) = runs_of(store, by_itself), runs_of(store, by_hand)
    assert record(own_parent) == record(parent)
    claims = {claim for claim in own_parent.data.params if claim.startswith("tune.claim.")}
    assert claims == {"tune.claim.1", "tune.claim.name"}
    curves = [
        [(point.step, point.value) for point in MlflowClient(store).get_metric_history(run.info.run_id, "best_loss")]
        for run in (parent, own_parent)
    ]
    assert curves[0] == curves[1]
    assert len(curves[0]) == 8
    by_number = [sorted(runs, key=lambda run: int(run.data.tags["tune.trial"])) for runs in (children, own_children)]
    assert [run.info.run_name for run in by_number[1]] == [run.info.run_name for run in by_number[0]]
    assert list(map(record, by_number[1])) == list(map(record, by_number[0]))
    assert len(children) == 8


@pytest.mark.slow
def test_a_value_is_a_number_a_dict_or_logged_by_the_trial_itself(store, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    loop = study(store, name := f"values-{uuid4().hex[:8]}", 5, stop={"trials": 5, "failures": 9})
    loop.tell(asked(loop), 3)
    loop.tell(asked(loop), {"loss": 2.0, "accuracy": 0.5})
    third = asked(loop)
    with mlflow.start_run(run_id=third.run_id):
        mlflow.log_metric("loss", 4.0, step=0)
        mlflow.log_metric("loss", 1.0, step=1)
    loop.tell(third)
    loop.tell(asked(loop), {"accuracy": 0.25})
    loop.tell(asked(loop))
    assert [trial.value for trial in loop.trials] == [3.0, 2.0, 1.0, None, None]
    assert [trial.metrics.get("accuracy") for trial in loop.trials] == [None, 0.5, None, 0.25, None]
    assert [trial.outcome for trial in loop.trials] == ["ok", "ok", "ok", "failed", "failed"]
    assert "'accuracy'" in loop.trials[3].reason
    assert [run.info.status for run in children_of(store, name)] == ["FINISHED"] * 3 + ["FAILED"] * 2
    assert loop.best.number == 3


@pytest.mark.slow
def test_a_trial_may_fail_in_words_or_end_without_a_finite_value(sqlite_store):
    loop = study(sqlite_store, trials=3)
    loop.tell(asked(loop), failed="out of memory")
    loop.tell(asked(loop), math.nan)
    loop.tell(asked(loop), {"loss": math.inf})
    assert outcomes(children_of(sqlite_store)) == [
        (1, 1, "failed", "FAILED"), (2, 1, "not-finite", "FAILED"), (3, 1, "not-finite", "FAILED"),
    ]  # fmt: skip
    assert loop.trials[0].reason == "out of memory"
    assert loop.best is None


@pytest.mark.slow
def test_a_failed_trial_is_asked_again_when_retries_say_so(sqlite_store):
    loop = study(sqlite_store, trials=2, retries=1)
    first = asked(loop)
    loop.tell(first, failed="no memory")
    again = asked(loop)
    assert (again.number, again.attempt, again.params) == (1, 2, first.params)
    with pytest.raises(InputError, match=r"the trial 1 \(run \w{32}\) does not run.*running are 1"):
        loop.tell(first, 1.0)
    loop.tell(again, 1.0)
    to_its_end(loop)
    assert outcomes(children_of(sqlite_store)) == [
        (1, 1, "failed", "FAILED"), (1, 2, "ok", "FINISHED"), (2, 1, "ok", "FINISHED"),
    ]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("value", ["0.5", [0.5], {"loss": "low"}, {1: 0.5}, {"accuracy (%)": 1}, object()])
def test_a_value_that_is_none_is_refused_and_the_trial_still_runs(sqlite_store, value):
    loop = study(sqlite_store, trials=1)
    trial = asked(loop)
    with pytest.raises(InputError, match=r"^tell\(\) was given .*(number|name)"):
        loop.tell(trial, value)
    assert outcomes(children_of(sqlite_store)) == [(1, 1, None, "RUNNING")]
    loop.tell(trial, 0.5)
    assert outcomes(children_of(sqlite_store)) == [(1, 1, "ok", "FINISHED")]


@pytest.mark.slow
def test_only_a_trial_that_runs_can_be_told_of(sqlite_store):
    loop, other = study(sqlite_store), study(sqlite_store, "other")
    with pytest.raises(InputError, match="the trial 7 does not run"):
        loop.tell(Trial(7, {}), 1.0)
    foreign = asked(other)
    with pytest.raises(InputError, match="the trial 1 does not run"):
        loop.tell(foreign, 1.0)
    first, second, third = (asked(loop) for _ in range(3))
    with pytest.raises(InputError, match=r"does not run, .*; running are 1, 2, 3"):
        loop.tell(foreign, 1.0)
    loop.tell(second, 1.0)
    with pytest.raises(InputError, match=r"the trial 2 \(run \w{32}\) does not run, .*; running are 1, 3"):
        loop.tell(second, 2.0)
    loop.tell(first, 1.0)
    loop.tell(third, 1.0)
    with pytest.raises(InputError, match="running are none"):
        loop.tell(third, 2.0)
    to_its_end(loop)
    with pytest.raises(InputError, match="the trial 3 does not run"):
        loop.tell(third, 2.0)
    assert [trial.value for trial in loop.trials][:3] == [1.0, 1.0, 1.0]
    assert outcomes(children_of(sqlite_store, "other")) == [(1, 1, None, "RUNNING")]
    other.close()


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["random", {"name": "bayesian", "initial": 2}])
def test_several_may_be_asked_for_before_any_is_told_and_told_out_of_order(sqlite_store, strategy):
    loop = study(sqlite_store, trials=5, strategy=strategy)
    trials = [asked(loop) for _ in range(5)]
    assert [trial.number for trial in trials] == [1, 2, 3, 4, 5]
    assert len({tuple(trial.params.values()) for trial in trials}) == 5
    assert loop.ask() is None, "the budget is used"
    for trial in (trials[4], trials[0], trials[2], trials[3], trials[1]):
        assert standing(sqlite_store) == ("RUNNING", "running")
        loop.tell(trial, trial.number)
    assert standing(sqlite_store) == ("FINISHED", "finished")
    assert [trial.value for trial in loop.trials] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert [trial.run_id for trial in loop.trials] == [trial.run_id for trial in trials]


def test_the_strategy_knows_the_trials_that_run(sqlite_store):
    """A grid gives each point once, and waits for none."""
    loop = study(sqlite_store, space={"x": Int(1, 3, grid=[1, 2, 3])}, strategy="grid", stop={})
    trials = [asked(loop) for _ in range(3)]
    assert [trial.params["x"] for trial in trials] == [1, 2, 3]
    assert loop.ask() is None
    assert loop.ending is None, "they still run"
    for trial in trials:
        loop.tell(trial, trial.number)
    assert loop.ask() is None
    assert loop.ending.state == "finished"


@pytest.mark.slow
def test_a_sequential_strategy_waits_while_its_trial_runs(sqlite_store):
    loop = study(
        sqlite_store, space={"x": Float(0, 8)}, strategy={"name": "bisection", "tolerance": 0.5}, stop={"trials": 40}
    )
    told = 0
    while trial := loop.ask():
        assert loop.ask() is None
        assert loop.ending is None
        loop.tell(trial, (trial.params["x"] - 3) ** 2)
        told += 1
    assert loop.ending.state == "finished"
    assert loop.ending.why.startswith("bisection: ")
    assert 2 < told < 40
    assert abs(loop.best.params["x"] - 3) < 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "why"),
    [
        ({"trials": 2}, ENDED.format(2)),
        ({"trials": 9, "target": 1.5}, "target: trial 2 reached 1 (target 1.5)"),
        ({"trials": 9, "patience": 2}, "patience: no improvement in 2 trials"),
    ],
)
def test_a_stop_rule_ends_the_study_with_the_trial_that_is_told(store, stop, why):
    values = iter([2.0, 1.0, 3.0, 4.0])
    loop = study(store, name := f"stop-{uuid4().hex[:8]}", stop=stop)
    while loop.ending is None:
        loop.tell(asked(loop), next(values))
    assert (loop.ending.state, loop.ending.why) == ("finished", why)
    assert standing(store, name) == ("FINISHED", "finished")
    tags = parent_of(store, name).data.tags
    assert why in tags["mlflow.note.content"]
    assert tags["tune.why_stopped"] == why
    assert not is_driven(Client(store), loop.run_id)
    claims = dict(parent_of(store, name).data.params)
    assert loop.ask() is None
    loop.close()
    assert dict(parent_of(store, name).data.params) == claims, "what has ended is not opened again"


@pytest.mark.slow
def test_failures_in_a_row_abort_the_study(sqlite_store):
    loop = study(sqlite_store, stop={"trials": 9, "failures": 2})
    for _ in range(2):
        loop.tell(asked(loop), failed="no data")
    assert loop.ask() is None
    assert loop.ending.state == "aborted"
    assert loop.ending.why.endswith("no data")
    assert standing(sqlite_store) == ("FAILED", "aborted")
    to_its_end(load(sqlite_store))
    assert len(load(sqlite_store).trials) == 9


@pytest.mark.slow
def test_a_trial_cut_short_leaves_the_study_unfinished_though_a_stop_rule_had_struck(sqlite_store):
    loop = study(sqlite_store, stop={"trials": 9, "target": 1.0})
    first, _ = asked(loop), asked(loop)
    loop.tell(first, 0.5)
    assert loop.ask() is None
    loop.close()
    assert standing(sqlite_store) == ("KILLED", "interrupted")
    assert outcomes(children_of(sqlite_store)) == [(1, 1, "ok", "FINISHED"), (2, 1, "interrupted", "KILLED")]


@pytest.mark.slow
def test_a_study_that_is_asked_to_stop_ends_with_the_trial_that_is_told(sqlite_store):
    loop = study(sqlite_store, trials=500)
    trial = asked(loop)
    Studies(Client(sqlite_store)).request_stop(loop.run_id)
    while trial:
        loop.tell(trial, 1.0)
        trial = loop.ask()
    assert loop.ending.why == "`mlflow-tune stop` asked for it"
    assert standing(sqlite_store) == ("KILLED", "interrupted")
    assert loop.ask() is None, "whoever asked for the end is heeded"


@pytest.mark.slow
def test_a_study_that_is_left_goes_on_with_the_trial_that_ran(store):
    loop = study(store, name := f"left-{uuid4().hex[:8]}")
    loop.tell(asked(loop), 1.0)
    second = asked(loop)
    loop.close()
    loop.close()
    assert outcomes(children_of(store, name)) == [(1, 1, "ok", "FINISHED"), (2, 1, "interrupted", "KILLED")]
    assert standing(store, name) == ("KILLED", "interrupted")
    assert loop.ending.state == "interrupted"
    with pytest.raises(InputError, match="the trial 2 does not run"):
        loop.tell(second, 1.0)
    goes_on = load(store, name)
    again = asked(goes_on)
    assert (again.number, again.attempt, again.params) == (2, 2, second.params)
    with pytest.raises(InputError, match="does not run"):
        goes_on.tell(second, 1.0)
    goes_on.tell(again, 2.0)
    to_its_end(goes_on)
    assert [(trial.number, trial.attempt) for trial in goes_on.trials] == [(1, 1), (2, 2), (3, 1), (4, 1)]
    assert [goes_on.trials[index].value for index in (0, 1)] == [1.0, 2.0]
    assert standing(store, name) == ("FINISHED", "finished")


def test_a_study_that_is_left_may_be_asked_by_the_same_object(sqlite_store):
    loop = study(sqlite_store)
    asked(loop)
    loop.close()
    trial = asked(loop)
    assert (trial.number, trial.attempt, loop.ending) == (1, 2, None)
    loop.tell(trial, 1.0)
    to_its_end(loop)
    assert loop.ending.state == "finished"


SCRIPT = """
import os, signal, sys, time
from mlflow_tune import Float, Study

uri, most = sys.argv[1], int(sys.argv[2])
loop = Study(
    name="s", metric="loss", space={"x": Float(0, 1), "y": Float(1e-3, 1, log=True)}, stop={"trials": 4},
    tracking_uri=uri,
)
told = 0
while trial := loop.ask():
    if told == most:
        print("asked", flush=True)
        {end}
    loop.tell(trial, trial.params["x"])
    told += 1
"""


def script(folder: Path, end: str = "break") -> Path:
    """Write a loop that tells so many trials and then, while one runs, ends in this way."""
    path = folder / "loop.py"
    path.write_text(SCRIPT.replace("{end}", end))
    return path


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "code", "orderly"),
    [
        ("break", 0, True),
        pytest.param("raise ValueError('broken')", 1, True, marks=pytest.mark.long),
        pytest.param("raise SystemExit(3)", 3, True, marks=pytest.mark.long),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", 1, True),
        ("os.kill(os.getpid(), signal.SIGKILL)", -9, False),
        ("os._exit(4)", 4, False),
    ],
    ids=["normally", "by an exception", "by sys.exit", "by Ctrl-C", "by SIGKILL", "by os._exit"],
)
def test_a_process_that_ends_in_its_loop_loses_no_trial(store, tmp_path, monkeypatch, end, code, orderly):
    monkeypatch.setenv("MLFLOW_TUNE_LEASE", "2s")
    path, name = script(tmp_path, end=end), f"ends-{uuid4().hex[:8]}"
    path.write_text(path.read_text().replace('name="s"', f'name="{name}"'))
    process = start([path, store, "2"], tmp_path)
    ended = process.wait()
    # An interpreter that Ctrl-C ended is killed by that signal; the forked one of these tests exits.
    assert ended == code or (ended, code) == (-signal.SIGINT, 1), process.err.read_text()
    left = ("interrupted", "KILLED") if orderly else (None, "RUNNING")
    assert outcomes(children_of(store, name)) == [
        (1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED"), (3, 1, *left),
    ]  # fmt: skip
    assert standing(store, name) == (("KILLED", "interrupted") if orderly else ("RUNNING", "running"))
    if orderly:
        assert not is_driven(Client(store), load(store, name).run_id)
    before = points(children_of(store, name))
    goes_on = load(store, name)
    again = asked(goes_on)
    assert (again.number, again.attempt, again.params) == (3, 2, before[3])
    goes_on.tell(again, 1.0)
    to_its_end(goes_on)
    assert outcomes(children_of(store, name)) == [
        (1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED"), (3, 1, "interrupted", "KILLED"), (3, 2, "ok", "FINISHED"),
        (4, 1, "ok", "FINISHED"),
    ]  # fmt: skip


@pytest.mark.long
def test_a_process_that_ends_draws_the_report_of_what_it_has(sqlite_store, tmp_path):
    process = start([script(tmp_path), sqlite_store, "2"], tmp_path, MLFLOW_TUNE_REPORT="true")
    assert process.wait() == 0
    assert process.err.read_text() == ""
    names = {file.path for file in MlflowClient(sqlite_store).list_artifacts(load(sqlite_store).run_id)}
    assert {"report.html", "trials.csv", "study.yaml"} <= names


@pytest.mark.long
def test_while_a_loop_is_open_nobody_else_drives_the_study(sqlite_store, tmp_path):
    loop = study(sqlite_store)
    trial = asked(loop)
    with pytest.raises(StudyConflict, match="is driven by"):
        load(sqlite_store).ask()
    with pytest.raises(StudyConflict, match="is driven by"):
        load(sqlite_store, objective=loss).resume()
    process = start(["resume", "s"], tmp_path, sqlite_store)
    assert process.wait() == 2
    with pytest.raises(StudyConflict, match="is running already: see it by `mlflow-tune watch"):
        study(sqlite_store).ask()
    with pytest.raises(StudyConflict, match="is running already: see it by `mlflow-tune watch"):
        study(sqlite_store, objective=loss).run()
    loop.tell(trial, 1.0)
    assert outcomes(children_of(sqlite_store)) == [(1, 1, "ok", "FINISHED")]
    loop.close()
    with pytest.raises(StudyConflict, match="exists and is not finished"):
        study(sqlite_store).ask()
    to_its_end(load(sqlite_store))
    second = study(sqlite_store)
    assert asked(second).number == 1, "a finished one is in nobody's way"
    second.close()


def test_a_queued_point_comes_before_what_the_strategy_asks(sqlite_store):
    loop = study(sqlite_store)
    loop.tell(asked(loop), 1.0)
    loop.close()
    point = {"x": 0.25, "y": 2.0}
    run_id = load(sqlite_store).enqueue(point, why="a hunch")
    second = asked(loop)
    assert (second.number, second.run_id, second.params) == (2, run_id, point)
    assert (second.strategy, second.why) == ("manual", "a hunch")
    loop.tell(second, 2.0)
    third = asked(loop)
    assert (third.number, third.strategy) == (3, "random")
    loop.close()


@pytest.mark.slow
def test_a_study_may_be_made_and_points_queued_before_the_first_is_asked_for(sqlite_store):
    made = study(sqlite_store, trials=2).create()
    assert standing(sqlite_store) == ("FINISHED", "interrupted"), "nothing was broken off"
    run_id = made.enqueue({"x": 0.25, "y": 0.5})
    loop = load(sqlite_store)
    first = asked(loop)
    assert (first.number, first.run_id, first.params) == (1, run_id, {"x": 0.25, "y": 0.5})
    loop.tell(first, 1.0)
    to_its_end(loop)
    assert [trial.strategy for trial in loop.trials] == ["manual", "random"]


@pytest.mark.slow
def test_a_study_that_has_ended_goes_on_with_a_larger_budget(sqlite_store):
    loop = to_its_end(study(sqlite_store, trials=2))
    assert loop.ask(trials=2) is None
    again = load(sqlite_store)
    while trial := again.ask(trials=4):
        again.tell(trial, loss(**trial.params))
    assert [trial.number for trial in again.trials] == [1, 2, 3, 4]
    assert load(sqlite_store).spec.stop.trials == 4
    fifth = loop.ask(trials=5)
    assert fifth is not None
    assert fifth.number == 5
    loop.close()


@pytest.mark.slow
def test_threads_may_share_a_loop(sqlite_store):
    loop = study(sqlite_store, trials=12)

    def work() -> None:
        while trial := loop.ask():
            loop.tell(trial, loss(**trial.params))

    with ThreadPoolExecutor(4) as threads:
        for future in [threads.submit(work) for _ in range(4)]:
            future.result()
    assert outcomes(children_of(sqlite_store)) == [(number, 1, "ok", "FINISHED") for number in range(1, 13)]


FORKED = """
import os
from mlflow_tune import Float, Study, StudyConflict
study = Study(
    name="s", space={"x": Float(0, 1)}, metric="loss", stop={"trials": 3}, tracking_uri=sys.argv[1]
)
trial = study.ask()
if (child := os.fork()) == 0:
    for step in (study.ask, lambda: study.tell(trial, 2.0)):
        try:
            step()
        except StudyConflict as error:
            assert "this one was forked from it" in str(error)
        else:
            raise SystemExit(6)
    study.close()
    raise SystemExit(5)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 5
study.tell(trial, 1.0)
study.close()
"""


@pytest.mark.long
def test_a_forked_child_that_asks_tells_and_ends_leaves_the_loop_to_its_parent(sqlite_store, tmp_path):
    path = tmp_path / "loop.py"
    path.write_text("import sys\n" + FORKED)
    process = start([path, sqlite_store], tmp_path)
    assert process.wait() == 0, process.err.read_text()
    assert outcomes(children_of(sqlite_store)) == [(1, 1, "ok", "FINISHED")]


@pytest.mark.slow
def test_run_needs_code_and_goes_on_with_what_was_asked_and_told(sqlite_store):
    loop = to_its_end(study(sqlite_store, trials=2))
    with pytest.raises(InputError, match=r"nothing says what a trial runs: give objective or run, or ask\(\)"):
        study(sqlite_store, "t").run()
    with pytest.raises(InputError, match="nothing says what a trial runs"):
        load(sqlite_store).resume(trials="+3")
    resumed = load(sqlite_store, objective=loss).resume(trials="+3")
    assert [(trial.number, trial.outcome) for trial in resumed.trials] == [(n, "ok") for n in (1, 2, 3, 4, 5)]
    whole = study(sqlite_store, "whole", 5, objective=loss).run()
    assert [trial.params for trial in resumed.trials] == [trial.params for trial in whole.trials]
    assert resumed.run_id == loop.run_id


@pytest.mark.slow
def test_a_study_of_code_can_be_asked_too(sqlite_store):
    whole = study(sqlite_store, "whole", 5, objective=loss).run()
    study(sqlite_store, trials=5, objective=loss).create()
    loop = to_its_end(load(sqlite_store))
    assert [(trial.params, trial.value) for trial in loop.trials] == [
        (trial.params, trial.value) for trial in whole.trials
    ]


def test_a_loop_that_lost_its_study_ends_and_lets_go(sqlite_store):
    loop = study(sqlite_store)
    trial = asked(loop)
    MlflowClient(sqlite_store).delete_run(loop.run_id)
    with pytest.raises(StudyConflict, match="was deleted"):
        while True:
            loop.tell(trial, 1.0)
            trial = asked(loop)
    with pytest.raises(InputError, match="does not run"):
        loop.tell(trial, 1.0)
    loop.close()


@pytest.mark.slow
def test_two_loops_of_different_studies_may_run_at_once(sqlite_store):
    one, two = study(sqlite_store, "one", 3), study(sqlite_store, "two", 3)
    for _ in range(3):
        a, b = asked(one), asked(two)
        two.tell(b, 2.0)
        one.tell(a, 1.0)
    assert [trial.value for trial in [*one.trials, *two.trials]] == [1.0] * 3 + [2.0] * 3
    assert (one.ending.why, two.ending.why) == (ENDED.format(3),) * 2


@pytest.mark.long
@pytest.mark.parametrize("left", [False, True])
def test_batch_asks_for_a_round_and_waits_until_all_of_it_is_told(sqlite_store, left):
    """The points are those of a study that runs by itself, also when the loop is left in the middle of a round."""
    options = {"strategy": {"name": "bayesian", "initial": 3, "seed": 1}, "workers": 3, "batch": True, "trials": 8}
    ran = study(sqlite_store, "ran", objective=loss, **options).run()
    loop, sizes = study(sqlite_store, **options), []
    while loop.ending is None:
        round_ = list(iter(loop.ask, None))
        for trial in round_[:0:-1]:
            loop.tell(trial, loss(**trial.params))
            assert loop.ask() is None
        if left and len(sizes) == 1:
            loop.close()
            loop = load(sqlite_store)
            round_[0] = asked(loop)
            assert loop.ask() is None
        loop.tell(round_[0], loss(**round_[0].params))
        sizes.append(len(round_))
    assert sizes == [3, 3, 2]
    assert [trial.params for trial in loop.trials] == [trial.params for trial in ran.trials]
