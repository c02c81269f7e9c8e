"""Real MLflow stores for the tests: a new SQLite store in no time, and a `mlflow server` process."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tests.fixtures.small_studies.zygote import SERVER, Poll, Start, ask

START_SECONDS = 120.0
SERVER_ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


def make_template(path: Path) -> Path:
    """Make an empty SQLite store; MLflow's migrations take seconds, so one a session is copied for all tests."""
    from mlflow_tune.tracking import Client

    Client(f"sqlite:///{path}")
    return path


def copy_store(template: Path, folder: Path) -> str:
    """Return the URI of a new store in `folder`, whose artifacts lie beside it."""
    path = folder / "mlflow.db"
    shutil.copyfile(template, path)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE experiments SET artifact_location = ?", (str(folder / "mlruns" / "0"),))
    connection.commit()
    connection.close()
    return f"sqlite:///{path}"


def free_port() -> int:
    """Return a port of the loopback interface that is free now, and that no outgoing connection is given."""
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as found, contextlib.suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no port is free")


@dataclass
class Server:
    """A process of MLflow's server on the store mlflow.db of a folder, as few processes as it can do with.

    It is forked, which saves the seconds of its imports; with `options`, those of the command line, it is
    `mlflow server` itself. `more` is added to its environment.
    """

    folder: Path
    options: Sequence[str] = ()
    more: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    pid: int | None = None

    @property
    def uri(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> str:
        """The store behind the server, which can be read while it is away."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        environment = {**os.environ, **SERVER_ENVIRONMENT, **self.more}
        self._poll = self._start_command(environment) if self.options else self._fork(environment)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"the MLflow server did not start: {log[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Kill the server and all its processes at once, and wait until they are gone."""
        if self.pid is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            tree = psutil.Process(self.pid)
            children = tree.children(recursive=True)
            for member in (tree, *children):
                with contextlib.suppress(psutil.NoSuchProcess):
                    member.kill()
            psutil.wait_procs(children, timeout=20)
        while self._poll() is None:
            time.sleep(0.005)
        self.pid = None

    def _fork(self, environment: dict[str, str]) -> Callable[[], int | None]:
        environment |= {
            "_MLFLOW_SERVER_FILE_STORE": self.store,
            "_MLFLOW_SERVER_REGISTRY_STORE": self.store,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": str(self.folder / "artifacts"),
        }
        log = str(self.folder / "server.log")
        pid = ask(SERVER, Start((SERVER, str(self.port)), str(self.folder), environment, log, log))
        self.pid = pid
        return lambda: ask(SERVER, Poll(pid))

    def _start_command(self, environment: dict[str, str]) -> Callable[[], int | None]:
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--backend-store-uri", self.store, *self.options]
        with (self.folder / "server.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self.pid = process.pid
        return process.poll

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):  # an error's answer, too: it is not ready then
            urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
            return True
        return False

    def __enter__(self) -> Server:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


@contextlib.contextmanager
def mlflow_server(template: Path, folder: Path) -> Iterator[str]:
    """Run a server on a copy of the template; yield its URI."""
    copy_store(template, folder)
    connection = sqlite3.connect(folder / "mlflow.db")
    connection.execute("UPDATE experiments SET artifact_location = 'mlflow-artifacts:/0'")
    connection.commit()
    connection.close()
    with Server(folder) as server:
        yield server.uri
