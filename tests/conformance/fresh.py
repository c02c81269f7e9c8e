"""Asks strategies in fresh processes with another hash seed, each a fork of one that has imported what they need.

The forks have answered nothing before, and their hash seed is that of the process that they are forked from.
"""

from __future__ import annotations

import atexit
import importlib
import os
import pickle
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from tests.fixtures import ROOT


def elsewhere(seed: str, question: Sequence[Any]) -> Any:
    """Return the answer of another process with this hash seed; `question` is a strategy and what `suggest` takes."""
    connection = started(seed)
    connection.send_bytes(pickle.dumps(question))
    failed, answer = pickle.loads(connection.recv_bytes())
    if failed:
        raise RuntimeError(answer)
    return answer


@cache
def started(seed: str) -> Connection:
    ours, theirs = Pipe()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-c", f"from tests.conformance.fresh import main; main({theirs.fileno()})"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def main(descriptor: int) -> None:
    """Fork for each question, until the connection ends."""
    for name in ("mlflow_tune.strategies", "scipy.optimize", "skopt.learning"):
        importlib.import_module(name)

    connection = Connection(descriptor)
    while True:
        try:
            question = connection.recv_bytes()
        except EOFError:
            return
        if not (pid := os.fork()):
            connection.send_bytes(pickle.dumps(_answer(question)))
            os._exit(0)
        os.waitpid(pid, 0)


def _answer(question: bytes) -> tuple[bool, Any]:
    try:
        strategy, *given = pickle.loads(question)
        return False, strategy.suggest(*given)
    except BaseException as error:
        return True, repr(error)
