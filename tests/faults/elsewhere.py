"""Run `mlflow-tune` as if on another machine: `elsewhere.py HOST ARGUMENT...`.

As root on Linux it gets UTS, PID and mount namespaces of its own, as in a container: another host name, and none of
the processes outside. Where the kernel refuses, what `Holder` reads is replaced, and standard error says so first.
"""

import ctypes
import os
import signal
import socket
import sys
from pathlib import Path

NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x20000000  # CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID: unshare(2)
PRIVATE = 0x4000 | 0x40000  # MS_REC, MS_PRIVATE: mount(2)


def main(host: str, arguments: list[str]) -> None:
    """Become process 1 of another machine, or pretend to."""
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and libc.unshare(NEW_NAMESPACES) == 0:
        if pid := os.fork():
            end_like(pid)
        assert libc.mount(b"none", b"/", None, PRIVATE, None) == 0
        assert libc.mount(b"proc", b"/proc", b"proc", 0, None) == 0
        socket.sethostname(host)
    else:
        from mlflow_tune.tracking import holder

        print(f"no namespaces of its own: {os.strerror(ctypes.get_errno())}", file=sys.stderr)
        boot = Path("/proc/sys/kernel/random/boot_id")
        place = boot.read_text().strip() if boot.exists() else "", f"namespace of {host}"
        holder._place = lambda: place
        socket.gethostname = lambda: host
    from mlflow_tune.cli import main as command

    command(arguments, prog_name="mlflow-tune")


def end_like(pid: int) -> None:
    """Wait for the child, then end as it did; what a terminal sends to both is for the child."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
