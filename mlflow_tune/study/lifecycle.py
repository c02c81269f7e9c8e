"""One session of a study: from its claim to its end, driven by the loop or by a caller who asks and tells."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, process, thread  # noqa: F401  at Python's end `close` cannot import these two
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mlflow_tune.driver.callbacks import Listener, SilentListener
from mlflow_tune.driver.driver import Driver, Ending
from mlflow_tune.errors import InputError, StudyConflict, StudyNotFound, TrackingError
from mlflow_tune.executors.pool import WorkerPool
from mlflow_tune.launchers.call import metrics_of
from mlflow_tune.spec.definition import tell_length, with_budget
from mlflow_tune.tracking import Studies, claimed, told_when_deleted
from mlflow_tune.tracking.deletion import DELETED
from mlflow_tune.trial import Job, Outcome, Params, Trial

if TYPE_CHECKING:
    from mlflow_tune.study.study import Study

LEFT = Ending("interrupted", "left by the code that asked for its trials")


@dataclass(frozen=True)
class Resumption:
    """How one goes on: with a budget of `trials` ("+20": so many more), with failed ones too, or queued ones only."""

    trials: int | str | None = None
    retry_failed: bool = False
    only_queued: bool = False


@contextmanager
def session(
    study: Study, pool: WorkerPool, defaults: Params, listener: Listener | None = None,
    resumption: Resumption = Resumption(), create: Callable[[], None] | None = None,
) -> Iterator[Driver]:  # fmt: skip
    """Make the study by `create`, or open it again; hold it, give its driver, and close it as the driver ended.

    The trials of a study that is opened again are read once, while it is held: budget, driver, summary and report know
    the same ones. Raises StudyConflict when somebody else drives it, InputError for a budget that is too small, and
    TrackingError.
    """
    study.client.abandoned.clear()
    if create is not None:
        create()
    fresh = create is not None
    with told_when_deleted(study.client, study.record), claimed(study.client, study.run_id, fresh) as claim:
        fixed = {**defaults, **study.spec.run.parameters}
        trials = replace(study.trial_store, source=study.source, fixed=fixed)
        fresh &= claim.first  # else somebody has had the time to adopt a run
        history = [] if fresh else trials.take_over()
        if create is None:
            _reopen(study, history, resumption)
        listener = listener or SilentListener()
        listener.began(study.spec, study.links)
        by_hand = _after_queue(study, history) if resumption.only_queued else None
        driver = Driver(study.spec, publisher := study.publisher, trials, pool, listener, by_hand)
        driver.know(history, resumption.retry_failed, fresh)
        if fresh:
            publisher.owe("study.yaml", study.log_study_file)
        try:
            yield driver
        except (StudyConflict, StudyNotFound, TrackingError):
            raise
        except BaseException as error:
            publisher.close(driver.history, "aborted", f"{type(error).__name__}: {error}")
            raise
        assert driver.ending is not None
        publisher.close(driver.history, driver.ending.state, driver.ending.why)
        study.history = tuple(trial for trial in driver.history if trial.reason != DELETED)
        study.ending = driver.ending


def _reopen(study: Study, history: Sequence[Trial], resumption: Resumption) -> None:
    """Mark the study as running again, within its new budget."""
    study.spec = with_budget(study.spec, resumption.trials, len(history))
    if not resumption.only_queued:
        tell_length(study.spec)
    Studies(study.client).reopen(study.run_id, study.spec.model_dump(mode="json", exclude_none=True))


def _after_queue(study: Study, history: Sequence[Trial]) -> Ending:
    """Return how the study ends when what waits in its queue has run, and nothing else."""
    strategy, over = study.spec.strategy, study.record.state == "finished"
    if strategy.by_hand:
        over = not strategy.suggest(study.spec.space, history, 1)
    return Ending("finished" if over else "interrupted", "the trials that were asked for have ended")


class ManualPool:
    """The worker pool of a caller who runs the trials: each ends when it is told of."""

    busy = False

    def __init__(self) -> None:
        self._running: dict[str, tuple[int, Future[Outcome]]] = {}  # number and future by run id

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
        return future.result()

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
        """Return the next trial, which is running now; None when none can start before others end, or none at all."""
        with self._leaving_on_error():
            trial = self._driver.ask()
        self._end_with_study()
        return trial

    def tell(self, trial: Trial, value: object, failed: str) -> None:
        """End a trial. Raises InputError when it does not run, or the value is no number and no dict of metrics."""
        self._pool.end(trial.number, trial.run_id, self._outcome(value, failed))
        with self._leaving_on_error():
            self._driver.tell()
        self._end_with_study()

    def close(self) -> None:
        """Leave the study; trials that run are interrupted, and so is a study that has not ended."""
        self._forget()
        with self._open:
            ending = self._driver.ending
            # A study whose last trials are cut short is not finished, though a stop rule had struck.
            if ending is None or (ending.state == "finished" and self._driver.running):
                self._driver.ending = LEFT
            self._pool.stop()
            self._driver.tell()

    def _close_at_exit(self) -> None:
        if os.getpid() == self._process:  # a forked child has the study's objects, not the study
            self.close()

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
