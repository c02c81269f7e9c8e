"""A study whose every process is killed, and what is counted of it: `python -m tests.faults kills`.

One study for each kind of training code and each store. Its driver and the commands around it (`enqueue`,
`adopt --copy`, `compare`, `try`) are started and killed with SIGKILL at instants that are drawn from a seed; in the end
one command of each kind is let live. Then are counted: results lost, points run twice, runs left open, processes left.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tests.fixtures.small_studies.helpers import Tune, start, study_file

HERE = Path(__file__).parent
KINDS = ("function", "command", "project")
PROJECT = """\
name: killed
entry_points:
  main:
    parameters: {lr: float, alpha: float, calls: string}
    command: "python trainee.py --lr {lr} --alpha {alpha} --calls {calls}"
"""
LR, ALPHA = (0.001, 0.01, 0.05), (0.1, 1.0, 5.0)
GRID = [(lr, alpha) for lr in LR for alpha in ALPHA]
MADE_BY_HAND = [(0.002, 0.5), (0.02, 0.5)]
SPACE = {
    "lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True, "grid": list(LR)},
    "alpha": {"type": "float", "low": 0.01, "high": 10.0, "log": True, "grid": list(ALPHA)},
}
LONGEST = 4.0  # seconds within which a process is killed, less once one of its kind has ended within them
AT_WORK = 0.7  # of the drivers: they are killed soon after the start of a trial
MOMENT = 1.5  # seconds
COMMANDS = ("enqueue", "adopt", "compare", "try")
Point = tuple[float, float]


@dataclass
class Counts:
    """What went wrong, of so many kills."""

    kills: Counter[str] = field(default_factory=Counter)
    lost: int = 0
    twice: int = 0
    running: int = 0
    orphans: int = 0
    unfinished: int = 0

    @property
    def wrong(self) -> int:
        """How much went wrong."""
        return self.lost + self.twice + self.running + self.orphans + self.unfinished

    def __iadd__(self, other: Counts) -> Counts:
        self.kills += other.kills
        self.lost += other.lost
        self.twice += other.twice
        self.running += other.running
        self.orphans += other.orphans
        self.unfinished += other.unfinished
        return self

    def row(self, *before: object) -> str:
        """Return it as a row of a table."""
        killed = ", ".join(f"{count} {what}" for what, count in sorted(self.kills.items()))
        cells = [*before, f"{self.kills.total()} ({killed})", self.lost, self.twice, self.running, self.orphans]
        return f"| {' | '.join(map(str, cells))} |"


HEAD = (
    "| store | training code | kills | lost | twice | RUNNING | orphans |\n| --- | --- | --- | --- | --- | --- | --- |"
)


class Campaign:
    """One study in an experiment of its own at the store `uri`; its code lies in `folder`."""

    def __init__(self, uri: str, kind: str, folder: Path, seed: int) -> None:
        self.uri = uri
        self.name = f"{kind}-{folder.name}"
        self.folder = folder
        self.calls = folder / "calls"
        self.counts = Counts()
        self._draw = random.Random(seed)
        self._next = 0
        self._longest = dict.fromkeys(("driver", *COMMANDS), LONGEST)
        self._finished: dict[int, str] = {}
        self._asked: set[Point] = set()
        self.path = study_file(
            folder, name=self.name, experiment=self.name, run=self._run(kind), space=SPACE, workers=2
        )
        shutil.copy(HERE / "trainee.py", folder)
        (folder / "MLproject").write_text(PROJECT)
        self._make_by_hand()
        assert self._tune("run", self._peer(folder / "peer")).code == 0

    def _run(self, kind: str) -> dict[str, Any]:
        words = [sys.executable, "trainee.py", "--lr", "{lr}", "--alpha", "{alpha}", "--calls", "{calls}"]
        code = {"function": "trainee:tuned", "command": words, "project": "."}[kind]
        return {kind: code, "parameters": {"calls": str(self.calls)}}

    def _peer(self, folder: Path) -> Path:
        """Write the file of another study of the experiment, to compare with."""
        space = {"x": {"type": "int", "low": 1, "high": 2, "grid": [1, 2]}}
        return study_file(folder, name=f"{self.name}-peer", experiment=self.name, space=space)

    def _make_by_hand(self) -> None:
        """Make the runs that are to be adopted."""
        client = self._client
        there = client.get_experiment_by_name(self.name)
        experiment_id = there.experiment_id if there else client.create_experiment(self.name)
        for lr, alpha in MADE_BY_HAND:
            run_id = client.create_run(experiment_id, tags={"by": "hand"}).info.run_id
            client.log_param(run_id, "lr", lr)
            client.log_param(run_id, "alpha", alpha)
            client.log_metric(run_id, "loss", lr + alpha)
            client.set_terminated(run_id)

    @property
    def _client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.uri)

    def _tune(self, *words: str | Path) -> Tune:
        done = start([*words, "--tracking-uri", self.uri], self.folder)
        while done.poll() is None:  # however long it takes on a machine that is busy
            time.sleep(0.05)
        self._end(done)
        return done

    def run(self, kills: int) -> Counts:
        """Kill so many processes, then let the study come to its end; return the counts."""
        while self.counts.kills.total() < kills:
            turn = self.counts.kills.total()
            self._kill("driver" if turn % 2 == 0 or not self._made else COMMANDS[turn // 2 % len(COMMANDS)])
            self._look()
        self._finish()
        return self.counts

    @property
    def _made(self) -> bool:
        return bool(self._parents())

    def _words(self, what: str) -> list[str | Path]:
        if what in ("enqueue", "try"):
            self._next += 1
            lr, alpha = round(0.003 + self._next / 10_000, 6), 0.25
            self._asked.add((lr, alpha))
            return [what, self.name, "-P", f"lr={lr}", "-P", f"alpha={alpha}"]
        return {
            "driver": ["resume", self.name] if self._made else ["run", self.path],
            "adopt": ["adopt", self.name, "--filter", "tags.by = 'hand'", "--copy"],
            "compare": ["compare", self.name, f"{self.name}-peer"],
        }[what]

    def _kill(self, what: str) -> None:
        """Start a process and kill it; one that has ended before was not killed, and is not counted."""
        process = start([*self._words(what), "--tracking-uri", self.uri], self.folder)
        if what == "driver" and self._draw.random() < AT_WORK:
            self._wait_for_a_child(process)
            time.sleep(self._draw.uniform(0, MOMENT))
        else:
            time.sleep(self._draw.uniform(0.1, 1.0) * self._longest[what])
        if process.poll() is None:
            process.signal(signal.SIGKILL)
            self.counts.kills[what] += 1
        else:
            self._longest[what] = max(0.8 * self._longest[what], 0.2)
        process.wait()
        self._end(process)

    def _wait_for_a_child(self, process: Tune) -> None:
        """Wait until the driver has started a trial more, or has ended."""
        before = len(self._children())
        while len(self._children()) <= before and process.poll() is None:
            time.sleep(0.05)

    def _end(self, process: Tune) -> None:
        """Count what a process has left that lives on, and end that."""
        deadline = time.monotonic() + 20
        while (left := process.family()) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.counts.orphans += len(left)
        for each in left:
            with suppress(psutil.Error):
                each.kill()

    def _look(self) -> None:
        """Count what was finished before and is not so now, or has run again since."""
        ok = [run for run in self._children() if run.data.tags.get("tune.outcome") == "ok"]
        found = {int(run.data.tags["tune.trial"]): run.info.run_id for run in ok}
        self.counts.lost += sum(found.get(number) != run_id for number, run_id in self._finished.items())
        self._finished = found

    def _finish(self) -> None:
        for what in ("adopt", "driver", "compare"):
            code = self._tune(*self._words(what)).code
            assert code == 0 or (what == "adopt" and code == 1), (what, code, self.folder)  # all are adopted already
        self._look()
        self._count()

    def _count(self) -> None:
        """Count what is missing, what is there twice, and what is open."""
        children = self._children()
        ok = [run for run in children if run.data.tags.get("tune.outcome") == "ok"]
        points = Counter(self._point(run) for run in ok)
        queued = {self._point(run) for run in children} & self._asked
        wanted = {*GRID, *MADE_BY_HAND, *queued}
        self.counts.lost += sum(point not in points for point in wanted)
        self.counts.twice += sum(count - 1 for count in points.values())
        self.counts.twice += len(ok) - len({run.data.tags["tune.trial"] for run in ok})
        self.counts.twice += sum(number > 1 for number in self._calls_after_the_end(ok).values())
        self.counts.running += sum(run.info.status in ("RUNNING", "SCHEDULED") for run in self._runs())

    def _calls_after_the_end(self, ok: list[Any]) -> Counter[Point]:
        """Return how often the code came to its end for each point, less those ends that no driver lived to write."""
        lines = self.calls.read_text().splitlines() if self.calls.exists() else []
        calls = Counter((float(lr), float(alpha)) for lr, alpha in map(str.split, lines))
        interrupted = Counter(
            self._point(run) for run in self._children() if run.data.tags.get("tune.outcome") == "interrupted"
        )
        return calls - interrupted

    def _point(self, run: Any) -> Point:
        point = json.loads(run.data.tags["tune.params"])
        return float(point["lr"]), float(point["alpha"])

    def _runs(self) -> list[Any]:
        experiment = self._client.get_experiment_by_name(self.name)
        return list(self._client.search_runs([experiment.experiment_id], max_results=5000))

    def _parents(self) -> list[Any]:
        experiment = self._client.get_experiment_by_name(self.name)
        return list(self._client.search_runs([experiment.experiment_id], f"tags.`tune.study` = '{self.name}'"))

    def _children(self) -> list[Any]:
        parents = {run.info.run_id for run in self._parents()}
        return [run for run in self._runs() if run.data.tags.get("mlflow.parentRunId") in parents]
