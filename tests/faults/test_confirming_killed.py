"""A driver killed with SIGKILL in the middle of a confirmation: the next one loses nothing and repeats nothing."""

import random
import signal

import pytest

from mlflow_tune import Study
from tests.faults.drivers import lines
from tests.fixtures.small_studies.helpers import nothing_left, runs_of, start, study_file, tune, wait_for

SEARCHED, CONFIRM = 3, {"top": 3, "seeds": 3, "until": 0.99}
CASES = [pytest.param(1, marks=pytest.mark.slow), *(pytest.param(seed, marks=pytest.mark.long) for seed in (2, 3, 4))]


def told(trials):
    return [(trial.params, trial.replicate, trial.seed, trial.value) for trial in trials]


def whole_trials(uri, tmp_path):
    """Run the same study, unharmed, and return its trials."""
    assert tune(["run", study(tmp_path / "whole", "whole")], tmp_path, uri).wait() == 0
    return Study.load("whole", tracking_uri=uri).trials


def study(folder, name, confirm=CONFIRM):
    """Write a study of three points that differ by less than their noise, with nine reruns at the most."""
    run = {"function": "objectives:wobbling", "parameters": {"seed": 0, "calls": str(folder / "calls")}}
    space = {"x": {"type": "int", "low": 1, "high": 3, "grid": [1, 2, 3]}}
    return study_file(folder, name=name, run=run, space=space, confirm=confirm)


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", CASES)
def test_a_killed_confirmation_goes_on_as_if_it_had_not_been(seed, sqlite_store, tmp_path):
    path = study(tmp_path / "code", "killed")
    driver = start(["run", path], tmp_path, sqlite_store)
    count = SEARCHED + random.Random(seed).randint(2, 5)
    wait_for(lambda: len(runs_of(sqlite_store, "killed")[1]) >= count or driver.poll() is not None)
    driver.signal(signal.SIGKILL)
    driver.wait()
    nothing_left(driver)
    before = {trial.number: trial for trial in Study.load("killed", tracking_uri=sqlite_store).trials if trial.done}
    assert SEARCHED < len(before) < SEARCHED + 9, "it was killed in the middle"

    resumed = tune(["resume", "killed"], tmp_path, sqlite_store)
    assert resumed.wait() == 0, resumed.err.read_text()
    trials = Study.load("killed", tracking_uri=sqlite_store).trials
    assert [before.get(trial.number, trial).run_id for trial in trials] == [trial.run_id for trial in trials]
    ended = [f"{trial.params['x']} {trial.seed or 0}" for trial in trials]
    assert sorted(set(lines(tmp_path / "code" / "calls"))) == sorted(ended), "each point once under each seed"
    assert len(lines(tmp_path / "code" / "calls")) - len(ended) <= 1, "at most what ran when it was killed ran again"

    assert told(trials) == told(whole_trials(sqlite_store, tmp_path)), "as without the kill"


@pytest.mark.slow
def test_a_confirmation_by_command_that_was_killed_goes_on_by_a_resume(sqlite_store, tmp_path):
    path = study(tmp_path / "code", "killed", confirm=None)
    assert tune(["run", path], tmp_path, sqlite_store).wait() == 0
    driver = start(["confirm", "killed", "--seeds", "3", "--until", "0.99"], tmp_path, sqlite_store)
    wait_for(lambda: len(runs_of(sqlite_store, "killed")[1]) >= SEARCHED + 3 or driver.poll() is not None)
    driver.signal(signal.SIGKILL)
    driver.wait()
    nothing_left(driver)

    resumed = tune(["resume", "killed"], tmp_path, sqlite_store)
    assert resumed.wait() == 0, resumed.err.read_text()
    trials = Study.load("killed", tracking_uri=sqlite_store).trials
    assert told(trials) == told(whole_trials(sqlite_store, tmp_path)), "as without the kill"
