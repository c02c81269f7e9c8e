"""What a strategy asks for next, for as many workers as are free."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies.base import Strategy, next_number
from mlflow_tune.trial import Suggestion, Trial, searched, usual_seconds

WORTH = 0.01  # of a trial's time: a suggestion that takes less is made anew, with all results
LATEST = 20


class Suggester:
    """Asks a study's strategy, within its budget of trials."""

    def __init__(self, spec: StudySpec) -> None:
        self._spec = spec
        self._strategy: Strategy = spec.strategy
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow-tune-suggester")
        self._number = 0
        self._prepared = Future[list[Suggestion]]()
        self._prepared.cancel()
        self._took = math.inf

    def free(self, number: int, running: Collection[Trial], most: int) -> int:
        """Return how many trials may start, the next one with this number, where at most so many may run.

        A round of a batch goes by numbers, so that a resume goes on in the middle of one.
        """
        if not self._spec.batch:
            return most - len(running)
        size = self._spec.workers
        other = any((trial.number - 1) // size != (number - 1) // size for trial in running)
        return min(most - len(running), 0 if other else size - (number - 1) % size)

    def suggest(self, history: Sequence[Trial], free: int) -> list[Suggestion]:
        """Return up to `free` suggestions; one that was prepared comes alone, and first."""
        found = [] if self._prepared.cancel() else self._prepared.result()
        if found and self._number == next_number(history) and self._took > WORTH * usual_seconds(history[-LATEST:]):
            return found
        budget = self._spec.search_trials
        left = free if budget is None else budget - len(searched(history))
        return self._strategy.suggest(self._spec.space, history, min(free, left))

    def prepare(self, history: Sequence[Trial]) -> None:
        """Begin on the next suggestion in another thread, where workers would wait long for it.

        It may miss the results that come meanwhile: one worker alone waits for the suggestion, which then knows all,
        and so do the workers of a batch, and those whose trials take far longer.
        """
        number = next_number(history)
        alone = self._spec.workers == 1 or self._spec.batch
        budget = self._spec.search_trials
        left = budget is None or len(searched(history)) < budget
        if self._strategy.takes_long and left and not alone and self._number != number and self._prepared.done():
            self._prepared = self._thread.submit(self._timed, [*history])
            self._number = number

    def _timed(self, history: Sequence[Trial]) -> list[Suggestion]:
        began = time.monotonic()
        found = self._strategy.suggest(self._spec.space, history, 1)
        self._took = time.monotonic() - began
        return found

    def close(self) -> None:
        """Leave the thread to itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)
