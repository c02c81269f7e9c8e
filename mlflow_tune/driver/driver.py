"""The loop that drives a study: suggest, start, wait, evaluate, finish, until a rule ends it or a person stops it."""

from __future__ import annotations

import contextlib
import itertools
import logging
import signal
import threading
import time
from bisect import bisect_left
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, wait
from dataclasses import replace
from weakref import WeakKeyDictionary

from mlflow_tune.driver.attempts import Attempts
from mlflow_tune.driver.callbacks import Callback
from mlflow_tune.driver.confirming import Confirming
from mlflow_tune.driver.ending import Ending
from mlflow_tune.driver.evaluation import Evaluation, Evaluator
from mlflow_tune.driver.outbox import Outbox
from mlflow_tune.driver.pruner import Pruner
from mlflow_tune.driver.publisher import Publisher
from mlflow_tune.driver.retries import Retries
from mlflow_tune.driver.signals import Signals
from mlflow_tune.driver.suggester import Suggester
from mlflow_tune.errors import TrackingError
from mlflow_tune.executors.pool import WorkerPool
from mlflow_tune.spec.stopping import why_aborted, why_late
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies import evidence_names
from mlflow_tune.strategies.base import next_number
from mlflow_tune.strategies.confirmation import NAME as CONFIRM
from mlflow_tune.text import escaped
from mlflow_tune.tracking import Queue, Queued, Trials, is_deleted
from mlflow_tune.tracking.deletion import DELETED
from mlflow_tune.tracking.records import now
from mlflow_tune.trial import Outcome, Suggestion, Trial, as_known, ended_trial, standing

logger = logging.getLogger(__name__)
PULSE = 2.0  # seconds from one look at what others ask of the study to the next
LOOK = 30.0  # seconds from one look into the queue to the next where the parent tells of no news
GIVE_UP = 20.0  # seconds for which the ends of trials are waited for when an error ends the study


class Driver:
    """Drives one study from this process. It alone writes the life cycle of the parent's children.

    With `by_hand` it runs what a person has queued and nothing else, whatever the stop rules say, and ends so; a
    `confirming` that was asked for then runs as well.
    """

    def __init__(
        self,
        spec: StudySpec,
        publisher: Publisher,
        trials: Trials,
        pool: WorkerPool,
        callback: Callback,
        by_hand: Ending | None = None,
        confirming: Confirming | None = None,
    ) -> None:
        self._spec = spec
        self._publisher = publisher
        self._trials = trials
        self._pool = pool
        self._callback = callback
        self._saying = threading.Lock()
        self._said = False
        self._by_hand = by_hand
        self._pruner = Pruner(spec, trials)
        self._evaluator = Evaluator(spec, trials, self._pruner.curve)
        self._queue = Queue(trials.client, trials.study)
        self._waiting: list[Queued] = []
        self._next_look = 0.0
        self._news = ""  # what the parent said last of its queue
        self._next_pulse = time.monotonic() + PULSE
        self.history: list[Trial] = []  # every trial once, by number
        self._running: dict[Future[Outcome], Trial] = {}
        self._slots: dict[Future[Outcome], int] = {}  # of those that run
        self._ended: WeakKeyDictionary[Future[Outcome], float] = WeakKeyDictionary()
        self.ending: Ending | None = None
        self._cut = ""
        self._outbox = Outbox(trials, publisher, self._told)
        self._suggester = Suggester(spec)
        self._confirming = confirming or Confirming(spec, spec.seeds)
        self._attempts = Attempts(spec, trials, self._confirming.seeds)
        self._retries = Retries(spec.run.retries, self._attempts.is_to_train_on)
        self._starting: Trial | None = None  # where a trial runs in this very thread
        publisher.of_stopping = self._pruner.findings
        pool.on_ask(self._prune)
        self._began = now()

    @property
    def running(self) -> bool:
        """Whether a trial runs."""
        return bool(self._running)

    def drive(self, signals: Signals) -> None:
        """Run trials until the study ends; `ending` says how, and no trial runs any more."""
        signals.notice = self.say_interrupted  # this thread may be within a trial when Ctrl-C comes
        try:
            self._pool.begin(self._trials.study.run_id)
            while True:
                self._heed(signals)
                if self._spec.workers > 1 or not self._outbox:  # a free worker waits for no result to be sent
                    self._refill(self._spec.workers)
                if not (self._running or self._outbox):
                    break
                if self.ending is None and not self._by_hand and not self._confirming.began:
                    self._suggester.prepare(as_known(self.history))
                if self._outbox.late:
                    self._outbox.flush()
                elif self._outbox and not any(future.done() for future in self._running):
                    self._outbox.send_next()
                self._collect()
        except BaseException as error:
            self.give_up(error)
            raise
        finally:
            self._pool.stop()
            self._suggester.close()
            self._pruner.close()

    def ask(self) -> Trial | None:
        """Start one trial more and return it; None when there is none to start, for now or, once `ending`, for ever."""
        before = {trial.number for trial in self._running.values()}
        self._refill(len(self._running) + 1)
        self._outbox.flush()
        return next((trial for trial in self._running.values() if trial.number not in before), None)

    def tell(self) -> None:
        """Write the trials that have ended; with the last of them the study may end."""
        self._collect()
        self._outbox.flush()
        if self.ending is None and not self._running and (due := self._ending_due()):
            self._end(due)

    def give_up(self, error: BaseException) -> None:
        """End the trials that run, as far as the tracking server lets us: nobody will come back to them."""
        self._pool.stop()
        wait(self._running, timeout=GIVE_UP)
        if isinstance(error, TrackingError):
            self._trials.client.abandoned.set()  # it has been waited for long enough
        with contextlib.suppress(Exception):
            self._collect()
        self._outbox.rescue()
        outcome = Outcome("interrupted", reason=f"its study ended by an error: {type(error).__name__}")
        for trial in [*self.history]:
            if trial.running:
                with contextlib.suppress(Exception):
                    self._put(self._trials.finish(trial, outcome))

    def say_interrupted(self) -> None:
        """Tell once which trials are waited for before the study ends; any thread may call it."""
        running = [trial for trial in tuple(self.history) if trial.running]
        with self._saying:
            if self._said or not running:
                return
            self._said = True
        self._callback.on_interrupt(running)

    def know(self, history: Sequence[Trial], retry_failed: bool = False, fresh: bool = False) -> None:
        """Go on from the study's trials as they were taken over, none of which runs, before all else.

        With `retry_failed` those that failed run again too. A `fresh` study was just made: nothing is in its queue yet.
        """
        self.history = [*history]
        self._evaluator.know(history)
        self._next_look = time.monotonic() + LOOK if fresh else 0.0
        if self._by_hand is None or self._confirming.asked:
            self._retries.know(self.history, retry_failed, replicates=self._confirming.asked)
        self._pruner.know(self.history)
        study = self._trials.study
        known, again = len(self.history), len(self._retries)
        logger.info("driving %r (run %s): %d trials, %d of them run again", study.name, study.run_id, known, again)

    def _heed(self, signals: Signals) -> None:
        if signals.level == 1:
            self.say_interrupted()
        # A study whose last trials are killed is not finished, though a stop rule had struck.
        cut_short = signals.level > 1 and self._running and self.ending and self.ending.state == "finished"
        if signals.level and (self.ending is None or cut_short):
            self._end(Ending("interrupted", f"interrupted by {signals.name}", signals.signal))
        elif self._cut and self.ending is None:  # by code in this process that raised KeyboardInterrupt itself
            self._end(Ending("interrupted", self._cut, signal.SIGINT))
        if signals.level > 1:
            self._pool.stop()

    def _refill(self, most: int) -> None:
        """Start trials until so many run, one after another or, with `batch`, as rounds that end together."""
        while self.ending is None:
            number = self._retries.first.number if self._retries else next_number(self.history)
            if (free := self._suggester.free(number, self._running.values(), most)) <= 0:
                return
            self._look()
            if due := self._ending_due():
                self._end(due)
            elif self._retries and self._outbox:
                self._outbox.flush()  # of the attempts before, whose runs may be deleted
            elif self._retries:
                self._start_again(self._retries.pop())
            elif self._waiting:
                self._start_queued(self._waiting.pop(0))
            elif not self._start_new(free):
                return

    def _look(self, at_once: bool = False) -> bool:
        """Look into the queue when there is news of it; return whether anything waits there."""
        if at_once or time.monotonic() >= self._next_look:
            self._waiting = self._queue.waiting()
            self._next_look = time.monotonic() + LOOK
        return bool(self._waiting)

    def _ending_due(self) -> Ending | None:
        rules = self._spec.stop
        waiting = {trial.number for trial in self._retries}  # their retries may yet succeed
        if self._retries.is_hopeless(self.history) and not self._by_hand:
            return Ending("aborted", self._retries.certain)
        if why := why_aborted(rules, [trial for trial in self.history if trial.number not in waiting], self._began):
            return self._ended_by(why) if self._confirming.began else Ending("aborted", why)
        asked_on = any(self._attempts.is_to_train_on(trial) or trial.raised for trial in self._retries)
        if self._waiting or self._by_hand or asked_on:  # what a person asked for runs, whatever the other rules say
            return None
        if self._confirming.began:
            return self._ended_by(late) if (late := why_late(rules, self.history, now())) else None
        why = self._spec.why_searched(self.history, now(), again=bool(self._retries))
        if why and self._confirming.begin(why):
            return None
        return Ending("finished", why) if why and not self._look(at_once=True) else None

    def _ended_by(self, rule: str = "") -> Ending:
        """Return how a confirmation ends, by a rule or by itself: the search that it followed is as it was."""
        return replace(self._by_hand or Ending("finished", ""), why=self._confirming.words(self.history, rule))

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        logger.info("%s: %s", "no new trials" if ending.state == "interrupted" else "stopped", ending.why)

    def _start_new(self, free: int) -> bool:
        suggestions = self._suggestions(free)
        for suggestion in suggestions:
            number = next_number(self.history)
            strategy = CONFIRM if suggestion.replicate else self._spec.strategy.name
            logger.info("trial %d suggested by %s: %s", number, strategy, dict(suggestion.evidence))
            self._start(number, suggestion, strategy)
        if suggestions or self._running:
            return bool(suggestions)
        if self._look(at_once=True):
            return True
        return self._run_out()

    def _suggestions(self, free: int) -> list[Suggestion]:
        if self._confirming.began:
            return self._confirming.suggest(as_known(self.history), free)
        return [] if self._by_hand else self._suggester.suggest(as_known(self.history), free)

    def _run_out(self) -> bool:
        """End the study when there is nothing more to start; return whether its confirmation begins instead."""
        if self._confirming.began:
            self._end(self._ended_by())
        elif self._by_hand:
            self.ending = self._by_hand
        else:
            chosen = self._spec.strategy
            why = f"{chosen.name}: {chosen.conclusion(self._spec.space, self.history)}"
            if self._confirming.begin(why):
                return True
            self._end(Ending("finished", why))
        return False

    def _start_again(self, trial: Trial) -> None:
        known = evidence_names()
        evidence = {name: value for name, value in trial.metrics.items() if name in known}
        how = "on" if trial.train_on or trial.raised else "again"
        logger.info("trial %d runs %s: attempt %d was %s", trial.number, how, trial.attempt, trial.outcome)
        point = Suggestion(trial.params, trial.why, evidence, trial.replicate, trial.seed)
        self._start(trial.number, point, trial.strategy, before=trial)

    def _start_queued(self, queued: Queued) -> None:
        number = next_number(self.history)
        try:
            logger.info("trial %d taken from the queue: run %s", number, queued.run_id)
            self._start(number, queued.suggestion, "manual", queued.run_id)
        except TrackingError:
            if not is_deleted(self._trials.client, queued.run_id):
                raise
            logger.info("trial %d is not run: the run %s was deleted", number, queued.run_id)

    def _start(self, number: int, point: Suggestion, by: str, queued: str = "", before: Trial | None = None) -> None:
        # What starts as a process takes long enough by itself.
        later = self._spec.workers > 1 and self._spec.run.kind in ("function", "objective") and not queued
        slot = next(slot for slot in itertools.count() if slot not in self._slots.values())
        devices = self._pool.devices(slot)
        self._put(trial := self._attempts.start(number, point, by, queued, before, devices, log=not later))
        if later:
            self._outbox.point(trial)
        told = escaped(trial.why)
        logger.info("trial %d attempt %d started: %s (%s)", number, trial.attempt, dict(trial.params), told)
        job = self._attempts.job(trial, slot, devices)
        self._callback.on_trial_start(trial)
        self._starting = trial
        try:
            future = self._pool.submit(job)
        except (BrokenExecutor, RuntimeError) as error:
            self._lose_executor(trial, error)
            return
        finally:
            self._starting = None
        future.add_done_callback(self._note_end)  # this thread may wait for the server just then
        self._running[future] = trial
        self._slots[future] = slot

    def _lose_executor(self, trial: Trial, error: Exception) -> None:
        why = f"the executor takes no more trials: {type(error).__name__}: {error}"
        self._outbox.flush()
        self._put(ended := self._trials.finish(trial, Outcome("interrupted", reason=why)))
        self._callback.on_trial_end(ended, self.history)
        self._end(Ending("interrupted", why))

    def _collect(self) -> None:
        """Take in the trials that have ended: from now on strategies know them, whether or not they are written."""
        timeout = 0.0 if self._outbox else 0.2
        wait(self._running, timeout, FIRST_COMPLETED)
        self._prune()
        done = [future for future in self._running if future.done()]  # some executors tell nobody what they cancel
        for future in sorted(done, key=lambda future: self._running[future].number):
            self._take_in(self._running[future], self._pool.result(future), self._ended.pop(future, time.monotonic()))
            del self._running[future], self._slots[future]
        if time.monotonic() >= self._next_pulse:
            self._pulse()

    def _prune(self) -> None:
        """End those of the trials that run which are hopeless."""
        if self._by_hand:  # where a person tries points, the person decides
            return
        # A replicate tells nothing unless it trains to its end.
        running = {future: trial for future, trial in self._running.items() if not trial.replicate}
        starting = None if self._starting is None or self._starting.replicate else self._starting
        self._pruner.end_hopeless(running, starting, self._pool)

    def _put(self, trial: Trial) -> None:
        """Keep the trial, as it counts, in place of an earlier state of it."""
        index = bisect_left(self.history, trial.number, key=lambda each: each.number)
        known = index < len(self.history) and self.history[index].number == trial.number
        self.history[index : index + known] = [standing(trial)]

    def _note_end(self, future: Future[Outcome]) -> None:
        self._ended[future] = time.monotonic()

    def _take_in(self, trial: Trial, result: Outcome, at: float) -> None:
        """Evaluate how a trial ended; `at` is when, on the clock of `time.monotonic()`."""
        result = self._pruner.outcome(trial, result)
        try:
            found = self._evaluator.evaluate(trial, result, at)
        except TrackingError:
            if not is_deleted(self._trials.client, trial.run_id):
                raise
            found = Evaluation(trial, result)
        outcome = found.outcome
        self._put(ended := ended_trial(found.trial, outcome, found.value, now()))
        self._outbox.end(ended, outcome, self._evaluator.writer(found, ended))
        self._pruner.ended(ended)
        if outcome.kind in ("failed", "timeout") and self._retries.fail(ended, outcome.certain, self.history):
            self._run_again(ended)
        if result.kind == "interrupted" and not result.lost:
            self._cut = result.reason
        elif outcome.kind == "interrupted":  # by the loss of a worker or of the tracking server, and by nobody
            self._run_again(ended)

    def _run_again(self, ended: Trial) -> None:
        self._retries.add(ended)
        if self.ending is not None and self.ending.state == "finished":
            self.ending = None  # a rule had struck while this trial ran: its budget has room for it still

    def _told(self, ended: Trial) -> None:
        """Note that the tracking server knows how a trial ended, or has lost its run."""
        self._put(ended)
        if ended.reason == DELETED:
            self._retries.drop(ended)
        how = f"{ended.outcome} {ended.value} {escaped(ended.reason)}"
        logger.info("trial %d attempt %d ended: %s", ended.number, ended.attempt, how.rstrip())
        self._callback.on_trial_end(ended, self.history)

    def _pulse(self) -> None:
        if (guard := self._trials.client.guard) is not None:
            guard()  # what runs is stopped soon after somebody has taken the study over, not at the next write
        self._publisher.pulse(self.history)
        if self.ending is None:
            parent = self._publisher.parent()
            if parent.stop_request:
                self._end(Ending("interrupted", "`mlflow-tune stop` asked for it"))
            if parent.queue_news != self._news:
                self._news = parent.queue_news
                self._next_look = 0.0
        self._next_pulse = time.monotonic() + PULSE
