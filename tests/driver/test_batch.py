"""Synchronous rounds: a parallel study that is the same whenever it is run."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlflow_tune import Float, Study, Trial
from tests.fixtures.small_studies.helpers import nothing_left, outcomes, runs_of, start, wait_for

SPACE = {"x": Float(0, 1), "y": Float(0, 1)}
STRATEGIES = [{"name": "random", "seed": 2}, {"name": "bayesian", "seed": 2, "initial": 3}]
NAMES = ["random", "bayesian"]
LONG_FOR_RANDOM = [pytest.param(STRATEGIES[0], marks=pytest.mark.long), STRATEGIES[1]]
ROUNDS = [[1, 2, 3], [4, 5, 6], [7, 8]]


def slow(pace: float) -> Callable[..., float]:
    """Return an objective that takes another time at each point, and at each `pace`."""

    def objective(x: float, y: float) -> float:
        time.sleep((x + y) * pace % 0.5)
        return (x - 0.3) ** 2 + (y - 0.6) ** 2

    return objective


def study(uri: str, name: str, objective: Callable[..., float] | None = None, **more: Any) -> Study:
    given = {"space": SPACE, "metric": "loss", "stop": {"trials": 8}, "workers": 3, "batch": True, **more}
    return Study(name=name, objective=objective, tracking_uri=uri, **given)


def load(uri: str, name: str, objective: Callable[..., float] | None = None) -> Study:
    return Study.load(name, objective=objective, tracking_uri=uri)


def points(done: Study) -> list[Any]:
    assert [trial.number for trial in done.trials] == list(range(1, len(done.trials) + 1))
    return [trial.params for trial in done.trials]


def rounds(trials: list[Trial]) -> list[list[int]]:
    """Return the numbers of the trials, in parts each of which started when all before had ended."""
    found: list[list[int]] = []
    latest = 0
    for trial in sorted(trials, key=lambda trial: trial.start_time):
        if trial.start_time >= latest:
            found.append([])
        found[-1].append(trial.number)
        latest = max(latest, trial.end_time or 0)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("strategy", LONG_FOR_RANDOM, ids=NAMES)
def test_a_batch_study_asks_the_same_points_however_long_its_trials_take(sqlite_store, strategy):
    first, second = (study(sqlite_store, f"pace-{pace}", slow(pace), strategy=strategy).run() for pace in (37.0, 53.0))
    orders = [
        [trial.number for trial in sorted(done.trials, key=lambda trial: trial.end_time)] for done in (first, second)
    ]
    assert orders[0] != orders[1], "the trials of the two end in another order, or the test tests nothing"
    assert points(first) == points(second)
    for done in (first, second):
        assert rounds(done.trials) == ROUNDS
        assert done.ending.state == "finished"


@pytest.mark.slow
def test_without_batch_a_trial_starts_when_a_worker_is_free(sqlite_store):
    done = study(sqlite_store, "free", slow(37.0), strategy="random", batch=False).run()
    assert rounds(done.trials) != ROUNDS


@pytest.mark.slow
def test_batch_is_kept_by_a_study_that_is_loaded(sqlite_store):
    study(sqlite_store, "kept", slow(37.0), strategy="random", stop={"trials": 3}).run()
    loaded = load(sqlite_store, "kept", slow(53.0))
    assert loaded.spec.batch
    assert rounds(loaded.resume(trials=8).trials) == ROUNDS


SCRIPT = """
import os, sys, time
from pathlib import Path
from mlflow_tune import Float, Study

uri, folder, strategy, free = sys.argv[1], Path(sys.argv[2]), eval(sys.argv[3]), int(sys.argv[4])

def objective(x, y):
    for place in range(1, 99):
        try:
            (folder / str(place)).open("x").close()
            break
        except FileExistsError:
            pass
    if place > free:
        time.sleep(3600)
    return (x - 0.3) ** 2 + (y - 0.6) ** 2

Study(
    name="killed", metric="loss", space={"x": Float(0, 1), "y": Float(0, 1)}, strategy=strategy, stop={"trials": 8},
    workers=3, batch=True, objective=objective, tracking_uri=uri,
).run()
"""


def killed(uri: str, folder: Path, strategy: dict[str, Any], free: int) -> None:
    """Kill the driver of a study when so many trials have ended."""
    (folder / "places").mkdir()
    (folder / "killed.py").write_text(SCRIPT)
    process = start([folder / "killed.py", uri, folder / "places", repr(strategy), str(free)], folder)

    def so_far() -> list[Any]:
        assert process.poll() is None, process.err.read_text()
        return outcomes(runs_of(uri, "killed")[1])

    size = min(8, -(-(free + 1) // 3) * 3)
    wait_for(lambda: len(found := so_far()) == size and sum(each[2] == "ok" for each in found) == free)
    process.signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    nothing_left(process)


@pytest.mark.long
@pytest.mark.parametrize("free", [4, 5])
@pytest.mark.parametrize("strategy", STRATEGIES, ids=NAMES)
def test_a_batch_study_killed_in_the_middle_of_a_round_goes_on_as_if_it_had_not_been(
    sqlite_store, tmp_path, strategy, free
):
    killed(sqlite_store, tmp_path, strategy, free)
    resumed = load(sqlite_store, "killed", slow(37.0)).resume()
    whole = study(sqlite_store, "whole", slow(53.0), strategy=strategy).run()
    assert points(resumed) == points(whole)
    assert [trial.outcome for trial in resumed.trials] == ["ok"] * 8
    again = [trial.number for trial in resumed.trials if trial.attempt == 2]
    assert len(again) == 6 - free
    session = [trial for trial in resumed.trials if trial.number in again or trial.number > 6]
    assert rounds(session) == [again, [7, 8]], "the new round waits for the old one"


@pytest.mark.long
@pytest.mark.parametrize("strategy", STRATEGIES, ids=NAMES)
def test_a_round_of_which_only_a_part_had_started_is_filled_up_by_a_resume(sqlite_store, strategy):
    objective = slow(53.0)
    left = study(sqlite_store, "left", strategy=strategy)
    for trial in [left.ask() for _ in range(3)]:
        left.tell(trial, objective(**trial.params))
    assert [left.ask().number for _ in range(2)] == [4, 5]
    left.close()
    resumed = load(sqlite_store, "left", slow(37.0)).resume()
    whole = study(sqlite_store, "whole", objective, strategy=strategy).run()
    assert points(resumed) == points(whole)
    assert rounds([trial for trial in resumed.trials if trial.number > 3]) == ROUNDS[1:]


@pytest.mark.slow
def test_a_failed_trial_runs_again_before_the_next_round(sqlite_store, tmp_path):
    def objective(x: float, y: float) -> float:
        try:
            (tmp_path / "first").open("x").close()
        except FileExistsError:
            return x
        raise RuntimeError("the first call fails")

    done = study(sqlite_store, "retried", objective, strategy="random", retries=1).run()
    assert [trial.outcome for trial in done.trials] == ["ok"] * 8
    (again,) = (trial for trial in done.trials if trial.attempt == 2)
    assert again.number <= 3
    later = [trial for trial in done.trials if trial.number > 3]
    assert again.end_time <= min(trial.start_time for trial in later)
    assert rounds(later) == ROUNDS[1:]
