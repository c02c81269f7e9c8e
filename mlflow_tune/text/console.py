"""The console for people: standard output, or standard error; a command, link or path on a line of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from mlflow_tune.text.output import safe_console

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 1000


def console_for_people(on_stderr: bool = False) -> Console:
    """Return the console for people: standard output, or standard error beside what a program reads."""
    found = safe_console(sys.stderr if on_stderr else sys.stdout)
    if not found.is_terminal:
        # a file or a pipe has no edge at which to cut a run id, or to wrap a sentence
        found.width = WIDE
        found.soft_wrap = True
    return found


def print_whole(shown: Console, text: str) -> None:
    """Print a command, link or path on a line of its own, which is not wrapped: so it can be copied from a terminal."""
    shown.print(text, soft_wrap=True)
