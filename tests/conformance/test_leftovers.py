"""What killed processes leave half made: ended by whoever comes next, and what is whole or being made is left alone."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from mlflow_tune.tracking import Queue, Runs
from mlflow_tune.tracking.comparisons import Comparisons
from mlflow_tune.tracking.holder import maker_gone, maker_here
from mlflow_tune.tracking.leftovers import OLD, sweep
from mlflow_tune.tracking.records import MAKER, now
from mlflow_tune.trial import Trial
from tests.conformance.tracker import OK, Tracker

POINT = {"lr": 0.5}
FAR = json.dumps({"boot": "another", "namespace": "another", "pid": 1, "started": 1.0})


@pytest.fixture(scope="module")
def dead() -> str:
    """The tag of a process that has ended."""
    code = "from mlflow_tune.tracking.holder import maker_here; print(maker_here())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


class Killed(BaseException):
    """Stands for a SIGKILL: no handler of ours catches it."""


def killed_at(tracker: Tracker, monkeypatch, count: int, make) -> None:
    """Call `make` and end it before its request of this number; the number 0 is the first."""
    sent, real = [], tracker.client.send

    def send(method: str, *args: object, **options: object) -> object:
        if method.startswith(("get_", "search_")):
            return real(method, *args, **options)
        if len(sent) == count:
            raise Killed
        sent.append(method)
        return real(method, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(tracker.client, "send", send)
        with pytest.raises(Killed):
            make()


def statuses(tracker: Tracker) -> dict[str, str]:
    return {run.info.run_id: run.info.status for run in tracker.mlflow.search_runs([tracker.experiment_id])}


def die(tracker: Tracker, dead: str, before: set[str]) -> str:
    """Let the maker of the one run that is new be a process that has ended; return its run id."""
    [run_id] = set(statuses(tracker)) - before
    tracker.mlflow.set_tag(run_id, MAKER, dead)
    return run_id


def test_who_makes_a_run_is_known_to_live_or_to_be_gone(dead):
    assert maker_gone(dead)
    assert [maker_gone(text) for text in (maker_here(), FAR, "", "[]", "{}", '{"pid": "x"}')] == [False] * 6


def test_a_point_is_queued_by_one_request_and_scheduled_by_the_sweep(tracker, monkeypatch, dead):
    study = tracker.study()
    queue = Queue(tracker.client, study)
    before = set(statuses(tracker))
    killed_at(tracker, monkeypatch, 1, lambda: queue.put(POINT, "asked for", {}))
    run_id = die(tracker, dead, before)
    assert [each.run_id for each in queue.waiting()] == [run_id]
    assert statuses(tracker)[run_id] == "RUNNING"
    sweep(tracker.client, tracker.experiment_id)
    assert statuses(tracker)[run_id] == "SCHEDULED"
    assert [each.run_id for each in queue.waiting()] == [run_id]


@pytest.mark.parametrize("ended", [False, True])
def test_a_driver_that_was_faster_keeps_the_status_that_it_gave(tracker, monkeypatch, ended):
    study = tracker.study()
    trials, real, faster = tracker.trials(study), tracker.client.send, []

    def send(method: str, *args: object, **options: object) -> object:
        if (method, *args[1:]) == ("update_run", "SCHEDULED") and not faster:
            faster.append(True)
            [queued] = Queue(tracker.client, study).waiting()
            trial = trials.start(1, queued.suggestion, "manual", 1, {}, queued.run_id)
            if ended:
                trials.finish(trial, OK, 0.5)
        return real(method, *args, **options)

    monkeypatch.setattr(tracker.client, "send", send)
    run_id = Queue(tracker.client, study).put(POINT, "asked for", {})
    assert statuses(tracker)[run_id] == ("FINISHED" if ended else "RUNNING")


def test_a_withdrawal_is_brought_to_its_end(tracker, monkeypatch, dead):
    study = tracker.study()
    queue = Queue(tracker.client, study)
    run_id = queue.put(POINT, "asked for", {})
    tracker.mlflow.update_run(run_id, "RUNNING")
    tracker.mlflow.set_tag(run_id, MAKER, dead)
    killed_at(tracker, monkeypatch, 1, lambda: queue.withdraw([run_id]))
    sweep(tracker.client, tracker.experiment_id)
    assert (statuses(tracker)[run_id], queue.waiting()) == ("KILLED", [])


def test_a_comparison_is_ended(tracker, monkeypatch, dead):
    comparisons = Comparisons(tracker.client)
    run_id = comparisons.create("a and b", tracker.experiment_id, ["a", "b"], {})
    tracker.mlflow.set_tag(run_id, MAKER, dead)
    sweep(tracker.client, tracker.experiment_id)
    assert statuses(tracker)[run_id] == "KILLED"


@pytest.mark.parametrize("count", range(1, 6))
def test_a_copy_is_a_trial_or_gone(tracker, monkeypatch, dead, count):
    """Killed at any of its requests; what is left is no trial, or a whole one that ended when the original did."""
    mlflow, study, runs = tracker.mlflow, tracker.study(), Runs(tracker.client)
    original = mlflow.create_run(tracker.experiment_id, 1_000)
    mlflow.log_param(original.info.run_id, "lr", "0.5")
    mlflow.log_metric(original.info.run_id, "loss", 0.25)
    mlflow.set_terminated(original.info.run_id, "FINISHED", 2_000)
    [run] = runs.matching(tracker.experiment_id, "params.lr = '0.5'")
    trial = Trial(1, POINT, outcome="ok", value=0.25, strategy="adopted", start_time=1_000, end_time=2_000)
    before = set(statuses(tracker))
    killed_at(tracker, monkeypatch, count, lambda: runs.copy(run, study, trial, {"log10_lr": -0.3}, ()))
    copy = die(tracker, dead, before)
    sweep(tracker.client, tracker.experiment_id)
    whole = count == 5
    assert statuses(tracker).get(copy) == ("FINISHED" if whole else None)
    assert [(each.value, each.end_time) for each in tracker.trials(study).all()] == ([(0.25, 2_000)] if whole else [])
    assert runs.copied(study) == ({original.info.run_id} if whole else set())


@pytest.mark.parametrize(
    ("state", "status"), [("running", "KILLED"), ("interrupted", "KILLED"), ("finished", "FINISHED")]
)
def test_a_study_that_nobody_drives_is_left_as_it_says(tracker, dead, state, status):
    study = tracker.study()
    tracker.mlflow.set_tag(study.run_id, "tune.state", state)
    tracker.mlflow.set_tag(study.run_id, MAKER, dead)
    sweep(tracker.client, tracker.experiment_id)
    found = tracker.studies.get(study.run_id)
    assert statuses(tracker)[study.run_id] == status
    assert found.state == ("interrupted" if state == "running" else state)


def test_what_is_being_made_and_what_is_driven_is_left_alone(tracker, dead):
    study, driven = tracker.study("made"), tracker.study("driven")
    tracker.mlflow.log_param(driven.run_id, "tune.claim.1", "{}")
    tracker.mlflow.set_tag(driven.run_id, MAKER, dead)
    comparison = Comparisons(tracker.client).create("a and b", tracker.experiment_id, ["a", "b"], {})
    far = tracker.mlflow.create_run(tracker.experiment_id, tags={"tune.kind": "comparison", MAKER: FAR})
    by_hand = tracker.mlflow.create_run(tracker.experiment_id, tags={MAKER: dead})
    kept = {study.run_id, driven.run_id, comparison, far.info.run_id, by_hand.info.run_id}
    sweep(tracker.client, tracker.experiment_id)
    assert {run_id for run_id, status in statuses(tracker).items() if status == "RUNNING"} == kept


def test_on_another_machine_age_tells(tracker):
    tags = {"tune.kind": "comparison", MAKER: FAR}
    old = tracker.mlflow.create_run(tracker.experiment_id, now() - OLD - 1_000, tags)
    sweep(tracker.client, tracker.experiment_id)
    assert statuses(tracker)[old.info.run_id] == "KILLED"
