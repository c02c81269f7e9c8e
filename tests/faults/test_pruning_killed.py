"""Drivers that are killed while trials are being pruned: no trial is both pruned and finished, and none runs twice."""

from __future__ import annotations

import random
import signal
import sys
import time

import pytest

from tests.fixtures import TRAINING_CODE
from tests.fixtures.small_studies.helpers import nothing_left, outcomes, runs_of, start, study_file, wait_for

TRIES = [0.5, 0.51, 0.52, 3.0, 4.0, 0.4, 5.0, 0.3]
KILLS = 3
SECONDS = 4.0  # in which a driver starts, and some trials end or are stopped


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_study_whose_driver_is_killed_while_it_prunes(seed, server, tmp_path):
    name, draw = f"pruning-killed-{seed}", random.Random(seed)
    path = study_file(
        tmp_path,
        name=name,
        run={"command": [sys.executable, str(TRAINING_CODE / "hopeless.py"), "{level}", "mild"]},
        space={"level": {"type": "float", "low": 0, "high": 9}},
        strategy={"name": "manual", "points": [{"level": level} for level in TRIES]},
        stop_trials={"rule": "median", "grace": "1s", "after": 1},
        workers=2,
    )
    driver, before = start(["run", path, "--tracking-uri", server], tmp_path), {}
    for _ in range(KILLS):
        wait_for(lambda: runs_of(server, name)[0] is not None)
        time.sleep(draw.uniform(0, SECONDS))
        driver.signal(signal.SIGKILL)
        driver.wait()
        nothing_left(driver)
        now = done(server, name)
        assert before.items() <= now.items(), "what had ended has changed"
        before = now
        driver = start(["resume", name, "--tracking-uri", server], tmp_path, MLFLOW_TUNE_LEASE="1s")
    assert driver.wait() == 0, driver.err.read_text()
    nothing_left(driver)
    found = done(server, name)
    assert [found[number][0] for number in sorted(found)] == ["pruned" if level > 1 else "ok" for level in TRIES]
    _, children = runs_of(server, name)
    attempts = [(number, attempt) for number, attempt, *_ in outcomes(children)]
    assert len(set(attempts)) == len(attempts)
    assert {status for *_, status in outcomes(children)} <= {"FINISHED", "KILLED"}


def done(uri, name):
    """Return outcome and attempt of each trial that ended by itself or was pruned; each must have one such attempt."""
    ended = [
        (number, outcome, attempt)
        for number, attempt, outcome, _ in outcomes(runs_of(uri, name)[1])
        if outcome in ("ok", "pruned")
    ]
    found = {number: (outcome, attempt) for number, outcome, attempt in ended}
    assert len(found) == len(ended), "a trial ended twice"
    return found
