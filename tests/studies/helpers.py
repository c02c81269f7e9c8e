"""What the tests of whole studies share: study files, `mlflow-tune` as a process, and what it left behind."""

from __future__ import annotations

import atexit
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import yaml

from tests.studies.zygote import Poll, Start

HERE = Path(__file__).parent
MARK = "TUNE_TEST_MARK"
SECONDS = 180.0
PYTHON = sys.executable


def wait_for(condition: Callable[[], Any], seconds: float = SECONDS) -> Any:
    """Return the condition's answer once it is true."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return answer


def study_folder(folder: Path) -> Path:
    """Make a folder that holds the code of the studies, and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("objectives.py", "train.py"):
        shutil.copy(HERE / name, folder)
    return folder


def study_file(folder: Path, **changes: Any) -> Path:
    """Write a study file beside a copy of its code: a grid of four points of one parameter, but for the changes."""
    definition = {
        "name": f"study-{uuid4().hex[:8]}",
        "run": {"function": "objectives:total"},
        "metric": "loss",
        "space": {"x": {"type": "int", "low": 1, "high": 4, "grid": [1, 2, 3, 4]}},
        "strategy": {"name": "grid"},
    }
    path = study_folder(folder) / "study.yaml"
    path.write_text(yaml.safe_dump({**definition, **changes}, sort_keys=False))
    return path


@dataclass
class Tune:
    """A process of `mlflow-tune`, the first of a session of its own: so what signals it as a terminal would hits it."""

    pid: int
    mark: str
    out: Path
    err: Path
    ask: Callable[[], int | None]
    code: int | None = None

    def poll(self) -> int | None:
        """Return the exit code, -N for signal N, None while the process runs."""
        self.code = self.ask() if self.code is None else self.code
        return self.code

    def signal(self, number: int) -> None:
        """Signal the process group, as a terminal does on Ctrl-C."""
        os.killpg(self.pid, number)

    def wait(self) -> int:
        """Return the exit code once the process has ended."""
        wait_for(lambda: self.poll() is not None)
        assert self.code is not None
        return self.code

    def said(self, words: str) -> None:
        """Wait until the process has said these words on standard error."""
        wait_for(lambda: words in self.err.read_text() or self._ended_without(words))

    def _ended_without(self, words: str) -> bool:
        code = self.poll()
        assert code is None or words in self.err.read_text(), f"ended with {code}:\n{self.err.read_text()}"
        return code is not None

    def family(self) -> list[psutil.Process]:
        """Return the processes other than this one that it, or one of its children, has started."""
        return [process for process in psutil.process_iter() if process.pid != self.pid and self._marked(process)]

    def _marked(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == self.mark
        except (psutil.Error, OSError):  # gone meanwhile, or a zombie
            return False

    @property
    def last_line(self) -> str:
        """The last line on standard output."""
        return self.out.read_text().splitlines()[-1]


def start(
    argv: Sequence[str | Path], folder: Path | str = ".", uri: str | None = None, installed: bool = False, **more: str
) -> Tune:
    """Start `mlflow-tune` with these arguments; or a Python file with its own, when the first is one.

    `uri` goes to MLFLOW_TRACKING_URI, `more` to the environment. `installed` starts the console script, else a process
    is forked that has imported MLflow already, which saves seconds.
    """
    mark = uuid4().hex
    out, err = (Path(folder) / f"{kind}-{mark}" for kind in ("out", "err"))
    environment = {**os.environ, MARK: mark, **({"MLFLOW_TRACKING_URI": uri} if uri else {}), **more}
    words = tuple(map(str, argv))
    if not installed:
        message = Start(words, str(Path(folder).resolve()), environment, str(out.resolve()), str(err.resolve()))
        pid = _zygote(message)
        wait_for(err.exists)
        return Tune(pid, mark, out, err, lambda: _zygote(Poll(pid)))
    command = [str(Path(PYTHON).with_name("mlflow-tune")), *words]
    with out.open("wb") as output, err.open("wb") as errors:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=errors, start_new_session=True
        )
    return Tune(process.pid, mark, out, err, process.poll)


def tune(argv: Sequence[str | Path], folder: Path | str = ".", uri: str | None = None, **more: Any) -> Tune:
    """Run `mlflow-tune` to its end."""
    process = start(argv, folder, uri, **more)
    process.wait()
    return process


def _zygote(message: Start | Poll) -> Any:
    connection = _zygote_connection()
    connection.send(message)
    return connection.recv()


@cache
def _zygote_connection() -> Connection:
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            [PYTHON, "-c", f"from tests.studies.zygote import main; main({theirs.fileno()})"],
            cwd=HERE.parents[1], pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def nothing_left(process: Tune) -> None:
    """Wait until nothing is left of what the process has started."""
    wait_for(lambda: not process.family(), 30)


def runs_of(uri: str, name: str) -> tuple[Any, list[Any]]:
    """Return the parent run of the newest study of this name and its children, oldest first, by MLflow's own client."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    parents = client.search_runs(experiments, f"tags.`tune.study` = '{name}'", order_by=["attributes.start_time DESC"])
    if not parents:
        return None, []
    query = f"tags.`mlflow.parentRunId` = '{parents[0].info.run_id}'"
    return parents[0], list(client.search_runs(experiments, query, order_by=["attributes.start_time ASC"]))


def outcomes(children: Sequence[Any]) -> list[tuple[int, int, str | None, str]]:
    """Return number, attempt, outcome and status of each child run, by number and attempt."""
    return sorted(
        (int(tags["tune.trial"]), int(tags["tune.attempt"]), tags.get("tune.outcome"), run.info.status)
        for run in children
        if (tags := run.data.tags)
    )


def points(children: Sequence[Any], outcome: str | None = None) -> dict[int, dict[str, Any]]:
    """Return the point of each trial by number, of those with this outcome where one is given."""
    return {
        int(run.data.tags["tune.trial"]): json.loads(run.data.tags["tune.params"])
        for run in children
        if outcome is None or run.data.tags.get("tune.outcome") == outcome
    }


def interrupt(process: Tune, number: int = signal.SIGINT) -> None:
    """Signal the process, run with `-v`, and wait until it has taken note."""
    process.signal(number)
    process.said("no new trials")
