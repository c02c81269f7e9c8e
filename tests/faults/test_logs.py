"""What `-v` tells is enough to write a study's history down again, without a look at the tracking server."""

from __future__ import annotations

import ast
import json
import re
import shutil
import signal
from pathlib import Path

import pytest

from mlflow_tune import Study
from tests.fixtures.small_studies.helpers import runs_of, start, study_file

STARTED = re.compile(r"trial (\d+) attempt (\d+) started: (\{.*?\}) \((.*)\)")
ENDED = re.compile(r"trial (\d+) attempt (\d+) ended: (\S+) (\S+) ?(.*)")
LEFT = re.compile(r"trial (\d+) attempt (\d+) was left open by a driver that is gone")
POINTS = [1, 2, 3, 4, 5, 6]


def history_of(log: str) -> dict[tuple[int, int], tuple[object, ...]]:
    """Return point, outcome and value of each attempt, by trial number and attempt, as the log tells them."""
    history: dict[tuple[int, int], tuple[object, ...]] = {}
    for line in log.splitlines():
        if found := STARTED.fullmatch(line):
            history[int(found[1]), int(found[2])] = (ast.literal_eval(found[3]), None, None)
        elif found := ENDED.fullmatch(line):
            key, value = (int(found[1]), int(found[2])), ast.literal_eval(found[4])
            history[key] = (history[key][0], found[3], value)
        elif found := LEFT.fullmatch(line):
            key = int(found[1]), int(found[2])
            history[key] = (history[key][0], "interrupted", None)
    return history


def history_on(uri: str, name: str) -> dict[tuple[int, int], tuple[object, ...]]:
    """Return the same as the tracking server holds it."""
    history = {}
    for run in runs_of(uri, name)[1]:
        tags, value = run.data.tags, run.data.metrics.get("objective")
        key = int(tags["tune.trial"]), int(tags["tune.attempt"])
        history[key] = (json.loads(tags["tune.params"]), tags["tune.outcome"], value)
    return history


@pytest.mark.slow
def test_a_study_can_be_rebuilt_from_its_log(sqlite_store, tmp_path):
    """Retries, a driver that was killed and taken over, a point from the queue, and why it stopped."""
    path = study_file(
        tmp_path, name="logged", run={"function": "misbehaving:flaky", "parameters": {"folder": "."}, "retries": 1},
        space={"x": {"type": "int", "low": 1, "high": 9, "grid": POINTS}},
    )  # fmt: skip
    shutil.copy(Path(__file__).with_name("misbehaving.py"), tmp_path)
    first = start(["run", path, "-v"], tmp_path, sqlite_store)
    first.said("started: {'x': 4}")
    queued = Study.load("logged", tracking_uri=sqlite_store).enqueue({"x": 9}, why="a hunch\nof mine")
    first.signal(signal.SIGKILL)
    first.wait()
    (tmp_path / "go").touch()
    second = start(["resume", "logged", "-v"], tmp_path, sqlite_store)
    assert second.wait() == 0, second.err.read_text()

    log = first.err.read_text() + second.err.read_text()
    history = history_of(log)
    assert history == history_on(sqlite_store, "logged")
    tries = [(key, outcome) for key, (_, outcome, _) in sorted(history.items())]
    assert len(history) == 7 + 4 + 1, tries  # six points and the queued one, four retries, one taken over
    run_id = runs_of(sqlite_store, "logged")[0].info.run_id
    for line in (
        f"driving 'logged' (run {run_id}): 0 trials, 0 of them run again",
        "trial 1 suggested by grid: {}",
        "trial 1 attempt 1 ended: failed None RuntimeError: the first time",
        "trial 1 runs again: attempt 1 was failed",
        "taking the study over from ",
        "trial 4 attempt 1 was left open by a driver that is gone",
        f"driving 'logged' (run {run_id}): 4 trials, 1 of them run again",
        "trial 4 runs again: attempt 1 was interrupted",
        f"trial 5 taken from the queue: run {queued}",
        "trial 5 attempt 1 started: {'x': 9} (a hunch\\nof mine)",
        "stopped: grid: every point",
    ):
        assert line in log, line
