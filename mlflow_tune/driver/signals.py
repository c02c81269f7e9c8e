"""Ctrl-C and SIGTERM while a study is driven: noted, and heeded by the loop when it is ready."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

_KILL = (signal.SIGTERM, signal.SIGHUP)


class Signals:
    """Counts what a person asks for while the context is open.

    `level` is 0 while nothing was asked, 1 after one Ctrl-C (start no new trial), 2 after another one, SIGTERM or
    SIGHUP (kill those that run). Code that runs in this very thread, as `busy` tells, is interrupted at level 2 by
    KeyboardInterrupt: nothing else could stop it. Outside the main thread signals are left alone. Two functions are
    called in threads of their own: `notice` at level 1, to tell what is waited for, and `abandon` at level 2, to end a
    wait for the tracking server.
    """

    def __init__(self, busy: Callable[[], bool], abandon: Callable[[], None]) -> None:
        self.level = 0
        self.signal: int | None = None
        self.notice: Callable[[], None] = lambda: None
        self._busy = busy
        self._abandon = abandon
        self._before: dict[int, Any] = {}

    @property
    def name(self) -> str:
        """The signal in words."""
        return "Ctrl-C" if self.signal == signal.SIGINT else signal.Signals(self.signal or 0).name

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, *_KILL):
                # A process that was started to ignore a signal (nohup) goes on ignoring it.
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.signal = self.signal or number
        self.level = 2 if number in _KILL else self.level + 1
        # What these need may be locked just now by this very thread.
        threading.Thread(target=self._abandon if self.level > 1 else self.notice, daemon=True).start()
        if self.level > 1 and self._busy():
            raise KeyboardInterrupt
