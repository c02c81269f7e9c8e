"""Linear algebra in one thread: models of some hundred trials gain nothing from more, and wait for each other's.

Where trials or other people use the processors as well, more threads make a fit ten times slower.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Iterator[None]:
    """Let numpy and scipy use one thread; the number is that of before at the end."""
    with _libraries().limit(limits=1, user_api="blas"):
        yield


@cache
def _libraries() -> ThreadpoolController:
    return ThreadpoolController()
