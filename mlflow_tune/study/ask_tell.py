"""A study whose trials its caller runs: asked for one by one, and told of."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator
from concurrent.futures import Future, process, thread  # noqa: F401  at Python's end `close` cannot import these two
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace

from mlflow_tune.driver.driver import Driver
from mlflow_tune.driver.ending import Ending
from mlflow_tune.errors import InputError, StudyConflict
from mlflow_tune.launchers.call import metrics_of
from mlflow_tune.launchers.output import without_secrets
from mlflow_tune.text import copied
from mlflow_tune.trial import Job, Outcome, Trial

LEFT = Ending("interrupted", "left by the code that asked for its trials")


class ManualPool:
    """The worker pool of a caller who runs the trials: each ends when it is told of."""

    busy = False

    def __init__(self) -> None:
        self._running: dict[str, tuple[int, Future[Outcome]]] = {}  # number and future by run id

    def begin(self, study: str) -> None:
        """Nothing has to be made ready."""

    def devices(self, slot: int) -> None:
        """Return None: the caller gives its trials what they need."""

    def submit(self, job: Job) -> Future[Outcome]:
        """Wait for the caller to tell of the trial."""
        future = Future[Outcome]()
        self._running[job.run_id] = job.number, future
        return future

    def end(self, number: int, run_id: str, outcome: Outcome) -> None:
        """End a trial. Raises InputError when it does not run."""
        if run_id not in self._running:
            running = ", ".join(str(number) for number, _ in self._running.values()) or "none"
            what = f"the trial {number} (run {run_id}) does not run"
            raise InputError(f"{what}, so nothing can be told of it; running are {running}")
        _, future = self._running.pop(run_id)
        future.set_result(outcome)

    def result(self, future: Future[Outcome]) -> Outcome:
        """Return what was told."""
        return without_secrets(future.result())

    def on_ask(self, look: Callable[[], None]) -> None:
        """Do nothing: the caller's code is no objective of ours."""

    def prune(self, future: Future[Outcome] | None, run_id: str, grace: float) -> bool:  # noqa: ARG002
        """Leave the trial to its caller, who alone can end it."""
        return False

    def stop(self) -> None:
        """End the trials of which nothing was told."""
        for run_id, (number, _) in list(self._running.items()):
            self.end(number, run_id, Outcome("interrupted", reason=LEFT.why))


class Asking:
    """A session whose trials its caller runs."""

    def __init__(self, pool: ManualPool, opened: AbstractContextManager[Driver], metric: str) -> None:
        self._pool, self._metric = pool, metric
        self._open = ExitStack()
        self._driver = self._open.enter_context(opened)
        self.closed = False
        self._process = os.getpid()
        atexit.register(self._close_at_exit)

    def ask(self) -> Trial | None:
        """Return the next trial, which is running now; None when none can start before others end, or none at all.

        Raises StudyConflict in a process that was forked from the one that opened the study, as `tell` does.
        """
        self._refuse_fork()
        with self._leaving_on_error():
            trial = self._driver.ask()
        self._end_with_study()
        if trial is None:
            return None
        # What the caller does to a list in it is nothing to the study.
        return replace(trial, params={name: copied(value) for name, value in trial.params.items()})

    def tell(self, trial: Trial, value: object, failed: str) -> None:
        """End a trial. Raises InputError when it does not run, or the value is no number and no dict of metrics."""
        self._refuse_fork()
        self._pool.end(trial.number, trial.run_id, self._outcome(value, failed))
        with self._leaving_on_error():
            self._driver.tell()
        self._end_with_study()

    def close(self) -> None:
        """Leave the study; trials that run are interrupted, and so is a study that has not ended.

        In a forked process only what it was given is let go: the study goes on where it was opened.
        """
        self._forget()
        if os.getpid() != self._process:
            return
        with self._open:
            ending = self._driver.ending
            # A study whose last trials are cut short is not finished, though a stop rule had struck.
            if ending is None or (ending.state == "finished" and self._driver.running):
                self._driver.ending = LEFT
            self._pool.stop()
            self._driver.tell()

    def _close_at_exit(self) -> None:
        self.close()

    def _refuse_fork(self) -> None:
        if os.getpid() != self._process:
            raise StudyConflict(
                f"the process {self._process} has opened this study, and this one was forked from it: ask and tell "
                "there, and let what you fork return the values"
            )

    def _forget(self) -> None:
        atexit.unregister(self._close_at_exit)
        self.closed = True

    @contextmanager
    def _leaving_on_error(self) -> Iterator[None]:
        """Let go of the study when its driver fails, as a study that drives itself does."""
        try:
            yield
        except BaseException as error:  # Ctrl-C too: who knows where it struck
            self._forget()
            with self._open:
                self._driver.give_up(error)
                raise

    def _outcome(self, value: object, failed: str) -> Outcome:
        if failed:
            return Outcome("failed", logged=True, reason=failed)
        try:
            return Outcome("ok", metrics=metrics_of(value, self._metric, "tell() was given"), logged=True)
        except ValueError as error:
            raise InputError(str(error)) from None

    def _end_with_study(self) -> None:
        if self._driver.ending is not None and not self._driver.running:
            self.close()
