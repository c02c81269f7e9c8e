"""A thread that imports nothing, for the heartbeat beside training code.

With each request MLflow tries to import what Databricks has (dbruntime, pyspark, IPython), and searches the import path
in vain. Done while training code calls `mlflow.autolog()` in another thread, that ends in a deadlock: the one holds
Python's import lock and waits for the lock of MLflow's import hooks, the other holds these and imports.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class _NothingNew:
    """A finder that ends the search for a module in these threads, before any other finder is asked."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        if threading.get_ident() in self.threads:
            raise ModuleNotFoundError(f"this thread does not import {name}: another one may be importing", name=name)


_finder = _NothingNew()


@contextmanager
def nothing_imported() -> Iterator[None]:
    """Let this thread import what is loaded already, and find nothing else."""
    # MLflow puts its own finder first when the first hook is registered. Ours is not taken out again:
    # that would make an import of another thread leave one finder out.
    if sys.meta_path[0] is not _finder:
        sys.meta_path.insert(0, _finder)
    _finder.threads.add(threading.get_ident())
    try:
        yield
    finally:
        _finder.threads.discard(threading.get_ident())
