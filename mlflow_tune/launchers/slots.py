"""The slots in which a study's trials run on this machine, and that the trials of an earlier driver have left them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlflow_tune.errors import StudyConflict
from mlflow_tune.trial import Devices

WAIT_SECONDS = 20.0  # more than watchers take to end what a killed driver has left
_LOOK_SECONDS = 0.05


class Tenancy:
    """A file that the watchers of a driver's processes keep locked while there is anything that they watch.

    When a driver is killed its trials end a moment later, and some of them may use a device until then: whoever
    resumes the study on this machine waits for that.
    """

    def __init__(self) -> None:
        handle, path = tempfile.mkstemp(prefix="mlflow-tune-", suffix=".lock")
        self._inode = os.fstat(handle).st_ino
        os.close(handle)
        self._path = Path(path)

    def hold(self) -> int:
        """Return a file descriptor by which whoever inherits it keeps the file locked; -1 where there is no file."""
        try:
            descriptor = os.open(self._path, os.O_RDONLY)
        except OSError:  # somebody has tidied up: then nobody waits for us
            return -1
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        return descriptor

    def begin(self, study: str, seconds: float = WAIT_SECONDS) -> None:
        """Follow whoever drove this study, a run id, before: wait until nothing of its trials is left here.

        Raises StudyConflict when that takes too long.
        """
        name = hashlib.sha256(study.encode()).hexdigest()[:32]  # a run id is somebody else's text
        place = Path(tempfile.gettempdir()) / f"mlflow-tune-{name}.lock"
        deadline = time.monotonic() + seconds
        while _is_locked(place):
            if time.monotonic() > deadline:
                raise StudyConflict(
                    f"trials of the study's earlier driver still run on this machine and hold its devices ({place} is "
                    "locked by what watches them): end those processes, then resume the study"
                )
            time.sleep(_LOOK_SECONDS)
        with suppress(OSError):  # another user's file: then whoever follows us does not wait
            self._path.replace(place)
            self._path = place

    def close(self) -> None:
        """Remove the file, when nothing is left that might hold it, unless a later driver has put its own there."""
        with suppress(OSError):
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()


def _is_locked(path: Path) -> bool:
    """Whether anybody holds the file locked; one that cannot be opened is nobody's."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(opened)
    return False


@dataclass(frozen=True)
class Slots:
    """The slots of the trials that run at once: slot n has `devices[n]`, None where a study gives out none.

    Where there are devices, all processes of trials hold the `tenancy`. So many as `first` are needed at the start.
    """

    devices: Sequence[Devices | None] = ()
    tenancy: Tenancy | None = None
    first: int | None = None

    def of(self, slot: int) -> Devices | None:
        """Return the devices of a slot."""
        return self.devices[slot] if slot < len(self.devices) else None

    def begin(self, study: str) -> None:
        """Wait for the trials of an earlier driver of the study; raises StudyConflict when they do not end."""
        if self.tenancy is not None:
            self.tenancy.begin(study)
