"""A study whose driver is killed at random instants while trials are being pruned."""

from __future__ import annotations

import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from tests.fixtures import TRAINING_CODE
from tests.fixtures.small_studies.helpers import nothing_left, outcomes, runs_of, start, study_file, wait_for

TRIES = [0.5, 0.51, 0.52, 3.0, 4.0, 0.4, 5.0, 0.3]
SECONDS = 4.0  # in which a driver starts, and some trials end or are stopped


def killed_while_it_prunes(uri: str, folder: Path, seed: int, kills: int) -> int:
    """Run the study, kill its driver so many times, and check what is left; return how many kills hit a driver.

    No trial is both pruned and finished, none of them ran twice, and nothing is lost.
    """
    name, draw = f"pruning-killed-{seed}", random.Random(seed)
    path = study_file(
        folder,
        name=name,
        run={"command": [sys.executable, str(TRAINING_CODE / "hopeless.py"), "{level}", "mild"]},
        space={"level": {"type": "float", "low": 0, "high": 9}},
        strategy={"name": "manual", "points": [{"level": level} for level in TRIES]},
        stop_trials={"rule": "median", "grace": "1s", "after": 1},
        workers=2,
    )
    driver, before, hit = start(["run", path, "--tracking-uri", uri], folder), {}, 0
    for _ in range(kills):
        wait_for(lambda: runs_of(uri, name)[0] is not None)
        time.sleep(draw.uniform(0, SECONDS))
        with suppress(ProcessLookupError):  # it may have ended by itself
            driver.signal(signal.SIGKILL)
            hit += 1
        driver.wait()
        nothing_left(driver)
        now = _done(uri, name)
        assert before.items() <= now.items(), "what had ended has changed"
        before = now
        driver = start(["resume", name, "--tracking-uri", uri], folder, MLFLOW_TUNE_LEASE="1s")
    assert driver.wait() == 0, driver.err.read_text()
    nothing_left(driver)
    found = _done(uri, name)
    assert [found[number][0] for number in sorted(found)] == ["pruned" if level > 1 else "ok" for level in TRIES]
    _, children = runs_of(uri, name)
    attempts = [(number, attempt) for number, attempt, *_ in outcomes(children)]
    assert len(set(attempts)) == len(attempts)
    assert {status for *_, status in outcomes(children)} <= {"FINISHED", "KILLED"}
    return hit


def _done(uri: str, name: str) -> dict[int, tuple[str | None, int]]:
    """Return outcome and attempt of each trial that ended by itself or was pruned; each must have one such attempt."""
    ended = [
        (number, outcome, attempt)
        for number, attempt, outcome, _ in outcomes(runs_of(uri, name)[1])
        if outcome in ("ok", "pruned")
    ]
    found = {number: (outcome, attempt) for number, outcome, attempt in ended}
    assert len(found) == len(ended), "a trial ended twice"
    return found
