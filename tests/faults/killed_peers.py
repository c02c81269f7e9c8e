"""The same study under other tools, killed in the same way: `python -m tests.faults peers`.

Sixteen points of a grid are trained one after another, each for a moment. The process is killed at instants drawn from
a seed, and started again, as the documentation of each tool says to go on; in the end it is let live. A point is
trained again when the store had its result before the process that trains it was started.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.peers import FOREIGN, QUIET, ROOT, SCRIPTS
from tests.support.server import copy_store, make_template

KILLS = 4  # of each study
POINTS = 16
MOMENT = 1.5  # seconds after a trial of the new process has begun, within which it is killed
LONGEST = 300.0


@dataclass(frozen=True)
class Tool:
    """A way to tune: its script, and what it stores its trials in."""

    name: str
    script: str
    store: str
    ours: bool = False


TOOLS = [
    Tool("mlflow_tune", "mlflow_tune_killed", "SQLite, MLflow's tables", ours=True),
    Tool(
        "Optuna, RDBStorage with heartbeat and RetryFailedTrialCallback", "optuna_rdb_killed", "SQLite, its own tables"
    ),
    Tool("Optuna, mlflow.optuna.MlflowStorage", "optuna_mlflow_killed", "SQLite, MLflow's tables"),
]


@dataclass
class Result:
    """What became of some studies."""

    kills: int = 0
    again: int = 0
    twice: int = 0
    lost: int = 0
    left_open: int = 0

    @property
    def wrong(self) -> int:
        """How much went wrong."""
        return self.again + self.twice + self.lost + self.left_open

    def row(self, tool: str, store: str, studies: int) -> str:
        """Return it as a row of a table."""
        cells = (tool, store, studies, self.kills, self.again, self.twice, self.lost, self.left_open)
        return f"| {' | '.join(map(str, cells))} |"


def compared(tool: Tool, python: Path, home: Path, rounds: int, seed: int) -> Result:
    """Run so many studies of a tool, and kill each a few times."""
    home.mkdir()
    template = make_template(home / "template.db")
    found = Result()
    for number in range(rounds):
        folder = home / str(number)
        folder.mkdir()
        uri = copy_store(template, folder)
        draw = random.Random(1000 * seed + number)  # the same instants for each tool
        interpreter = sys.executable if tool.ours else str(python)
        _killed_study([interpreter, str(SCRIPTS / f"{tool.script}.py")], uri, folder, draw, found)
    return found


def _killed_study(command: list[str], uri: str, folder: Path, draw: random.Random, found: Result) -> None:
    for turn in range(KILLS):
        process = _start(command, uri, folder, turn)
        _wait(lambda seen=turn, run=process: _calls(folder, seen) or run.poll() is not None)
        time.sleep(draw.uniform(0, MOMENT))
        if process.poll() is None:
            found.kills += 1
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    last = _start(command, uri, folder, KILLS)
    if last.wait(LONGEST):
        raise RuntimeError((folder / f"log-{KILLS}").read_text()[-3000:])
    assert _start(command, uri, folder, KILLS + 1, report=True).wait(LONGEST) == 0
    for turn in range(KILLS + 1):
        known = _known(folder, turn)
        found.again += sum(point in known for point in _calls(folder, turn))
    known = _known(folder, KILLS + 1)
    found.twice += len(known) - len(set(known))
    found.lost += POINTS - len(set(known))
    found.left_open += int((folder / "open").read_text())


def _start(command: list[str], uri: str, folder: Path, turn: int, report: bool = False) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    environment |= {**QUIET, "MLFLOW_TRACKING_URI": uri, "PYTHONPATH": str(ROOT)}
    options = json.dumps({"folder": str(folder), "turn": turn, "report": report})
    with (folder / f"log-{turn}").open("wb") as log:
        return subprocess.Popen(
            [*command, options], cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
        )


def _known(folder: Path, turn: int) -> list[str]:
    """Return the points of the results that the process of this turn found in the store; none when it died before."""
    file = folder / f"known-{turn}"
    return list(json.loads(file.read_text())) if file.exists() else []


def _calls(folder: Path, turn: int) -> Counter[str]:
    """Return how often each point was trained to its end by the process of this turn."""
    file = folder / f"calls-{turn}"
    return Counter(file.read_text().splitlines()) if file.exists() else Counter()


def _wait(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.02)
