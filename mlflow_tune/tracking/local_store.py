"""The local SQLite store, made whole or not at all: a kill while it is made leaves nothing in its way."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mlflow_tune.errors import InputError

logger = logging.getLogger(__name__)
SQLITE = "sqlite:///"
FRESH = ".mlflow-new-"


def make_sqlite_store(path: Path) -> None:
    """Make the store in this file where it is missing, and sweep what killed makers have left beside it.

    MLflow migrates a new store step by step, and a kill in the middle ruins the file for good: so it is made elsewhere
    and linked into place, which also lets one of several makers win. Raises InputError when it cannot be made.
    """
    _sweep(path.parent)
    if path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    logger.info("making the local store %s", path)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _fresh_folder(path.parent) as folder:
            fresh = folder / path.name
            store = SqlAlchemyStore(f"{SQLITE}{fresh}", str(path.parent / "mlruns"))
            store.engine.dispose()
            try:
                os.link(fresh, path)
            except OSError:  # another maker was faster, or the file system has no hard links
                if not path.exists():
                    fresh.rename(path)
    except OSError as error:
        raise InputError(f"the local store {path} cannot be made: {error.strerror}") from error


@contextlib.contextmanager
def _fresh_folder(parent: Path) -> Iterator[Path]:
    """Give a folder that is locked for as long as its maker lives, and removed at the end."""
    with _locked(parent):  # whoever sweeps finds it locked, or not there yet
        folder = tempfile.TemporaryDirectory(dir=parent, prefix=FRESH)
        descriptor = _lock(Path(folder.name), fcntl.LOCK_EX)
    with folder as name:
        try:
            yield Path(name)
        finally:
            if descriptor is not None:
                os.close(descriptor)


def _sweep(parent: Path) -> None:
    """Remove the folders whose makers were killed: nobody has them locked. Of another user's they stay."""
    if not any(parent.glob(f"{FRESH}*")):
        return
    with _locked(parent):
        for folder in parent.glob(f"{FRESH}*"):
            if (descriptor := _lock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(descriptor)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = _lock(folder, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock(folder: Path, how: int) -> int | None:
    """Lock a folder until the file descriptor that is returned is closed; None when it cannot be had.

    A lock of flock(2) goes with its process; some network file systems have none.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, how)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
