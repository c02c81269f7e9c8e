"""How much memory a trial takes, and what happens when that is more than its limit."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from mlflow_tune.text.sizes import size_text, size_words

if TYPE_CHECKING:
    from psutil import Process

LOOK_SECONDS = 0.25
_SHARE = 20  # a look may take a twentieth of the time: where thousands of processes run, it takes long


class MemoryWatch:
    """Watches the memory of all descendants of the process `pid`: `limit` bytes of resident size, summed over them.

    What processes share counts for each of them. A peak between two looks is not seen.
    """

    def __init__(self, pid: int, limit: int) -> None:
        self._pid = pid
        self._limit = limit
        self._next_look = 0.0
        self._used = 0

    @property
    def reason(self) -> str:
        """Why the trial was ended, in words; "" when it was not."""
        if not self._used:
            return ""
        limit = size_text(self._limit, " ")
        return f"used {size_words(self._used)} of memory, more than its limit of {limit} (run.memory)"

    @property
    def half_used(self) -> bool:
        """Whether so much is taken now that a next trial would begin with half of its limit gone."""
        return _resident(self._descendants()) > self._limit / 2

    def exceeded(self) -> bool:
        """Return whether more than the limit is taken, or was before; kill all descendants then.

        They get no time to end by themselves: in that time they could take what the machine has.
        """
        began = time.monotonic()
        if self._used or began < self._next_look:
            return bool(self._used)
        found = self._descendants()
        size = _resident(found)
        ended = time.monotonic()
        self._next_look = ended + max(LOOK_SECONDS, _SHARE * (ended - began))
        if size > self._limit:
            self._used = size
            _kill(found)
        return bool(self._used)

    def _descendants(self) -> list[Process]:
        import psutil

        with suppress(psutil.Error):
            return psutil.Process(self._pid).children(recursive=True)
        return []


def _resident(processes: list[Process]) -> int:
    import psutil

    total = 0
    for process in processes:
        with suppress(psutil.Error):  # it has ended meanwhile
            total += process.memory_info().rss
    return total


def _kill(processes: list[Process]) -> None:
    import psutil

    for process in processes:
        with suppress(psutil.Error):
            process.kill()
