"""What the tracking server is still to be told of trials, while free workers get their next ones first."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable
from functools import partial

from mlflow_tune.errors import TrackingError
from mlflow_tune.publisher import Publisher
from mlflow_tune.tracking import Trials, is_deleted, without_run
from mlflow_tune.tracking.records import now
from mlflow_tune.trial import Outcome, Trial


class Outbox:
    """Sends in the order in which things happened; `told` is called with each ended trial that was sent.

    What a killed driver had not sent is as if it had not happened: the trial runs again.
    """

    def __init__(self, trials: Trials, publisher: Publisher, told: Callable[[Trial], None]) -> None:
        self._trials, self._publisher, self._told = trials, publisher, told
        self._waiting: deque[Callable[[], object]] = deque()

    def __bool__(self) -> bool:
        """Whether anything waits to be sent."""
        return bool(self._waiting)

    def point(self, trial: Trial) -> None:
        """Log the point of a trial that was started."""
        self._waiting.append(partial(self._unless_deleted, trial, lambda: self._trials.log_point(trial)))

    def end(self, ended: Trial, outcome: Outcome) -> None:
        """Write how a trial ended."""
        if outcome.output:
            self._waiting.append(partial(self._send_output, ended, outcome.output))
        self._waiting.append(partial(self._unless_deleted, ended, lambda: self._trials.log_end(ended, outcome)))
        self._waiting.append(partial(self._send_status, ended))

    def send_next(self) -> None:
        """Send what has waited longest; when that raises it waits on."""
        self._waiting[0]()
        self._waiting.popleft()

    def flush(self, suppress: type[Exception] | None = None) -> None:
        """Send all that waits; an error of the kind to suppress loses what raised it."""
        while self._waiting:
            if suppress is None:
                self.send_next()
            else:
                with contextlib.suppress(suppress):
                    self._waiting.popleft()()

    def _unless_deleted(self, trial: Trial, send: Callable[[], None]) -> bool:
        try:
            send()
        except TrackingError:
            if not is_deleted(self._trials.client, trial.run_id):
                raise
            return False
        return True

    def _send_output(self, ended: Trial, output: bytes) -> None:
        self._publisher.keep(f"what trial {ended.number} printed", lambda: self._trials.log_output(ended, output))

    def _send_status(self, ended: Trial) -> None:
        sent = self._unless_deleted(ended, lambda: self._trials.terminate(ended))
        self._told(ended if sent else without_run(ended, now()))
