"""Studies behind a network that loses what it carries: `python -m tests.faults network`.

A proxy before a real server spoils a share of all requests: cuts answers short, drops requests or their answers, keeps
them back, answers 500, 502, 503 or 429 itself. Which one is drawn from a seed.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from tests.faults.campaign import HERE, Counts
from tests.fixtures.small_studies.helpers import outcomes, points, runs_of, start, study_file
from tests.support.proxy import BUSY, CUT, HALVED, LOSE, TORN, Fault, Proxy

TRIALS = 12
LONGEST_DELAY = 1.0
FAULTS = [
    TORN,
    HALVED,
    CUT,
    LOSE,
    None,  # a delay
    Fault(forward=False, status=500, body="Internal Server Error", content_type="text/plain"),
    Fault(forward=False, status=502, body="<html>Bad Gateway</html>", content_type="text/html"),
    BUSY,
    Fault(forward=False, status=429, body="Too Many Requests", content_type="text/plain"),
]
SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "alpha": {"type": "float", "low": 0, "high": 1},
}


class Unreliable(Proxy):
    """Spoils this share of the requests."""

    def __init__(self, server: str, share: float, seed: int) -> None:
        super().__init__(server)
        self.spoilt = 0
        self._share = share
        self._draw = random.Random(seed)
        self._turn = threading.Lock()

    def take_fault(self, path: str) -> Fault | None:
        """Draw what happens to the next request."""
        with self._turn:
            if self._draw.random() >= self._share:
                return None
            fault = self._draw.choice(FAULTS)
            self.spoilt += 1
            delay = self._draw.uniform(0, LONGEST_DELAY)
        if fault is None:
            time.sleep(delay)
        return fault


def study_behind(proxy: Unreliable, server: str, folder: Path, kind: str, seed: int) -> Counts:
    """Run a study through the proxy, to its end; return what is wrong with it, read from the server itself."""
    name = f"network-{folder.name}"
    calls = folder / "calls"
    words = ["python", "trainee.py", "--lr", "{lr}", "--alpha", "{alpha}", "--calls", "{calls}"]
    run: dict[str, Any] = {kind: words if kind == "command" else "trainee:tuned", "parameters": {"calls": str(calls)}}
    more = {"space": SPACE, "strategy": {"name": "random", "seed": seed}, "stop": {"trials": TRIALS}, "workers": 2}
    path = study_file(folder, name=name, run=run, **more)
    shutil.copy(HERE / "trainee.py", folder)
    driver = start(["run", path, "--tracking-uri", proxy.uri], folder)
    code = driver.wait()
    parent, children = runs_of(server, name)
    found = Counts()
    ended = outcomes(children)
    ok = [number for number, _, outcome, _ in ended if outcome == "ok"]
    trained = set(map(str, points(children, "ok").values()))
    found.unfinished = int(code != 0 or parent is None or parent.info.status != "FINISHED")
    found.lost = TRIALS - len(set(ok))
    found.twice = len(ok) - len(set(ok)) + len(set(ok)) - len(trained)
    found.running = sum(status == "RUNNING" for *_, status in ended)
    found.orphans = len(driver.family())
    if found.wrong:
        print(f"{name}: exit code {code}, {ended}\n{driver.err.read_text()[-3000:]}")
    return found
