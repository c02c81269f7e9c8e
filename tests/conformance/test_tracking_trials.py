"""What the tracking room promises of trials, on a SQLite store without a server and on a real MLflow server."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing, nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from mlflow_tune.tracking import Client, Trials, records
from mlflow_tune.tracking.logged import NOTE
from mlflow_tune.tracking.records import PAGE
from mlflow_tune.trial import Outcome, Suggestion, ended_trial
from tests.benchmarks.filled_store import Row, write
from tests.conformance.tracker import OK, start, tracker_of
from tests.support.server import Server

POINTS = [
    {"lr": 1e-4, "units": 16, "on": True, "kind": "relu"},
    {"a": 1, "b": 1.0, "c": "1", "d": True, "e": "True", "f": "1.0"},
    {"tiny": 5e-324, "odd": 0.1 + 0.2, "big": 10**12, "huge": 1.7e308, "negative": -3},
    {"kind": "Ärger ✓ 日本 \U0001f600"},
    {"kind": 'it\'s "quoted" \\ `and` $(more); --'},
    {"kind": "two\nlines\tand a tab"},
    {"kind": ""},
    {"kind": "null"},
    {"kind": "x" * 5900},
    {"a name with spaces/and:more.of-it": 1},
    {
        "none": None,
        "empty": [],
        "list": [64, 32],
        "texts": ["a", "1"],
        "mixed": [1, True, 1.0, "1"],
        "text": "[64, 32]",
    },
]


def test_a_point_comes_back_as_it_was_types_and_all(tracker):
    trials = tracker.trials()
    for number, params in enumerate(POINTS, start=1):
        start(trials, number, params)
    found = trials.all()
    assert [trial.params for trial in found] == POINTS
    kinds = [[type(value) for value in params.values()] for params in POINTS]
    assert [[type(value) for value in trial.params.values()] for trial in found] == kinds


def test_null_and_lists_are_params_by_their_json(tracker):
    """What Python writes otherwise comes with the end: training code that logs its own would be refused."""
    trials = tracker.trials()
    params = {"none": None, "list": [64, 32], "texts": ["a"], "on": True, "lr": 0.1}
    plain = {"epochs": "3", "list": "[64, 32]", "on": "True", "lr": "0.1"}
    quiet, speaking = start(trials, 1, params), start(trials, 2, params)
    assert tracker.mlflow.get_run(quiet.run_id).data.params == plain
    tracker.mlflow.log_param(speaking.run_id, "none", None)
    ended = [trials.finish(each, Outcome("ok", {"loss": 0.5}), 0.5) for each in (quiet, speaking)]
    found = [tracker.mlflow.get_run(each.run_id).data.params for each in ended]
    assert found == [plain | {"none": "null", "texts": '["a"]'}, plain | {"none": "None", "texts": '["a"]'}]
    assert trials.all() == ended


def test_a_running_trial_is_a_nested_run_with_its_point_and_its_reasons(tracker):
    study = tracker.study()
    trial = start(tracker.trials(study), 7, {"lr": 0.0031, "units": 16}, why="the centre", evidence={"mean": 0.5})
    run = tracker.mlflow.get_run(trial.run_id)
    assert (run.info.status, run.info.run_name) == ("RUNNING", "#007 lr=0.0031 units=16")
    assert run.data.params == {"epochs": "3", "lr": "0.0031", "units": "16"}
    assert run.data.metrics == {"trial": 7.0, "mean": 0.5}
    tags = {
        "mlflow.parentRunId": study.run_id, "mlflow.user": "ann", "tune.kind": "trial", "tune.trial": "7",
        "tune.attempt": "1", "tune.params": '{"lr":0.0031,"units":16}', "tune.strategy": "random",
        "tune.why": "the centre",
    }  # fmt: skip
    assert tags.items() <= run.data.tags.items()
    assert "tune.outcome" not in run.data.tags


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("ok", "FINISHED"),
        ("failed", "FAILED"),
        ("timeout", "FAILED"),
        ("not-finite", "FAILED"),
        ("interrupted", "KILLED"),
    ],
)
def test_an_ended_trial_is_read_back_as_it_ended(tracker, kind, status):
    trials = tracker.trials()
    value = -1e-12 if kind == "ok" else None
    outcome = Outcome(kind, {"loss": -1e-12, "bad": float("nan"), "worse": float("inf")}, reason="because ü")
    ended = trials.finish(start(trials, evidence={"mean": 2.0}), outcome, value)
    [found] = trials.all()
    assert found == ended
    assert (found.outcome, found.value, found.reason, found.done) == (kind, value, "because ü", kind != "interrupted")
    run = tracker.mlflow.get_run(ended.run_id)
    assert (run.info.status, run.info.end_time) == (status, ended.end_time)
    assert run.data.metrics.get("objective") == value
    assert run.data.metrics["loss"] == -1e-12


def test_the_trials_of_a_study_are_its_own(tracker):
    ours, theirs = tracker.trials(tracker.study("a")), tracker.trials(tracker.study("b"))
    first, second = start(ours, 1), start(theirs, 1)
    tracker.mlflow.create_run(tracker.experiment_id, tags={"mlflow.parentRunId": ours.study.run_id})
    assert [trial.run_id for trial in ours.all()] == [first.run_id]
    assert [trial.run_id for trial in theirs.all()] == [second.run_id]


@pytest.mark.parametrize(
    "tags",
    [
        {"tune.trial": "x"},
        {"tune.trial": "0"},
        {"tune.trial": "-1"},
        {"tune.attempt": "soon"},
        {"tune.attempt": "0"},
        {"tune.params": "{"},
        {"tune.params": "[1]"},
        {"tune.params": '{"lr": {"deep": 1}}'},
        {"tune.params": '{"lr": [null]}'},
        {"tune.params": '{"lr": [[1]]}'},
        {"tune.params": "__import__('os')"},
    ],
)
def test_a_child_whose_tags_make_no_trial_is_passed_over(tracker, tags):
    trials = tracker.trials()
    kept = start(trials, 2)
    sound = {
        "tune.kind": "trial", "mlflow.parentRunId": trials.study.run_id, "tune.trial": "1", "tune.params": '{"lr":0.5}'
    }  # fmt: skip
    tracker.mlflow.create_run(tracker.experiment_id, tags={**sound, **tags})
    assert [trial.run_id for trial in trials.all()] == [kept.run_id]


def test_an_outcome_that_nobody_knows_is_no_outcome(tracker):
    trials = tracker.trials()
    tracker.mlflow.set_tag(start(trials).run_id, "tune.outcome", "splendid")
    assert trials.all()[0].running


@pytest.mark.slow
def test_an_ok_without_a_finite_value_is_not_finite(tracker):
    trials = tracker.trials()
    for number, value in enumerate((None, float("nan"), float("inf"), float("-inf")), start=1):
        trial = start(trials, number)
        if value is not None:
            tracker.mlflow.log_metric(trial.run_id, "objective", value)
        tracker.mlflow.set_tag(trial.run_id, "tune.outcome", "ok")
    assert [(trial.outcome, trial.value) for trial in trials.all()] == [("not-finite", None)] * 4


def test_long_texts_are_cut_and_the_outcome_survives(tracker):
    trials = tracker.trials()
    trial = start(trials, why="w" * 9000)
    trials.finish(trial, Outcome("failed", reason="ö" * 9000), None)
    [found] = trials.all()
    assert found.outcome == "failed"
    assert found.reason == "ö" * 7999 + "…"
    assert found.why == "w" * 7999 + "…"


def test_the_latest_attempt_counts(tracker):
    trials = tracker.trials()
    trials.finish(start(trials, 1, {"lr": 0.5}, attempt=2), OK, 0.5)
    trials.finish(start(trials, 1, {"lr": 0.5}, attempt=1), Outcome("failed", reason="no"), None)
    trials.finish(start(trials, 2), Outcome("interrupted"), None)
    start(trials, 2, attempt=2)
    found = trials.all()
    assert [(trial.number, trial.attempt, trial.outcome) for trial in found] == [(1, 2, "ok"), (2, 2, None)]


def test_what_the_training_code_logged_is_read_with_its_curve(tracker):
    trials = tracker.trials()
    trial = start(trials)
    for step, value in ((2, 0.4), (0, 0.9), (1, 0.2)):
        tracker.mlflow.log_metric(trial.run_id, "loss", value, step=step)
    assert trials.logged(trial).metrics["loss"] == 0.4
    assert trials.history(trial, "loss") == [(0, 0.9), (1, 0.2), (2, 0.4)]
    assert trials.history(trial, "nothing") == []


def test_output_is_kept_as_bytes(tracker):
    trials = tracker.trials()
    trial = start(trials)
    trials.log_output(trial, b"caf\xe9\r\n\x00")
    path = tracker.mlflow.download_artifacts(trial.run_id, "output.log")
    assert Path(path).read_bytes() == b"caf\xe9\r\n\x00"


# --- pages ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 2, 3, 4, 6, 7])
def test_no_trial_is_lost_or_doubled_between_pages(tracker, monkeypatch, count):
    trials = tracker.trials()
    for number in range(1, count + 1):
        start(trials, number)
    monkeypatch.setattr(records, "PAGE", 3)
    assert [trial.number for trial in trials.all()] == list(range(1, count + 1))


@pytest.mark.slow
def test_no_study_is_lost_between_pages(tracker, monkeypatch):
    made = {tracker.study(f"study {number}").run_id for number in range(5)}
    monkeypatch.setattr(records, "PAGE", 2)
    found = [study.run_id for study in tracker.studies.all(tracker.experiment)]
    assert (len(found), set(found)) == (5, made)
    assert made <= {study.run_id for study in tracker.studies.all()}


def test_a_trial_that_starts_between_two_pages_neither_hides_nor_doubles_one(tracker, monkeypatch):
    trials = tracker.trials()
    for number in range(1, 5):
        start(trials, number)
    monkeypatch.setattr(records, "PAGE", 2)
    runs = trials._runs()
    first = [next(runs).info.run_id for _ in range(2)]
    time.sleep(0.002)
    start(trials, 5)
    seen = first + [run.info.run_id for run in runs]
    assert (len(seen), len(set(seen))) == (5, 5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "server"])
def test_more_trials_than_one_page_of_mlflows(kind, sqlite_store, tmp_path, mlflow_unchanged):
    tracker = tracker_of(sqlite_store)
    study, count = tracker.study(), PAGE + 5
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as connection:
        write(connection, tracker.experiment_id, (_failed(study.run_id, number) for number in range(1, count + 1)), "")
        connection.commit()
    with Server(tmp_path) if kind == "server" else nullcontext() as server:
        client = Client(server.uri) if server else tracker.client
        trials = Trials(client, study, {"mlflow.user": "ann"}, {"epochs": 3}).all()
    assert [trial.number for trial in trials] == list(range(1, count + 1))


def _failed(parent: str, number: int) -> Row:
    """Return a failed trial as it stands in MLflow's tables: making a thousand by requests would take long."""
    tags = {
        "tune.kind": "trial",
        "mlflow.parentRunId": parent,
        "tune.trial": str(number),
        "tune.params": f'{{"lr":{number / 2000}}}',
        "tune.outcome": "failed",
    }
    return Row(f"#{number:03d}", tags, {}, {})


def test_text_that_no_store_takes_costs_no_trial(tracker):
    trials = tracker.trials()
    trials.finish(start(trials), Outcome("failed", reason="cannot read caf\udce9.csv\0"))
    assert [(trial.outcome, trial.reason) for trial in trials.all()] == [("failed", "cannot read caf?.csv\ufffd")]


def test_a_trial_knows_when_its_earlier_attempts_ran(tracker):
    trials = tracker.trials()
    first = trials.finish(start(trials), Outcome("failed", reason="no"))
    second = trials.finish(trials.start(1, Suggestion({"x": 1}, "again"), "random", 2, {}), OK, 0.5)
    [found] = trials.all()
    assert (found.attempt, found.earlier) == (2, ((first.start_time, first.end_time),))
    assert found.attempts == (*found.earlier, (second.start_time, second.end_time))


# --- taking over what a dead driver left ------------------------------------------------------------------------------


@pytest.mark.slow
def test_taking_over_ends_open_trials_mends_statuses_and_leaves_the_rest(tracker):
    trials, mlflow = tracker.trials(), tracker.mlflow
    finished = trials.finish(start(trials, 1), OK, 0.5)
    running = start(trials, 2)
    no_status = start(trials, 3)
    trials.finish(no_status, OK, 0.25)
    mlflow.update_run(no_status.run_id, "RUNNING")
    no_outcome = start(trials, 4)
    mlflow.set_terminated(no_outcome.run_id, "FINISHED")
    half_written = start(trials, 5)
    mlflow.log_metric(half_written.run_id, "objective", 0.1)
    late_script = trials.finish(start(trials, 6), Outcome("timeout", reason="took longer than 1s"), None)
    mlflow.set_terminated(late_script.run_id, "FINISHED")

    taken = trials.take_over()
    expected = [
        ("ok", 0.5, "FINISHED"),
        ("interrupted", None, "KILLED"),
        ("ok", 0.25, "FINISHED"),
        ("interrupted", None, "KILLED"),
        ("interrupted", None, "KILLED"),
        ("timeout", None, "FAILED"),
    ]
    for found in (taken, trials.all()):
        statuses = [mlflow.get_run(trial.run_id).info.status for trial in found]
        ends = [(trial.outcome, trial.value, status) for trial, status in zip(found, statuses, strict=True)]
        assert ends == expected
    assert mlflow.get_run(finished.run_id).info.end_time == finished.end_time
    assert mlflow.get_run(running.run_id).data.tags["tune.reason"] == "its driver ended before the trial did"
    assert all(mlflow.get_run(trial.run_id).info.end_time for trial in taken)


def test_what_a_choice_rests_on_is_there_when_the_driver_dies_before_the_point_is_logged(tracker):
    trials = tracker.trials()
    evidence = {"predicted_mean": 0.5, "predicted_std": 0.25}
    suggestion = Suggestion({"lr": 0.25}, "promising", {**evidence, "acquisition": float("nan")})
    trials.start(1, suggestion, "bayesian", 1, {}, log=False)
    [taken] = trials.take_over()
    assert (taken.outcome, taken.metrics) == ("interrupted", {**evidence, "trial": 1.0})
    assert tracker.mlflow.get_run(taken.run_id).data.metrics == taken.metrics


def test_taking_over_ends_every_open_attempt_and_does_so_once(tracker):
    trials = tracker.trials()
    start(trials, 1, attempt=1)
    start(trials, 1, attempt=2)
    first = trials.take_over()
    assert [(trial.attempt, trial.outcome) for trial in first] == [(2, "interrupted")]
    assert {run.info.status for run in tracker.children(trials.study)} == {"KILLED"}
    assert trials.take_over() == first


def test_a_trials_page_says_what_came_of_it_and_leads_back(tracker):
    study = tracker.study()
    trials = Trials(tracker.client, study)
    trial = trials.start(7, Suggestion({"lr": 0.1}, "the `best` <guess>"), "bayesian", 2, {})
    begun = tracker.mlflow.get_run(trial.run_id).data.tags[NOTE]
    assert begun.startswith("**Trial 7**, attempt 2 of the study [") and "It came to" not in begun
    assert "Chosen by bayesian: the " in begun and "<guess>" not in begun and "`" not in begun
    curve = '[{"name": "overfitting", "text": "it overfits from step 3"}]'
    trials.log_end(ended_trial(replace(trial, diagnosis=curve), OK, 0.25, 1), OK)
    ended = tracker.mlflow.get_run(trial.run_id).data.tags[NOTE]
    assert "**0.25**" in ended and "it overfits from step 3" in ended
    assert f"#/experiments/{study.experiment_id}/runs/{study.run_id}?" in ended


def test_a_description_of_the_training_codes_own_stays(tracker):
    trials = Trials(tracker.client, tracker.study())
    trial = trials.start(1, Suggestion({"lr": 0.1}, "first"), "grid", 1, {})
    tracker.mlflow.set_tag(trial.run_id, NOTE, "mine")
    trials.logged(trial)
    trials.finish(trial, OK, 0.25)
    assert tracker.mlflow.get_run(trial.run_id).data.tags[NOTE] == "mine"
