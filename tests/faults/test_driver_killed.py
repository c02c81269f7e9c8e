"""A driver killed with SIGKILL, and its study resumed from another folder: as if nothing had happened.

Each case draws its instants from its seed: kill the driver so long after its start, or a moment after so many children
exist; resume the study, and kill again. Repeat one by its id: `pytest tests/faults/test_driver_killed.py -k seed13`.
The short form has 2 instants, `-m long` 13 more; MLFLOW_TUNE_FAULTS=full has 107.
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

from tests.faults.drivers import lines
from tests.fixtures.small_studies.helpers import (
    Tune,
    nothing_left,
    outcomes,
    points,
    runs_of,
    start,
    study_file,
    tune,
    wait_for,
)
from tests.support.tiers import FULL

LR, ALPHA = (1e-4, 1e-3, 1e-2), (0.01, 0.1, 1.0, 10.0)
GRID = [{"lr": lr, "alpha": alpha} for lr, alpha in product(LR, ALPHA)]
LISTED = random.Random(0).sample(GRID, len(GRID))
BUDGET = len(GRID)
SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 1e-2, "log": True, "grid": list(LR)},
    "alpha": {"type": "float", "low": 0.01, "high": 10.0, "log": True, "grid": list(ALPHA)},
}
STRATEGIES: dict[str, dict[str, Any]] = {
    "grid": {},
    "random": {"seed": 7},
    "bisection": {},  # of lr alone
    "bayesian": {"seed": 7, "initial": 4},
    "manual": {"points": LISTED},
}
MOMENT = 0.3  # seconds; about what a trial takes
START = 1.5  # seconds in which a driver connects, claims the study, reads it and starts the first trial
COMMAND = [sys.executable, "train.py", "--x", "{lr}", "--alpha", "{alpha}"]


@dataclass(frozen=True)
class Case:
    """A study and the seed of the instants at which its driver is killed."""

    seed: int
    strategy: str
    workers: int = 1
    store: str = "sqlite_store"
    kills: int = 1
    command: bool = False

    def __str__(self) -> str:
        kind = "command" if self.command else "function"
        return f"seed{self.seed}-{kind}-{self.strategy}-{self.workers}-{self.store}-{self.kills}"

    def study(self, folder: Path, name: str) -> Path:
        """Write its study file; each call of the code that ends is noted in the file `calls`."""
        run: dict[str, Any] = {"function": "objectives:counted", "parameters": {"calls": str(folder / "calls")}}
        if self.command:
            run = {"command": [*COMMAND, "--calls", str(folder / "calls")]}
        space = SPACE
        if self.strategy == "bisection":
            run["parameters"]["alpha"], space = 0.5, {"lr": SPACE["lr"]}
        strategy = {"name": self.strategy, **STRATEGIES[self.strategy]}
        return study_file(
            folder, name=name, run=run, space=space, strategy=strategy, workers=self.workers, stop={"trials": BUDGET}
        )


STORES = ("sqlite_store", "server")
SHORT = [Case(seed=8, strategy="bayesian", workers=4, kills=2)]
LONG = [
    Case(seed=5, strategy="bisection", kills=2),
    Case(seed=9, strategy="grid", workers=2, store="server", command=True),
    Case(seed=2, strategy="random", workers=4, store="server"),
    Case(seed=1, strategy="grid"),
    Case(seed=3, strategy="grid", store="server", kills=2),
    Case(seed=4, strategy="random", kills=2),
    Case(seed=6, strategy="bayesian", kills=2),
    Case(seed=7, strategy="manual", kills=2),
]
FULL_FORM = [
    *(Case(seed, name, store=STORES[seed % 2], kills=4) for seed, name in enumerate(4 * list(STRATEGIES), start=10)),
    *(
        Case(seed, name, workers=4, store=STORES[seed // 2 % 2], kills=2)
        for seed, name in enumerate(3 * ["random", "bayesian"], start=30)
    ),
]
CASES = [pytest.param(case, id=str(case), marks=pytest.mark.slow) for case in SHORT + (FULL_FORM if FULL else [])]
CASES += [pytest.param(case, id=str(case), marks=pytest.mark.long) for case in LONG]


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("case", CASES)
def test_a_killed_study_goes_on_as_if_it_had_not_been(case, request, tmp_path):
    uri, name = request.getfixturevalue(case.store), f"killed-{case}"
    code, elsewhere, draw = tmp_path / "code", tmp_path / "elsewhere", random.Random(case.seed)
    path = case.study(code, name)
    elsewhere.mkdir()

    driver, seen = begin(path, name, uri, elsewhere), Seen(uri, name, code)
    for _ in range(case.kills):
        kill(driver, uri, name, draw)
        seen = seen.checked()
        driver = begin(path, name, uri, elsewhere, installed=case.command)
    assert driver.wait() == 0, driver.err.read_text()

    nothing_left(driver)
    seen = seen.checked()
    parent, children = runs_of(uri, name)
    attempts = [(number, attempt) for number, attempt, *_ in outcomes(children)]
    assert len(set(attempts)) == len(attempts), "a number was given twice"
    assert {run.info.status for run in [parent, *children]} <= {"FINISHED", "KILLED"}, "a run was left open"
    assert (parent.info.status, parent.data.tags["tune.state"]) == ("FINISHED", "finished")
    found = [points(children)[number] for number in sorted(seen.finished)]
    assert list(seen.finished) == list(range(1, len(found) + 1)) and len(seen.calls) == len(found)
    if case.workers == 1:
        assert found == uninterrupted(case, uri, tmp_path), "the sequence is another one"
    elif case.strategy == "grid":
        assert sorted(found, key=GRID.index) == GRID, "a point is missing"
    else:
        assert len(found) == BUDGET


def begin(path: Path, name: str, uri: str, elsewhere: Path, installed: bool = False) -> Tune:
    """Resume the study from another folder; run it when its driver was killed before it made the parent run."""
    parent, _ = runs_of(uri, name)
    words = ["resume", name] if parent else ["run", path]
    return start([*words, "--tracking-uri", uri], elsewhere, installed=installed)


def kill(driver: Tune, uri: str, name: str, draw: random.Random) -> None:
    """Kill the driver at an instant that is drawn, and wait until all that it ran is gone."""
    there = len(runs_of(uri, name)[1])
    count, moment = draw.randint(0, max(1, BUDGET - there)), draw.uniform(0, MOMENT)
    if count == 0:
        moment = draw.uniform(0, START)
    print(f"kill {moment:.3f} s after " + (f"child {there + count}" if count else "its start"))
    wait_for(lambda: count == 0 or len(runs_of(uri, name)[1]) >= there + count or driver.poll() is not None)
    time.sleep(moment)
    if driver.poll() is None:
        driver.signal(signal.SIGKILL)
    driver.wait()
    nothing_left(driver)


class Seen:
    """What is to be seen of a study while nobody drives it: the run of each finished trial, and the calls that ended.

    `finished` holds the runs by number, `calls` how often the code came to its end, by point.
    """

    def __init__(self, uri: str, name: str, code: Path) -> None:
        ok = [run for run in runs_of(uri, name)[1] if run.data.tags.get("tune.outcome") == "ok"]
        self._place = uri, name, code
        self.finished = dict(sorted((int(run.data.tags["tune.trial"]), run.info.run_id) for run in ok))
        assert len(self.finished) == len(ok), "a trial was finished twice"
        self.calls = Counter(lines(code / "calls"))
        self._points = {f"{point['lr']} {point.get('alpha', 0.5)}" for point in points(ok).values()}

    def checked(self) -> Seen:
        """Look again; check that the driver meanwhile lost nothing that was finished, and ran nothing of it again."""
        now = Seen(*self._place)
        ran = now.calls - self.calls
        assert self.finished.items() <= now.finished.items(), "a finished trial has another run than before"
        assert set(ran.values()) <= {1}, "a point ran twice"
        assert not self._points & set(ran), "a finished trial ran again"
        return now


_sequences = {"grid": GRID, "manual": LISTED}


def uninterrupted(case: Case, uri: str, folder: Path) -> list[dict[str, Any]]:
    """Return the points of the same study that nobody killed, in order."""
    if case.strategy not in _sequences:
        path, name = case.study(folder / "whole", f"whole-{case}"), f"whole-{case}"
        assert tune(["run", path], folder, uri).wait() == 0
        found = points(runs_of(uri, name)[1])
        _sequences[case.strategy] = [found[number] for number in sorted(found)]
    return _sequences[case.strategy]
