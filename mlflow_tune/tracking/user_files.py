"""The files that a user has on this machine beside the store: in the XDG state folder, where nobody else may write."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def user_file(*parts: str) -> Path:
    """Return a file of this user's, in the XDG state folder. Raises RuntimeError without a home."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (state if state.is_absolute() else Path.home() / ".local" / "state").joinpath("mlflow-tune", *parts)


def open_user_file(path: Path, flags: int) -> int:
    """Open the file, whose mode is 600; one that is to be written has its folder made.

    Raises OSError for one that others may have written.
    """
    if flags & os.O_CREAT:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    status = os.fstat(descriptor)
    others = stat.S_IMODE(status.st_mode) & (stat.S_IWGRP | stat.S_IWOTH)
    if status.st_uid != os.geteuid() or others or not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise OSError(None, f"others may write {path}")
    return descriptor
