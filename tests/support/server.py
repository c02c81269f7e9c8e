"""Real MLflow stores for the tests: a new SQLite store in no time, and a `mlflow server` process."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil

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
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@contextlib.contextmanager
def mlflow_server(template: Path, folder: Path) -> Iterator[str]:
    """Run `mlflow server` on a copy of the template, as few processes as it can do with; yield its URI."""
    store, port = copy_store(template, folder), free_port()
    connection = sqlite3.connect(folder / "mlflow.db")
    connection.execute("UPDATE experiments SET artifact_location = 'mlflow-artifacts:/0'")
    connection.commit()
    connection.close()
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--backend-store-uri", store, "--artifacts-destination", str(folder / "artifacts")]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **SERVER_ENVIRONMENT}, stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    try:
        uri = f"http://127.0.0.1:{port}"
        _wait_for(uri, process, folder / "server.log")
        yield uri
    finally:
        end_tree(process)


def end_tree(process: subprocess.Popen[bytes]) -> None:
    """Kill the process and all its descendants, and wait for them."""
    with contextlib.suppress(psutil.NoSuchProcess):
        tree = psutil.Process(process.pid)
        members = [tree, *tree.children(recursive=True)]
        for member in members:
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(members, timeout=20)
    process.wait()


def _wait_for(uri: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{uri}/health", timeout=5).close()
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"the MLflow server did not start: {log.read_text(errors='replace')[-3000:]}")
        time.sleep(0.1)
