"""Who holds a study: a process on some machine, as far as another process can tell."""

from __future__ import annotations

import getpass
import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import psutil

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_SLACK = 2.0  # seconds by which two readings of a process's start may differ


@dataclass(frozen=True)
class Holder:
    """A process: the boot of its machine, its PID namespace, PID and start (seconds since the epoch), host and user.

    `nonce` tells apart two claims of one process.
    """

    boot: str
    namespace: str
    pid: int
    started: float
    host: str
    user: str
    nonce: str
    since: int = 0

    @classmethod
    def here(cls, since: int) -> Holder:
        """Return this process; `since` is when it claims, in milliseconds since the epoch."""
        pid = os.getpid()
        return cls(*_place(), pid, _started(pid), socket.gethostname(), _user(), os.urandom(8).hex(), since)

    @classmethod
    def read(cls, text: str) -> Holder | None:
        """Return the holder that `text` describes, None when it describes none."""
        with suppress(ValueError, TypeError, KeyError):
            form = json.loads(text)
            return cls(**{name: kind(form[name]) for name, kind in _KINDS.items()})
        return None

    def to_text(self) -> str:
        """Return the form that `read` reads."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @property
    def words(self) -> str:
        """Who it is, for people."""
        since = datetime.fromtimestamp(self.since / 1000).strftime("%Y-%m-%d %H:%M:%S")
        return f"{self.user} on {self.host} (process {self.pid}), since {since}"

    @property
    def gone(self) -> bool:
        """Whether the process has certainly ended: it was on this machine and in this namespace, and is not there."""
        if not self.boot or (self.boot, self.namespace) != _place():
            return False
        try:
            return abs(_started(self.pid) - self.started) > _SLACK
        except psutil.NoSuchProcess:
            return True
        except psutil.Error:
            return False


_KINDS = {
    "boot": str, "namespace": str, "pid": int, "started": float, "host": str, "user": str, "nonce": str, "since": int,
}  # fmt: skip


def _place() -> tuple[str, str]:
    """Return the boot and the PID namespace, empty where the system does not tell them."""
    with suppress(OSError):
        return _BOOT.read_text().strip(), os.readlink(_NAMESPACE)  # noqa: PTH115  # no file is behind this link
    return "", ""


def _started(pid: int) -> float:
    process = psutil.Process(pid)
    if process.status() == psutil.STATUS_ZOMBIE:
        raise psutil.NoSuchProcess(pid)
    return float(process.create_time())


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        return f"user {os.getuid()}"
