"""`mlflow-tune` at a real terminal: a pseudo-terminal, as a shell's child has one."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def plain(screen: str) -> str:
    """Return the text without control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen).replace("\r\n", "\n")


# The first process of a session gets its terminal, as a shell's child has one.
AT_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def at_terminal(words: list, uri: str, meanwhile: Callable[[int], None] = lambda _: None) -> tuple[str, int]:
    """Run `mlflow-tune` at a terminal; return what the screen got and the exit code. `meanwhile` may press keys."""
    command = [sys.executable, "-c", AT_TERMINAL, str(Path(sys.executable).with_name("mlflow-tune")), *map(str, words)]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": uri, "TERM": "xterm-256color", "COLUMNS": "160"}
    terminal, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as process:
        os.close(theirs)
        screen = bytearray()
        with contextlib.suppress(OSError):  # how Linux tells the end
            while True:
                meanwhile(terminal)
                if select.select([terminal], [], [], 0.1)[0]:
                    screen += os.read(terminal, 2**16)
        os.close(terminal)
    return screen.decode(), process.returncode
