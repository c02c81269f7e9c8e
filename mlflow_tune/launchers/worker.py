"""A worker process: loads a function once, then calls it for one trial after the other.

It reads from a connection: first a `Setup`, which it answers with "" or with what is wrong, then `Call`s, which it
answers with outcomes. The end of the connection is the end of the worker. It never imports mlflow by itself.
"""

from __future__ import annotations

import importlib
import operator
import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from mlflow_tune.launchers.call import Objective, call, error_words, signature_problem
from mlflow_tune.launchers.main_module import Main, unpickled
from mlflow_tune.text import unknown
from mlflow_tune.trial import Job, Params

# The first message is the driver's sys.path, so that whatever the driver can import the worker can import too.
BOOTSTRAP = (
    "import sys; from multiprocessing.connection import Connection; connection = Connection(int(sys.argv[1])); "
    "sys.path[:] = connection.recv(); from mlflow_tune.launchers.worker import main; main(connection)"
)


@dataclass(frozen=True)
class Setup:
    """What a worker calls: `package.module:function`, or a function that was pickled; and with which names.

    `main` is the main module of the process that pickled it.
    """

    function: str | bytes
    names: tuple[str, ...]
    main: Main


@dataclass(frozen=True)
class Call:
    """One trial: all its parameters, and the name of the metric that a bare number stands for."""

    job: Job
    parameters: Params
    metric: str


class LoadError(Exception):
    """The function cannot be loaded; the message says why."""


def load(function: str | bytes, main: Main) -> Any:
    """Return the object that a `Setup` names or holds; LoadError when it cannot be had."""
    try:
        if isinstance(function, bytes):
            return unpickled(function, main)
        module_name, _, attribute = function.partition(":")
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:
        raise LoadError(_import_problem(function, error)) from error
    try:
        return operator.attrgetter(attribute)(module)
    except AttributeError:
        known = [name for name, value in vars(module).items() if callable(value) and not name.startswith("_")]
        message = unknown("function", attribute, known) if known else f"it has no function {attribute!r}"
        raise LoadError(f"in module {module_name!r} ({module.__file__}): {message}") from None


def _import_problem(function: str | bytes, error: BaseException) -> str:
    name = "the pickled function" if isinstance(function, bytes) else f"module {function.partition(':')[0]!r}"
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    if missing and isinstance(function, str) and f"{function.partition(':')[0]}.".startswith(f"{missing}."):
        return f"there is no {name} in {sys.path[0]!r} or elsewhere on sys.path"
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    return f"importing {name} failed: {error_words(error, frames)}"


def setup(message: Setup) -> tuple[Objective | None, str]:
    """Return the function and "", or None and what is wrong."""
    try:
        function = load(message.function, message.main)
    except LoadError as error:
        return None, str(error)
    problem = signature_problem(function, message.names)
    return (None, problem) if problem else (function, "")


def main(connection: Connection) -> None:
    """Serve the driver at the other end of the connection until it closes it."""
    os.set_inheritable(connection.fileno(), False)
    with suppress(EOFError, OSError):
        function, problem = setup(connection.recv())
        connection.send(problem)
        while function is not None:
            message: Call = connection.recv()
            outcome = call(function, message.parameters, message.job, message.metric)
            for stream in (sys.stdout, sys.stderr):
                with suppress(Exception):
                    stream.flush()
            connection.send(outcome)
