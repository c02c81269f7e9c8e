"""Run one command and leave nothing of it behind: `watcher.py LIFE[,FD...] LOCK PSUTIL COMMAND...`, a script by itself.

LIFE is the read end of a pipe to the driver; each FD is a file descriptor that the command alone is to have; LOCK is
one that this process alone is to have, open until nothing of the command is left, or -1. When the pipe ends or brings
a byte, or when the driver dies, every descendant of this process is ended: SIGTERM, a short grace, SIGKILL. A number
after the byte grants a grace of so many seconds, which the end of the pipe or another byte cuts short. Whatever
outlives the command is ended likewise, then this process ends as the command did: with its exit code, or by its signal.

On Linux this process is a child subreaper (prctl(2)), so that daemons and sessions of their own stay its
descendants. Elsewhere only direct children and the process group are ended.

It starts before every trial: so it imports little, and psutil (from the folder PSUTIL) only when it must kill.
"""

# The C half of `signal`: its other half and contextlib would take a third of the time that this script takes to start.
import _signal as signal  # type: ignore[import-not-found]
import ctypes
import os
import select
import sys
import time

GRACE_SECONDS = 1.5
GIVE_UP_SECONDS = 10.0
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
IGNORED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # `kill 0` in the command must not end its watcher
RESET = (*IGNORED, signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores the last two


def prctl(option: int, value: int) -> None:
    """Set an attribute of this process, on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(ctypes.c_int(option), *map(ctypes.c_ulong, (value, 0, 0, 0)))


def start(command: list[str]) -> int:
    """Start the command as a child that dies with this process and return its process id."""
    watcher = os.getpid()
    if pid := os.fork():
        return pid
    try:
        for number in RESET:
            signal.signal(number, signal.SIG_DFL)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == watcher:  # else it died before the line above could tell us
            os.execvp(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(2, f"cannot run {command[0]!r}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def reap(statuses: dict[int, int]) -> bool:
    """Collect the statuses of children that ended; return whether any child is left."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return True
        statuses[pid] = status


def wake_on_child() -> int:
    """Return a file descriptor that becomes readable when a child ends."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return read


def watch(pid: int, life: int, wake: int, statuses: dict[int, int]) -> float:
    """Wait until the command ends, the driver dies or wants it to end; return the grace in seconds."""
    poller = select.poll()
    poller.register(wake, select.POLLIN)
    poller.register(life, select.POLLIN)
    if sys.platform == "linux":
        # processes forked from the driver keep the pipe open: its death must show without them
        try:  # noqa: SIM105
            poller.register(os.pidfd_open(os.getppid()), select.POLLIN)
        except OSError:
            pass
    while pid not in statuses:
        ready = [descriptor for descriptor, _ in poller.poll()]
        if ready != [wake]:
            return granted(life) if life in ready else GRACE_SECONDS
        os.read(wake, 4096)
        reap(statuses)
    return GRACE_SECONDS


def granted(life: int) -> float:
    """Return the grace that the driver grants: that of a short end, unless a number says more."""
    try:
        return max(GRACE_SECONDS, float(os.read(life, 64)[1:]))
    except ValueError:
        return GRACE_SECONDS


def hurried(life: int) -> bool:
    """Return whether the driver has no patience any more, or is gone."""
    return bool(select.select([life], [], [], 0)[0])


def signal_descendants(number: int, psutil_folder: str) -> None:
    """Send a signal to every descendant of this process."""
    if psutil_folder not in sys.path:
        sys.path.append(psutil_folder)
    import psutil

    for process in psutil.Process().children(recursive=True):
        try:  # noqa: SIM105
            process.send_signal(number)
        except psutil.Error:
            pass


def end_descendants(psutil_folder: str, statuses: dict[int, int], grace: float, life: int) -> None:
    """End whatever still runs; processes that cannot be killed are given up after a while."""
    if not reap(statuses):
        return
    began = time.monotonic()
    signal_descendants(signal.SIGTERM, psutil_folder)
    while reap(statuses) and time.monotonic() < began + grace + GIVE_UP_SECONDS:
        if grace > GRACE_SECONDS and hurried(life):
            began, grace = time.monotonic(), GRACE_SECONDS
        if time.monotonic() > began + grace:
            signal_descendants(signal.SIGKILL, psutil_folder)
        time.sleep(0.01)


def end_like(status: int) -> None:
    """End this process as the wait status says, without a second core dump."""
    if os.WIFSIGNALED(status):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status))


def main(descriptors: list[int], lock: int, psutil_folder: str, command: list[str]) -> None:
    """Run the command to its end, whichever that is."""
    life, *passed = descriptors
    os.set_inheritable(life, False)
    if lock >= 0:
        os.set_inheritable(lock, False)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in IGNORED:
        signal.signal(number, signal.SIG_IGN)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    wake = wake_on_child()
    statuses: dict[int, int] = {}
    pid = start(command)
    for descriptor in passed:  # else their other ends would not see when the command closes them
        os.close(descriptor)
    grace = watch(pid, life, wake, statuses)
    end_descendants(psutil_folder, statuses, grace, life)
    if sys.platform != "linux" and pid not in statuses:
        os.killpg(0, signal.SIGKILL)
    end_like(statuses.get(pid, 1 << 8))


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1].split(",")], int(sys.argv[2]), sys.argv[3], sys.argv[4:])
