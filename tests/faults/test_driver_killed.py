"""A driver killed with SIGKILL, and its study resumed from another folder: as if nothing had happened.

Each case draws its instants from its seed: kill the driver once so many children exist and a moment has passed, then
resume it, perhaps kill it again. Repeat one by its id: `pytest tests/faults/test_driver_killed.py -k seed13`.
"""

from __future__ import annotations

import random
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.studies.helpers import Tune, nothing_left, points, runs_of, start, study_file, tune, wait_for

LR, ALPHA = (1e-4, 1e-3, 1e-2), (0.01, 0.1, 1.0, 10.0)
GRID = [{"lr": lr, "alpha": alpha} for lr, alpha in product(LR, ALPHA)]
SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True, "grid": list(LR)},
    "alpha": {"type": "float", "low": 0.01, "high": 10.0, "log": True, "grid": list(ALPHA)},
}
MOMENT = 0.3  # seconds; about what a trial takes
COMMAND = [sys.executable, "train.py", "--x", "{lr}", "--alpha", "{alpha}", "--client", "mlflow"]


@dataclass(frozen=True)
class Case:
    """A study and the seed of the instants at which its driver is killed."""

    seed: int
    workers: int
    store: str
    kills: int = 1
    command: bool = False
    strategy: str = "grid"

    def __str__(self) -> str:
        kind = "command" if self.command else "function"
        return f"seed{self.seed}-{kind}-{self.strategy}-{self.workers}-{self.store}-{self.kills}"

    def study(self, folder: Path, name: str) -> Path:
        """Write its study file; each call of the code that ends is noted in the file `calls`."""
        run: dict[str, Any] = {"function": "objectives:counted", "parameters": {"calls": str(folder / "calls")}}
        if self.command:
            run = {"command": [*COMMAND, "--calls", str(folder / "calls")]}
        strategy = {"name": self.strategy} | ({"seed": self.seed} if self.strategy == "random" else {})
        return study_file(
            folder, name=name, run=run, space=SPACE, strategy=strategy, workers=self.workers, stop={"trials": 12}
        )


FAST = [
    Case(seed=1, workers=1, store="sqlite_store"),
    Case(seed=2, workers=2, store="server"),
    Case(seed=3, workers=2, store="sqlite_store", kills=2),
    Case(seed=4, workers=1, store="server"),
]
STORES = ("sqlite_store", "server")
FULL = [
    *(Case(seed, workers=1 + seed % 2, store=STORES[seed // 2 % 2], kills=1 + seed % 2) for seed in range(10, 18)),
    *(Case(seed, workers=1, store="server", strategy="random") for seed in (18, 19)),
    *(Case(seed, workers=1 + seed % 2, store="server", command=True) for seed in (20, 21)),
]
CASES = [pytest.param(case, id=str(case)) for case in FAST]
CASES += [pytest.param(case, id=str(case), marks=pytest.mark.slow) for case in FULL]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", CASES)
def test_a_killed_study_goes_on_as_if_it_had_not_been(case, request, tmp_path):
    uri, name, installed = request.getfixturevalue(case.store), f"killed-{case}", case in FULL
    code, elsewhere, draw = tmp_path / "code", tmp_path / "elsewhere", random.Random(case.seed)
    path = case.study(code, name)
    elsewhere.mkdir()

    driver = start(["run", path, "--tracking-uri", uri], tmp_path, installed=installed)
    for _ in range(case.kills):
        kill(driver, uri, name, draw)
        before, called = finished(uri, name), calls(code)
        driver = start(["resume", name, "--tracking-uri", uri], elsewhere, installed=installed)
    assert driver.wait() == 0, driver.err.read_text()

    nothing_left(driver)
    parent, children = runs_of(uri, name)
    assert parent.info.status == "FINISHED"
    assert {run.info.status for run in children} <= {"FINISHED", "KILLED"}, "a run was left open"
    after = finished(uri, name)
    assert before.items() <= after.items(), "a finished trial has another run than before"
    check_calls(called, calls(code), [points(children)[number] for number in before])
    found = [points(children)[number] for number in sorted(after)]
    assert sorted(after) == list(range(1, 13))
    if case.strategy == "grid":
        assert sorted(found, key=GRID.index) == GRID, "a point is missing, or was finished twice"
    if case.workers == 1:
        assert found == uninterrupted(case, uri, tmp_path), "the sequence is another one"


def kill(driver: Tune, uri: str, name: str, draw: random.Random) -> None:
    """Kill the driver a moment after so many of its trials have begun, and wait until all that it ran is gone."""
    count, moment = draw.randint(1, max(1, 12 - len(finished(uri, name)))), draw.uniform(0, MOMENT)
    there = len(runs_of(uri, name)[1])
    print(f"kill {moment:.3f} s after child {there + count}")
    wait_for(lambda: len(runs_of(uri, name)[1]) >= there + count or driver.poll() is not None)
    time.sleep(moment)
    if driver.poll() is None:
        driver.signal(signal.SIGKILL)
    driver.wait()
    nothing_left(driver)


def finished(uri: str, name: str) -> dict[int, str]:
    """Return the run of each finished trial, by number; no trial has two."""
    ok = [run for run in runs_of(uri, name)[1] if run.data.tags.get("tune.outcome") == "ok"]
    runs = {int(run.data.tags["tune.trial"]): run.info.run_id for run in ok}
    assert len(runs) == len(ok), "a trial was finished twice"
    return runs


def calls(folder: Path) -> Counter[str]:
    """Return how often the code came to its end, by point."""
    file = folder / "calls"
    return Counter(file.read_text().splitlines() if file.exists() else [])


def check_calls(before: Counter[str], after: Counter[str], done: list[dict[str, Any]]) -> None:
    """Check that the driver that was resumed last ran nothing that was finished, and everything else once."""
    ran = after - before
    assert set(ran.values()) <= {1}, "a point ran twice"
    assert not {f"{params['lr']} {params['alpha']}" for params in done} & set(ran), "a finished trial ran again"
    assert len(after) == 12


def uninterrupted(case: Case, uri: str, folder: Path) -> list[dict[str, Any]]:
    """Return the points of the same study that nobody killed, in order."""
    if case.strategy == "grid":
        return GRID
    path = case.study(folder / "whole", f"whole-{case}")
    assert tune(["run", path], folder, uri).wait() == 0
    found = points(runs_of(uri, f"whole-{case}")[1])
    return [found[number] for number in sorted(found)]
