"""Who holds a study: a process on some machine, as far as another process can tell."""

from __future__ import annotations

import getpass
import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path

from mlflow_tune.text import short
from mlflow_tune.tracking.records import new_nonce

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


HOLDER_PREFIX = "tune.holder."  # of the tag that describes one; its nonce follows


@dataclass(frozen=True)
class Holder:
    """A process: the boot of its machine, its PID namespace, PID and start (seconds after the boot), host and user.

    `nonce` tells apart two claims of one process, `lease` is how many seconds its heartbeat may stand still. `boot` is
    empty where the system does not tell it, as on macOS.
    """

    boot: str
    namespace: str
    pid: int
    started: float
    host: str
    user: str
    nonce: str
    since: int = 0
    lease: float = 0.0

    @classmethod
    def here(cls, since: int, lease: float) -> Holder:
        """Return this process; `since` is when it claims, in milliseconds since the epoch."""
        pid = os.getpid()
        return cls(*_place(), pid, _process(pid)[1], socket.gethostname(), user_here(), new_nonce(), since, lease)

    @classmethod
    def read(cls, text: str) -> Holder:
        """Return the holder that `text` describes; `UNKNOWN` when it describes none, for it is a claim all the same."""
        with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
            form = json.loads(text)
            return cls(**{name: kind(form[name]) for name, kind in _KINDS.items()})
        return UNKNOWN

    def to_text(self) -> str:
        """Return the form that `read` reads."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @property
    def words(self) -> str:
        """Who it is, for people."""
        if self == UNKNOWN:
            return "somebody whose claim cannot be read"
        since = ""
        with suppress(ValueError, OverflowError, OSError):
            since = datetime.fromtimestamp(self.since / 1000).strftime(", since %Y-%m-%d %H:%M:%S")
        return f"{short(self.user, 100)} on {short(self.host, 100)} (process {self.pid}){since}"

    @property
    def gone(self) -> bool:
        """Whether the process has certainly ended: it was on this machine and in this namespace, and is not there.

        A process of the same number that began at another time is another one, and a zombie has ended.
        """
        if not self.boot or self.pid < 1 or (self.boot, self.namespace) != _place():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except (OSError, OverflowError):  # it is another user's; or no process has such a number, and the claim lies
            pass
        state, started = _process(self.pid)
        return state in _ENDED or (bool(state) and started != self.started)


_MAKER = ("boot", "namespace", "pid", "started")
UNKNOWN = Holder("", "", 0, 0.0, "", "", "")
_ENDED = ("Z", "X")
_KINDS = {
    "boot": str,
    "namespace": str,
    "pid": int,
    "started": float,
    "host": str,
    "user": str,
    "nonce": str,
    "since": int,
    "lease": float,
}


def maker_here() -> str:
    """Return this process as a tag of a run that it makes, by which others know when it is gone."""
    here = asdict(Holder.here(0, 0.0))
    return json.dumps({name: here[name] for name in _MAKER}, separators=(",", ":"))


def maker_gone(text: str) -> bool:
    """Whether the process has certainly ended that such a tag tells of."""
    with suppress(ValueError, TypeError, KeyError, OverflowError, RecursionError):
        form = json.loads(text)
        found = {name: _KINDS[name](form[name]) for name in _MAKER}
        return replace(UNKNOWN, **found).gone
    return False


def _place() -> tuple[str, str]:
    """Return the boot and the PID namespace, empty where the system does not tell them."""
    with suppress(OSError):
        return _BOOT.read_text().strip(), os.readlink(_NAMESPACE)  # noqa: PTH115  # no file is behind this link
    return "", ""


def _process(pid: int) -> tuple[str, float]:
    """Return the state of a process and its start in seconds after the boot; "" where the system does not tell.

    That does not move when the machine's clock is set, as the time of day does that psutil makes of it.
    """
    with suppress(OSError, ValueError, IndexError):
        # proc(5): the name, in brackets, may hold anything; state is field 3 and starttime field 22.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        return fields[0], int(fields[19]) / os.sysconf("SC_CLK_TCK")
    return "", 0.0


def user_here() -> str:
    """Return the user whom this process runs for."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in containers
        return f"user {os.getuid()}"
