"""The loop that drives a study: suggest, start, wait, judge, finish, until a rule ends it or a person stops it."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

from mlflow_tune.errors import TrackingError
from mlflow_tune.interruptions import Interruptions
from mlflow_tune.judging import Judge, result_of
from mlflow_tune.launchers import Launcher
from mlflow_tune.publisher import Publisher
from mlflow_tune.space import EVIDENCE_NAMES
from mlflow_tune.spec import StudySpec
from mlflow_tune.stopping import why_aborted, why_done
from mlflow_tune.strategies.base import Strategy, conclusion, eligible, next_number
from mlflow_tune.tracking import Queue, Queued, StudyState, Trials, is_deleted, without_run
from mlflow_tune.tracking.records import now
from mlflow_tune.trial import Job, Outcome, Suggestion, Trial
from mlflow_tune.yaml12 import one_line

logger = logging.getLogger(__name__)
PULSE = 2.0
GIVE_UP = 20.0
LOOK = 1.0


class Listener(Protocol):
    """Whoever shows a study's progress."""

    def began(self, spec: StudySpec, links: Mapping[str, str]) -> None:
        """Tell that the study is on the tracking server, where it is seen, and that its trials begin."""

    def started(self, trial: Trial) -> None:
        """Tell that a trial has started."""

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Tell that a trial has ended."""


class Silence:
    """A listener that shows nothing."""

    def began(self, spec: StudySpec, links: Mapping[str, str]) -> None:
        """Show nothing."""

    def started(self, trial: Trial) -> None:
        """Show nothing."""

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Ending:
    """How a drive ended: the study's state, the words for it, and the signal that interrupted it."""

    state: StudyState
    why: str
    signal: int | None = None


class Driver:
    """Drives one study from this process. It alone writes the life cycle of the parent's children.

    With `by_hand` it runs what a person has queued and nothing else, whatever the stop rules say, and ends so.
    """

    def __init__(
        self, spec: StudySpec, publisher: Publisher, trials: Trials, launcher: Launcher, executor: Executor,
        listener: Listener, by_hand: Ending | None = None,
    ) -> None:  # fmt: skip
        self._spec, self._publisher, self._trials = spec, publisher, trials
        self._launcher, self._executor, self._listener = launcher, executor, listener
        self._by_hand, self._judge = by_hand, Judge(spec, trials)
        self._queue = Queue(trials.client, trials.study)
        self._waiting: list[Queued] = []
        self._next_look = 0.0
        self._next_pulse = time.monotonic() + PULSE
        self._history: dict[int, Trial] = {}
        self._again: list[Trial] = []
        self._running: dict[Future[Outcome], Trial] = {}
        self._ended: WeakKeyDictionary[Future[Outcome], float] = WeakKeyDictionary()
        self._ending: Ending | None = None
        self._cut = ""
        self._began = now()

    @property
    def history(self) -> list[Trial]:
        """Every trial once, by number."""
        return [self._history[number] for number in sorted(self._history)]

    def drive(self, signals: Interruptions, retry_failed: bool = False) -> Ending:
        """Run trials until the study ends; return how it ended, when no trial runs any more."""
        try:
            self._read(retry_failed)
            while True:
                self._heed(signals)
                if self._ending is None:
                    self._refill()
                if not self._running:
                    break
                self._collect()
        except BaseException as error:
            self._give_up(error)
            raise
        finally:
            self._launcher.stop()
        assert self._ending is not None
        return self._ending

    def _give_up(self, error: BaseException) -> None:
        """End the trials that run, as far as the tracking server lets us: nobody will come back to them."""
        self._launcher.stop()
        wait(self._running, timeout=GIVE_UP)
        if isinstance(error, TrackingError):
            self._trials.client.abandoned.set()  # it has been waited for long enough
        outcome = Outcome("interrupted", reason=f"its study ended by an error: {type(error).__name__}")
        for trial in self.history:
            if trial.running:
                with contextlib.suppress(Exception):
                    self._history[trial.number] = self._trials.finish(trial, outcome, None)

    def _read(self, retry_failed: bool) -> None:
        self._history = {trial.number: trial for trial in self._trials.take_over()}
        unfinished = ("interrupted", "failed", "timeout") if retry_failed else ("interrupted",)
        if self._by_hand is None:
            self._again = [trial for trial in self.history if trial.outcome in unfinished]
        known, again = len(self._history), len(self._again)
        study = self._trials.study
        logger.info("driving %r (run %s): %d trials, %d of them run again", study.name, study.run_id, known, again)

    def _heed(self, signals: Interruptions) -> None:
        # A study whose last trials are killed is not finished, though a stop rule had struck.
        cut_short = signals.level > 1 and self._running and self._ending and self._ending.state == "finished"
        if signals.level and (self._ending is None or cut_short):
            self._interrupt(f"interrupted by {signals.name}", signals.signal)
        elif self._cut and self._ending is None:  # by code in this process that raised KeyboardInterrupt itself
            self._interrupt(self._cut, signal.SIGINT)
        if signals.level > 1:
            self._launcher.stop()

    def _interrupt(self, why: str, number: int | None = None) -> None:
        self._ending = Ending("interrupted", why, number)
        logger.info("no new trials: %s", why)

    def _refill(self) -> None:
        while self._ending is None and (free := self._spec.workers - len(self._running)) > 0:
            self._look()
            if why := self._why_stop():
                self._end(*why)
            elif self._again:
                self._start_again(self._again.pop(0))
            elif self._waiting:
                self._start_queued(self._waiting.pop(0))
            elif not self._start_new(free):
                return

    def _look(self, at_once: bool = False) -> bool:
        """Look into the queue, not more often than needed; return whether anything waits there."""
        if at_once or time.monotonic() >= self._next_look:
            self._waiting = self._queue.waiting()
            self._next_look = time.monotonic() + LOOK
        return bool(self._waiting)

    def _why_stop(self) -> tuple[StudyState, str] | None:
        rules, history = self._spec.stop, self.history
        waiting = {trial.number for trial in self._again}  # their retries may yet succeed
        if why := why_aborted(rules, [trial for trial in history if trial.number not in waiting], self._began):
            return "aborted", why
        if self._waiting or self._by_hand:  # what a person asked for runs, whatever the other rules say
            return None
        # A point that must run again was started within the budget: only the other rules may keep it back.
        if self._again:
            rules = rules.model_copy(update={"trials": None})
        why = why_done(rules, self._spec.goal, eligible(self._spec.strategy, history), now())
        return ("finished", why) if why and not self._look(at_once=True) else None

    def _end(self, state: StudyState, why: str) -> None:
        self._ending = Ending(state, why)
        logger.info("stopped: %s", why)

    def _start_new(self, free: int) -> bool:
        suggestions = [] if self._by_hand else self._suggested(free)
        for suggestion in suggestions:
            number, strategy = next_number(self.history), self._spec.strategy.name
            logger.info("trial %d suggested by %s: %s", number, strategy, dict(suggestion.evidence))
            self._start(number, suggestion, strategy, attempt=1)
        if suggestions or self._running:
            return bool(suggestions)
        if self._look(at_once=True):
            return True
        if self._by_hand:
            self._ending = self._by_hand
        else:
            chosen = self._spec.strategy
            self._end("finished", f"{chosen.name}: {conclusion(chosen, self._spec.space, self.history)}")
        return False

    def _suggested(self, free: int) -> list[Suggestion]:
        left = self._spec.stop.trials - len(self._history) if self._spec.stop.trials else free
        strategy: Strategy = self._spec.strategy
        return strategy.suggest(self._spec.space, self.history, min(free, left))

    def _start_again(self, trial: Trial) -> None:
        evidence = {name: value for name, value in trial.metrics.items() if name in EVIDENCE_NAMES}
        logger.info("trial %d runs again: attempt %d was %s", trial.number, trial.attempt, trial.outcome)
        self._start(trial.number, Suggestion(trial.params, trial.why, evidence), trial.strategy, trial.attempt + 1)

    def _start_queued(self, queued: Queued) -> None:
        number = next_number(self.history)
        try:
            logger.info("trial %d taken from the queue: run %s", number, queued.run_id)
            self._start(number, queued.suggestion, "manual", 1, queued.run_id)
        except TrackingError:
            if not is_deleted(self._trials.client, queued.run_id):
                raise
            logger.info("trial %d is not run: the run %s was deleted", number, queued.run_id)

    def _start(self, number: int, suggestion: Suggestion, strategy: str, attempt: int, queued_run: str = "") -> None:
        logs = self._spec.space.log10_metrics(suggestion.params)
        trial = self._trials.start(number, suggestion, strategy, attempt, logs, queued_run)
        self._history[number] = trial
        logger.info("trial %d attempt %d started: %s (%s)", number, attempt, dict(trial.params), one_line(trial.why))
        study = self._trials.study
        job = Job(number, trial.params, trial.run_id, study.experiment_id, self._trials.client.uri)
        self._listener.started(trial)
        future = self._executor.submit(self._launcher, job)
        future.add_done_callback(self._note_end)  # this thread may wait for the server just then
        self._running[future] = trial

    def _collect(self) -> None:
        done, _ = wait(self._running, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in sorted(done, key=lambda future: self._running[future].number):
            self._finish(self._running.pop(future), future)
        if time.monotonic() >= self._next_pulse:
            self._pulse()

    def _note_end(self, future: Future[Outcome]) -> None:
        self._ended[future] = time.monotonic()

    def _finish(self, trial: Trial, future: Future[Outcome]) -> None:
        result = result_of(future)
        try:
            ended, deleted = self._written(trial, result, self._ended.pop(future, time.monotonic())), False
        except TrackingError:
            if not (deleted := is_deleted(self._trials.client, trial.run_id)):
                raise
            ended = without_run(trial, now())
        self._history[trial.number] = ended
        how = f"{ended.outcome} {ended.value} {one_line(ended.reason)}"
        logger.info("trial %d attempt %d ended: %s", trial.number, trial.attempt, how.rstrip())
        self._listener.ended(ended, self.history)
        if ended.outcome in ("failed", "timeout") and trial.attempt <= self._spec.run.retries and not deleted:
            self._again.append(ended)
        if result.kind == "interrupted":
            self._cut = result.reason
        elif ended.outcome == "interrupted":  # by the tracking server's absence, and by nobody
            self._again.append(ended)

    def _written(self, trial: Trial, result: Outcome, at: float) -> Trial:
        """Judge how the trial ended and write it; `at` is when, on the clock of `time.monotonic()`."""
        trial, outcome, value = self._judge.judge(trial, result, at)
        if outcome.output:
            what = f"what trial {trial.number} printed"
            self._publisher.keep(what, lambda: self._trials.log_output(trial, outcome.output))
        return self._trials.finish(trial, outcome, value)

    def _pulse(self) -> None:
        if (guard := self._trials.client.guard) is not None:
            guard()  # what runs is stopped soon after somebody has taken the study over, not at the next write
        self._publisher.pulse(self.history)
        if self._ending is None and self._publisher.stop_requested():
            self._interrupt("`mlflow-tune stop` asked for it")
        self._next_pulse = time.monotonic() + PULSE
