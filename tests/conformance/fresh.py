"""Asks strategies in fresh processes with another hash seed, each a fork of one that has imported what they need.

The forks have answered nothing before, and their hash seed is that of the process that they are forked from.
"""

from __future__ import annotations

import importlib
import os
import pickle
import signal
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

from tests.support.sharing import serve, shared


def elsewhere(seed: str, question: Sequence[Any]) -> Any:
    """Return the answer of another process with this hash seed; `question` is a strategy and what `suggest` takes."""
    connection = shared(f"fresh-{seed}", __name__, PYTHONHASHSEED=seed)
    connection.send((sys.path, pickle.dumps(question)))
    failed, answer = connection.recv()
    if failed:
        raise RuntimeError(answer)
    return answer


def main(descriptor: int, _: str) -> None:
    """Answer each question in a fork."""
    for name in ("mlflow_tune.strategies", "scipy.optimize", "skopt.learning"):
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    serve(descriptor, _fork)


def _fork(question: tuple[list[str], bytes], connection: Connection) -> None:
    if not os.fork():
        sys.path[:], asked = question
        connection.send(_answer(asked))
        os._exit(0)


def _answer(question: bytes) -> tuple[bool, Any]:
    try:
        strategy, *given = pickle.loads(question)
        return False, strategy.suggest(*given)
    except BaseException as error:
        return True, repr(error)
