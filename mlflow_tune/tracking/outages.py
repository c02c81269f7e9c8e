"""When the tracking server was away, as one connection met it."""

from __future__ import annotations

import threading
import time
from collections import deque

BEFORE, AFTER = 5.0, 10.0  # seconds: it was away before we noticed, and whoever gave up takes a moment to end
KEPT = 100


class Outages:
    """The stretches of time between the first request that failed and the next that was answered.

    Moments are seconds of `time.monotonic()`. All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None
        self._told = False
        self._past: deque[tuple[float, float]] = deque(maxlen=KEPT)

    def failed(self) -> None:
        """Note that a request found no server."""
        with self._lock:
            if self._since is None:
                self._since, self._told = time.monotonic(), False

    def answered(self) -> float | None:
        """Note that a request was answered; return how long the outage was that a person was told of and that ends."""
        if self._since is None:  # the way of nearly every request
            return None
        with self._lock:
            if self._since is None:
                return None
            since, now, told = self._since, time.monotonic(), self._told
            self._past.append((since, now))
            self._since = None
            return now - since if told else None

    def tell(self) -> bool:
        """Return whether a person has still to be told of this outage, which is asked once."""
        with self._lock:
            told, self._told = self._told, True
            return not told

    def near(self, moment: float) -> bool:
        """Return whether the server was away at this moment, or so shortly before or after that it may be the cause."""
        with self._lock:
            stretches = [*self._past, *([] if self._since is None else [(self._since, time.monotonic())])]
        return any(since - BEFORE <= moment <= until + AFTER for since, until in stretches)
