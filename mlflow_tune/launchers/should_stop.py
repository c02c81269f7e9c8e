"""What a Python objective may ask while it trains: whether its trial is hopeless, so that it should return."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

_asked: list[Callable[[], bool]] = []  # of the trial that runs in this process, if any


def should_stop() -> bool:
    """Return whether the trial that runs in this very process should end now: return from the objective then.

    For an objective that a study calls in its own process, whose trials nothing else can stop; to be asked after each
    step, when the metric is logged. Elsewhere it is always False: worker processes and commands are ended from outside.
    """
    return bool(_asked) and _asked[-1]()


@contextmanager
def answering(answer: Callable[[], bool]) -> Iterator[None]:
    """Answer what the objective asks, for as long as it runs."""
    _asked.append(answer)
    try:
        yield
    finally:
        _asked.pop()
