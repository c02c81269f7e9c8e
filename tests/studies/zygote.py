"""Starts `mlflow-tune` processes without the seconds that importing MLflow takes: it has imported, so it forks.

A forked driver is a process like any other: it has its own session, signals, environment, folder and output, and ends
as the interpreter ends. `main` serves `Start` and `Poll` messages from a connection, whose end is its own.
"""

import importlib
import os
import runpy
import signal
import sys
import threading
from dataclasses import dataclass
from multiprocessing.connection import Connection

PRELOADED = (
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow_tune.cli.progress",
    "mlflow_tune.study",
    "numpy",
    "requests",
    "rich.progress",
    "rich.table",
    "tenacity",
)


@dataclass(frozen=True)
class Start:
    """Start `argv`: mlflow-tune's arguments, or a Python file and its own. The answer is the process id."""

    argv: tuple[str, ...]
    folder: str
    environment: dict[str, str]
    out: str
    err: str


@dataclass(frozen=True)
class Poll:
    """Ask for the exit code of a process: None while it runs, -N for signal N."""

    pid: int


def main(descriptor: int) -> None:
    """Serve until the connection with this file descriptor ends."""
    connection = Connection(descriptor)
    for name in PRELOADED:
        importlib.import_module(name)
    assert threading.active_count() == 1, "a fork would lose these threads"
    while True:
        try:
            message = connection.recv()
        except EOFError:
            return
        if isinstance(message, Poll):
            pid, status = os.waitpid(message.pid, os.WNOHANG)
            connection.send(os.waitstatus_to_exitcode(status) if pid else None)
        elif pid := os.fork():
            connection.send(pid)
        else:
            connection.close()
            become(message)


def become(start: Start) -> None:
    """Turn this process into the one that was asked for; end as an interpreter ends."""
    os.setsid()
    os.chdir(start.folder)
    os.environ.clear()
    os.environ.update(start.environment)
    for number, path in enumerate((os.devnull, start.out, start.err)):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(path, flags, 0o600), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if start.argv[0].endswith(".py"):
        sys.argv = list(start.argv)
        sys.path.insert(0, start.folder)
        runpy.run_path(start.argv[0], run_name="__main__")
        sys.exit()
    from mlflow_tune.cli import main as command

    command(list(start.argv), prog_name="mlflow-tune")
