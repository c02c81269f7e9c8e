"""Trials that are calls of a Python function, in worker processes that live on from trial to trial."""

from __future__ import annotations

import re
import sys
import threading
import time
from contextlib import suppress
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.base import all_parameters, existing_folder, merged
from mlflow_tune.launchers.call import Objective
from mlflow_tune.launchers.environment import place_variables
from mlflow_tune.launchers.main_module import Main, main_of_this_process, pickled_with_names
from mlflow_tune.launchers.output import how_it_ended
from mlflow_tune.launchers.process import STUDY_STOPPED, Processes, ProcessLauncher
from mlflow_tune.launchers.slots import Slots
from mlflow_tune.launchers.worker import BOOTSTRAP, Call, Setup
from mlflow_tune.space import Space
from mlflow_tune.trial import Devices, Job, Outcome, Params

IMPORT_SECONDS = 600.0
_CLOSE_SECONDS = 3.0
_NAME = re.compile(r"[\w.]+:[\w.]+")


class _Worker:
    """A worker process and the connection to it; it keeps its devices for life and, on this machine, its slot."""

    def __init__(
        self, processes: Processes, folder: Path, environment: dict[str, str], slot: int, devices: Devices | None
    ) -> None:
        self.slot = slot
        self.devices = devices
        self.connection, theirs = Pipe()
        with theirs:
            argv = [sys.executable, "-c", BOOTSTRAP, str(theirs.fileno())]
            variables = {**environment, **place_variables(slot, devices)}
            self.process = processes.start(argv, env=variables, cwd=folder, pass_fds=(theirs.fileno(),))
        self.asked = self.ready = self._closed = False
        self.send([str(folder), *(str(Path(entry).absolute()) for entry in sys.path)])

    def send(self, message: object) -> None:
        """Send a message."""
        try:
            self.connection.send(message)
        except OSError:
            self._closed = True  # its end of the connection is closed: so it is about to end

    def answer(self, timeout: float | None) -> Any:
        """Return the answer to the last message; None when the worker ended or took too long."""
        timeout = _CLOSE_SECONDS if self._closed else timeout
        self.process.wait(timeout, self.connection)
        try:
            return self.connection.recv() if self.connection.poll() else None
        except (EOFError, OSError):
            self.process.wait(_CLOSE_SECONDS)
            return None


class FunctionLauncher(ProcessLauncher):
    """Calls `function` with the parameters as keyword arguments.

    It is `package.module:function`, imported with `folder` first on sys.path, or a callable, sent by cloudpickle, or
    one that was `pickled` before. A returned number is the value of `metric`. A worker that crashes or exceeds
    `timeout` (seconds; the import in a fresh worker counts) is replaced, and so is one that, with its descendants,
    takes more than `memory` bytes; one that holds half of that after a trial makes room for a fresh one. `prepare`
    starts a worker for each of the first `slots`; without slots a worker serves the trials of any. Raises InputError
    when the folder does not exist, the name is malformed or the callable cannot be pickled.
    """

    def __init__(
        self,
        function: str | bytes | Objective,
        metric: str,
        parameters: Params | None = None,
        timeout: float | None = None,
        folder: str | Path = ".",
        memory: int | None = None,
        slots: Slots | None = None,
    ) -> None:
        super().__init__(memory, slots)
        self._function = _checked_name(function) if isinstance(function, str) else pickled(function)
        self._metric = metric
        self._main = Main() if isinstance(function, str | bytes) else main_of_this_process()
        self._names: tuple[str, ...] = ()
        self._parameters = dict(parameters or {})
        self._timeout = timeout
        self._folder = existing_folder(folder)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []

    def check(self, space: Space) -> Params:
        """Raise InputError, key `function`, unless a worker can import the function and it takes the parameters."""
        names = all_parameters(self._parameters, space)
        worker = self._take(0, self.slots.of(0))
        problem = self._set_up(worker, tuple(names), IMPORT_SECONDS)
        if problem is None:
            hung = worker.process.returncode is None
            output = self._end(worker)
            how = worker.process.took_too_much or (
                "it takes too long" if hung else how_it_ended(worker.process.returncode or 0, output)
            )
            raise InputError(f"the function cannot be imported: {how}", "function")
        if problem:
            self._end(worker)
            raise InputError(problem, "function")
        self._give_back(worker)
        self._names = tuple(names)
        return {}

    def prepare(self) -> None:
        """Start all workers that will be needed, without waiting for what they import."""
        there = {worker.slot for worker in self._idle}
        for slot, devices in enumerate(self.slots.devices[: self.slots.first]):
            if slot not in there:
                with suppress(OSError):  # a trial will tell
                    worker = self._started(slot, devices)
                    self._ask_for_setup(worker, self._names)
                    self._give_back(worker)

    def __call__(self, job: Job) -> Outcome:
        """Run one trial in an idle worker, or in a new one."""
        if self._processes.stopped:
            return STUDY_STOPPED
        try:
            worker = self._take(job.slot, job.devices)
        except OSError as error:
            return Outcome("failed", reason=f"the worker cannot start: {error}")
        try:
            with self._processes.running(job.run_id, worker.process):
                outcome = self._ask(worker, job)
        except BaseException:
            self._end(worker)
            raise
        if outcome is None:
            return self._crashed(worker)
        output = worker.process.take_output() + outcome.output
        if self._processes.stopped:
            outcome = STUDY_STOPPED
        elif worker.process.pruned:
            outcome = Outcome("pruned", logged=True)
        if worker.ready and not worker.process.bloated and not worker.process.pruned:
            self._give_back(worker)
        else:
            self._end(worker)
        return replace(outcome, output=output)

    def _ask(self, worker: _Worker, job: Job) -> Outcome | None:
        """Return the worker's outcome, None when it ended or hangs."""
        parameters = merged(self._parameters, job)
        deadline = time.monotonic() + self._timeout if self._timeout is not None else None
        problem = self._set_up(worker, tuple(parameters), self._timeout)
        if problem is None:
            return None
        if problem:
            return Outcome("failed", reason=problem)
        worker.process.take_output()  # printed by the import or between trials: not this trial's
        left = max(deadline - time.monotonic(), 0.0) if deadline is not None else None
        worker.send(Call(job, parameters, self._metric))
        answer = worker.answer(left)
        return answer if isinstance(answer, Outcome) else None

    def _set_up(self, worker: _Worker, names: tuple[str, ...], timeout: float | None) -> str | None:
        """Return "" once the worker has the function, else what is wrong, None when it ended or hangs."""
        if worker.ready:
            return ""
        self._ask_for_setup(worker, names)
        answer = worker.answer(timeout)
        worker.ready = answer == ""
        return answer if isinstance(answer, str) else None

    def _ask_for_setup(self, worker: _Worker, names: tuple[str, ...]) -> None:
        if not worker.asked:
            worker.send(Setup(self._function, names, self._main))
            worker.asked = True

    def _crashed(self, worker: _Worker) -> Outcome:
        ended = worker.process.returncode is not None
        output = self._end(worker)
        outcome = self._processes.outcome(worker.process, ended, self._timeout, output)
        if outcome.kind in ("interrupted", "timeout", "pruned") or worker.process.took_too_much:
            return outcome
        how = how_it_ended(worker.process.returncode or 0, output)
        return replace(outcome, kind="failed", reason=f"the function ended its process: {how}")

    def _take(self, slot: int, devices: Devices | None) -> _Worker:
        """Return the idle worker of this place, or a new one."""
        while (worker := self._idle_one(slot, devices)) is not None:
            if worker.process.alive():
                return worker
            self._end(worker)
        return self._started(slot, devices)

    def _idle_one(self, slot: int, devices: Devices | None) -> _Worker | None:
        with self._lock:
            fitting = [
                worker
                for worker in self._idle
                if worker.devices == devices and (worker.slot == slot or not self.slots.devices)
            ]
            if fitting:
                self._idle.remove(fitting[-1])
            return fitting[-1] if fitting else None

    def _started(self, slot: int, devices: Devices | None) -> _Worker:
        return _Worker(self._processes, self._folder, self._environment, slot, devices)

    def _give_back(self, worker: _Worker) -> None:
        with self._lock:
            self._idle.append(worker)

    def _end(self, worker: _Worker) -> bytes:
        worker.connection.close()
        return self._processes.end(worker.process)

    def close(self) -> None:
        """End the idle workers, by the end of their input first, so that their exit handlers run."""
        with self._lock:
            idle = self._idle
            self._idle = []
        for worker in idle:
            worker.connection.close()
        for worker in idle:
            worker.process.wait(_CLOSE_SECONDS)
            self._end(worker)


def _checked_name(function: str) -> str:
    if not _NAME.fullmatch(function):
        raise InputError(f"must be of the form package.module:function, but got {function!r}", "function")
    return function


def pickled(function: bytes | Objective) -> bytes:
    """Return the function as bytes for a worker. Raises InputError, key `function`, when it cannot be pickled."""
    if isinstance(function, bytes):
        return function
    if not callable(function):
        raise InputError(f"must be a function, but got {function!r}", "function")
    try:
        return pickled_with_names(function)
    except Exception as error:
        message = f"the function cannot be sent to worker processes: {type(error).__name__}: {error}"
        raise InputError(message, "function") from error
