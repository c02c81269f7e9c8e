"""The console for people: standard output, or standard error; it outlives whoever reads along."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 1000


def console_for_people(on_stderr: bool = False) -> Console:
    """Return the console for people: standard output, or standard error beside what a program reads."""
    from rich.console import Console

    class Steadfast(Console):
        def on_broken_pipe(self) -> None:
            # Whoever read along has left (`| head`): no reason for the study to end.
            self.quiet = True
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.file.fileno())

    found = Steadfast(stderr=on_stderr, highlight=False, markup=False, emoji=False)
    if not found.is_terminal:
        # a file or a pipe has no edge at which to cut a run id, or to wrap a sentence
        found.width = WIDE
        found.soft_wrap = True
    return found


def print_whole(shown: Console, text: str) -> None:
    """Print a command, link or path on a line of its own, which is not wrapped: so it can be copied from a terminal."""
    shown.print(text, soft_wrap=True)
