"""Processes that serve all test processes: the first one that needs it starts it, and it ends with the last of them.

What is dear, importing MLflow above all, is then done once and not by each of pytest-xdist's processes.
"""

from __future__ import annotations

import fcntl
import gc
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.fixtures import ROOT


@cache
def shared(name: str, module: str, **environment: str) -> Connection:
    """Return a connection to the process `name`, which runs `main(descriptor, name)` of the module."""
    session = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    address = Path(tempfile.gettempdir()) / f"tests-{session[:16]}-{name}"
    with Path(f"{address}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            start(name, module, address, environment)
        client = socket.socket(socket.AF_UNIX)
        client.connect(str(address))
    return Connection(client.detach())


def start(name: str, module: str, address: Path, environment: Mapping[str, str]) -> None:
    """Start the process; whoever connects before it has imported waits for its first answer."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(address))
        listening.listen(64)
        # It is nobody's child: what others let it start would count as ours.
        away = "import os; os.fork() and os._exit(0)"
        command = f"{away}; from {module} import main; main({listening.fileno()}, {name!r})"
        subprocess.run(
            [sys.executable, "-c", command],
            cwd=ROOT,
            env={**os.environ, **environment},
            pass_fds=(listening.fileno(),),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            check=True,
        )


def serve(descriptor: int, handle: Callable[[Any, Connection], None]) -> None:
    """Let each message be handled, with the connection that it came by, until all clients have gone.

    A process that is forked meanwhile keeps nothing open but the connection of the message.
    """
    gc.freeze()  # no fork looks for garbage in what is imported
    listening = socket.socket(fileno=descriptor)
    clients: list[Connection] = []
    handling: Connection | None = None

    def close_all() -> None:
        listening.close()
        for client in clients:
            if client is not handling:
                client.close()

    os.register_at_fork(after_in_child=close_all)
    while True:
        for ready in wait([listening, *clients]):
            if ready is listening:
                clients.append(Connection(listening.accept()[0].detach()))
                continue
            try:
                message = ready.recv()
            except (EOFError, ConnectionError):
                ready.close()
                clients.remove(ready)
            else:
                handling = ready
                handle(message, ready)
        if not clients:
            address = listening.getsockname()
            Path(address).unlink()
            Path(f"{address}.lock").unlink()
            return
