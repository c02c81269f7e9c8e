"""Supervised processes: commands that leave nothing behind, whatever ends them or the driver.

Driver -> watcher -> command. `watcher.py` ends the command and all its descendants when the driver asks for it
or dies; a SIGKILL of the driver included.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from mlflow_tune.errors import InternalError
from mlflow_tune.launchers.base import Launcher
from mlflow_tune.launchers.environment import base_environment
from mlflow_tune.launchers.memory import LOOK_SECONDS, MemoryWatch
from mlflow_tune.launchers.orphans import WATCHED, end_watched_by
from mlflow_tune.launchers.output import Tail, how_it_ended, too_long
from mlflow_tune.launchers.slots import Slots, Tenancy
from mlflow_tune.trial import Outcome

_WATCHER = str(Path(__file__).with_name("watcher.py"))
_LOOK_SECONDS = 1.0
_KILL_SECONDS = 15.0  # more than the watcher takes before it gives up


@cache
def _psutil_folder() -> str:
    spec = importlib.util.find_spec("psutil")
    if spec is None or spec.origin is None:
        raise InternalError("psutil, which mlflow-tune depends on, is not installed")
    return str(Path(spec.origin).parent.parent)


class Supervised:
    """One command under a watcher, in a session of its own; its output is drained by whoever waits for it.

    While somebody waits for it, all its descendants together may hold `memory` bytes; they are killed when they hold
    more. Until all of them have ended the `tenancy` is held. `kill` may be called from any thread, the rest from one
    thread at a time. Raises OSError when the watcher cannot start; a command that cannot start ends with exit code 127
    and says why in its output.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        pass_fds: Sequence[int] = (),
        memory: int | None = None,
        tenancy: Tenancy | None = None,
    ) -> None:
        self._owner = os.getpid()
        self._word = os.urandom(16).hex()
        life, write = os.pipe()  # neither end is inherited by other children, else the watcher sees no end of it
        lock = tenancy.hold() if tenancy else -1
        self._life = os.fdopen(write, "wb", buffering=0)
        try:
            descriptors = (life, *pass_fds)
            passed = ",".join(map(str, descriptors))
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-S", _WATCHER, passed, str(lock), _psutil_folder(), *argv],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**env, WATCHED: self._word},
                cwd=cwd,
                pass_fds=descriptors if lock < 0 else (*descriptors, lock),
                start_new_session=True,
            )
        except BaseException:
            self._life.close()
            raise
        finally:
            os.close(life)
            if lock >= 0:
                os.close(lock)
        assert self._popen.stdout is not None
        self._stdout = self._popen.stdout
        self._tail = Tail()
        self.pruned = False
        self._memory = MemoryWatch(self._popen.pid, memory) if memory is not None else None
        os.set_blocking(self._stdout.fileno(), False)

    @property
    def returncode(self) -> int | None:
        """The exit code, -N for signal N, or None as long as no `wait` has seen the end."""
        return self._popen.returncode

    @property
    def took_too_much(self) -> str:
        """How much memory it took, in words, when that was more than its limit; else ""."""
        return self._memory.reason if self._memory else ""

    @property
    def bloated(self) -> bool:
        """Whether it holds more than half of its limit of memory now."""
        return self._memory is not None and self._memory.half_used

    def alive(self) -> bool:
        """Return whether the process still runs."""
        return self._popen.poll() is None

    def wait(self, timeout: float | None = None, connection: Connection | None = None) -> bool:
        """Return True once the process has ended or `connection` can be read, False after `timeout` seconds.

        False too when it took more memory than it may: then it is about to end.
        """
        return self._wait(timeout, connection, self._memory)

    def _wait(self, timeout: float | None, connection: Connection | None, memory: MemoryWatch | None) -> bool:
        output = self._stdout.fileno()
        sources: list[Any] = [output, connection] if connection else [output]
        deadline = time.monotonic() + timeout if timeout is not None else float("inf")
        look = LOOK_SECONDS if memory else _LOOK_SECONDS
        while (left := deadline - time.monotonic()) > 0 and not (memory and memory.exceeded()):
            # whoever escaped from a killed watcher may hold the pipe open: hence the look at the process itself
            ready: list[Any] = wait(sources, min(left, look))
            if output in ready and self._read() == b"":
                self._popen.wait()
                return True
            if connection in ready or (not ready and not self.alive()):
                return True
        return False

    def _read(self) -> bytes | None:
        """Read what is there: bytes, none at the end, None when there is nothing to read yet."""
        try:
            data = os.read(self._stdout.fileno(), 2**16)
        except BlockingIOError:
            return None
        self._tail.feed(data)
        return data

    def take_output(self) -> bytes:
        """Return the tail of what was printed since the last call."""
        for _ in range(2**5):  # more than a pipe holds, and still an end when something prints for ever
            if not self._read():
                break
        tail = self._tail
        self._tail = Tail()
        return bytes(tail)

    def kill(self) -> None:
        """Ask the watcher to end everything and return at once; a process that has ended stays as it was.

        In a process that was forked from the one that started it nothing is done: there it is somebody else's.
        """
        if os.getpid() != self._owner:
            return
        with suppress(OSError, ValueError):  # the watcher is gone, or was asked already
            self._life.write(b"!")  # a process forked from this one may hold the pipe open: closing is not enough
        self._life.close()

    def prune(self, grace: float) -> None:
        """Have everything end, by SIGTERM and after `grace` seconds by SIGKILL, for the sake of its trial alone."""
        if not self.pruned:
            with suppress(OSError, ValueError):  # as in `kill`
                self._life.write(f"!{grace:.3f}".encode())
                self.pruned = True

    def close(self) -> None:
        """End whatever still runs and wait for it; nothing in a forked process, as `kill`."""
        if os.getpid() != self._owner:
            return
        self.kill()
        if not self._wait(_KILL_SECONDS, None, memory=None):
            self._popen.kill()
            self._popen.wait()
        if sys.platform != "linux" or self.returncode == -signal.SIGKILL:
            with suppress(ProcessLookupError, PermissionError):  # what a killed watcher left of its group
                os.killpg(self._popen.pid, signal.SIGKILL)
            end_watched_by(self._word)

    def discard(self) -> None:
        """Close the output; nothing can be read after this."""
        self._stdout.close()


class Processes:
    """The supervised processes of one launcher; all its methods may be called from any thread.

    Each of them, with its descendants, may hold `memory` bytes, and holds the `tenancy`.
    """

    def __init__(self, memory: int | None = None, tenancy: Tenancy | None = None) -> None:
        self._memory = memory
        self._tenancy = tenancy
        self._lock = threading.Lock()
        self._running: set[Supervised] = set()
        self._trials: dict[str, Supervised] = {}  # by the run's id
        self._early: dict[str, float] = {}  # the grace of trials that are to end before they have begun
        self.stopped = False

    def start(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, pass_fds: Sequence[int] = ()
    ) -> Supervised:
        """Start a process that `stop` reaches; when all is stopped already it is killed at once."""
        process = Supervised(argv, env=env, cwd=cwd, pass_fds=pass_fds, memory=self._memory, tenancy=self._tenancy)
        with self._lock:
            self._running.add(process)
            stopped = self.stopped
        if stopped:
            process.kill()
        return process

    def end(self, process: Supervised) -> bytes:
        """End the process, wait for it and return its output."""
        process.close()
        output = process.take_output()
        process.discard()
        with self._lock:
            self._running.discard(process)
        return output

    def stop(self) -> None:
        """Kill all that runs, and whatever is started later, without waiting for the end."""
        with self._lock:
            self.stopped = True
            running = list(self._running)
        for process in running:
            process.kill()

    @contextmanager
    def running(self, trial: str, process: Supervised) -> Iterator[None]:
        """Let `prune` find the process in which a trial runs, by the id of its MLflow run."""
        with self._lock:
            self._trials[trial] = process
            grace = self._early.pop(trial, None)
        if grace is not None:
            process.prune(grace)
        try:
            yield
        finally:
            with self._lock:
                del self._trials[trial]

    def prune(self, trial: str, grace: float) -> None:
        """Ask the process of a trial to end, and kill it after `grace` seconds; one that begins later, when it does."""
        with self._lock:
            process = self._trials.get(trial)
            if process is None:
                self._early[trial] = grace
            else:  # before it runs the next trial
                process.prune(grace)

    def run(
        self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, timeout: float | None, trial: str = ""
    ) -> Outcome:
        """Run one command to its end and return the outcome; it may have logged to its run by itself."""
        if self.stopped:
            return STUDY_STOPPED
        try:
            process = self.start(argv, env=env, cwd=cwd)
        except OSError as error:
            return Outcome("failed", reason=f"the process cannot start: {error}")
        ended = False
        try:
            with self.running(trial, process):
                ended = process.wait(timeout)
        finally:
            output = self.end(process)
        return self.outcome(process, ended, timeout, output)

    def outcome(self, process: Supervised, ended: bool, timeout: float | None, output: bytes) -> Outcome:
        """Return the outcome of a process, given whether it `ended` by itself before the timeout."""
        if self.stopped:
            return Outcome("interrupted", logged=True, reason=STUDY_STOPPED.reason, output=output)
        if process.pruned:
            return Outcome("pruned", logged=True, output=output)
        if process.took_too_much:
            return Outcome("failed", logged=True, reason=process.took_too_much, output=output)
        if not ended and timeout is not None:
            return Outcome("timeout", logged=True, reason=too_long(timeout), output=output)
        code = process.returncode or 0
        if code == 0:
            return Outcome("ok", logged=True, output=output)
        return Outcome("failed", logged=True, reason=how_it_ended(code, output), output=output)


STUDY_STOPPED = Outcome("interrupted", reason="the study was stopped")


class ProcessLauncher(Launcher):
    """A launcher whose trials run in supervised processes, each with its descendants within `memory` bytes."""

    def __init__(self, memory: int | None, slots: Slots | None) -> None:
        self.slots = slots or Slots()
        self._environment = base_environment()
        self._processes = Processes(memory, self.slots.tenancy)

    def prune(self, run_id: str, grace: float) -> bool:
        """End the process of one trial; the next trial gets another one."""
        self._processes.prune(run_id, grace)
        return True

    def stop(self) -> None:
        """Kill all that runs: those calls and all later ones return "interrupted"."""
        self._processes.stop()
