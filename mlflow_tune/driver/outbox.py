"""What the tracking server is still to be told of trials, while free workers get their next ones first."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from mlflow_tune.driver.publisher import Publisher
from mlflow_tune.errors import TrackingError
from mlflow_tune.launchers.output import REMEDY
from mlflow_tune.tracking import Trials, is_deleted, without_run
from mlflow_tune.tracking.records import now
from mlflow_tune.trial import Outcome, Trial

MOST_WAIT = 1.0  # seconds: where workers never leave time for it, what waits is sent all the same


class Outbox:
    """Sends in the order in which things happened; `told` is called with each ended trial that was sent.

    What a killed driver had not sent is as if it had not happened: the trial runs again. So nothing waits for long.
    """

    def __init__(self, trials: Trials, publisher: Publisher, told: Callable[[Trial], None]) -> None:
        self._trials = trials
        self._publisher = publisher
        self._told = told
        self._waiting: deque[tuple[float, Trial, Callable[[], object]]] = deque()
        self._refused: dict[str, str] = {}

    def __bool__(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._waiting)

    @property
    def late(self) -> bool:
        """Whether something has waited for too long."""
        return bool(self._waiting) and time.monotonic() - self._waiting[0][0] > MOST_WAIT

    def point(self, trial: Trial) -> None:
        """Log the point of a trial that was started."""
        self._put(trial, lambda: self._send_point(trial))

    def end(self, ended: Trial, outcome: Outcome, before: Callable[[], None] | None = None) -> None:
        """Write how a trial ended; what is to be written `before` comes first."""
        if before:
            self._put(ended, lambda: self._unless_deleted(ended, before))
        if outcome.output:
            self._put(ended, lambda: self._send_output(ended, outcome.output))
        self._put(ended, lambda: self._send_end(ended, outcome))
        self._put(ended, lambda: self._send_status(ended))

    def _put(self, trial: Trial, send: Callable[[], object]) -> None:
        self._waiting.append((time.monotonic(), trial, send))

    def send_next(self) -> None:
        """Send what has waited longest; when that raises it waits on."""
        self._waiting[0][-1]()
        self._waiting.popleft()

    def flush(self) -> None:
        """Send all that waits."""
        while self._waiting:
            self.send_next()

    def rescue(self) -> None:
        """Send what can be sent of all that waits; of a trial nothing follows what failed."""
        failed: set[str] = set()
        while self._waiting:
            _, trial, send = self._waiting.popleft()
            try:
                if trial.run_id not in failed:
                    send()
            except Exception:  # whatever it is, there is an error already that will be told
                failed.add(trial.run_id)

    def _send_point(self, trial: Trial) -> None:
        def send() -> None:
            if reason := self._trials.log_point(trial):
                self._refused[trial.run_id] = f"{reason}. {REMEDY}"

        self._unless_deleted(trial, send)

    def _send_output(self, ended: Trial, output: bytes) -> None:
        self._publisher.keep(f"what trial {ended.number} printed", lambda: self._trials.log_output(ended, output))

    def _send_end(self, ended: Trial, outcome: Outcome) -> None:
        ended = self._unless_refused(ended)
        if ended.run_id in self._refused:
            outcome = Outcome("failed", reason=ended.reason)
        self._unless_deleted(ended, lambda: self._trials.log_end(ended, outcome))

    def _send_status(self, ended: Trial) -> None:
        ended = self._unless_refused(ended)
        sent = self._unless_deleted(ended, lambda: self._trials.terminate(ended))
        self._told(ended if sent else without_run(ended, now()))

    def _unless_refused(self, ended: Trial) -> Trial:
        """Return the trial, failed when MLflow refused a param: ours, or the code's had it come later."""
        if not (reason := self._refused.get(ended.run_id)):
            return ended
        return replace(ended, outcome="failed", value=None, reason=reason)

    def _unless_deleted(self, trial: Trial, send: Callable[[], None]) -> bool:
        try:
            send()
        except TrackingError:
            if (guard := self._trials.client.guard) is not None:
                guard()  # it may have been in flight while another driver took the study over
            if not is_deleted(self._trials.client, trial.run_id):
                raise
            return False
        return True
