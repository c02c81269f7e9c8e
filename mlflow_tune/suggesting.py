"""What a strategy asks for next, for as many workers as are free."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from mlflow_tune.spec import StudySpec
from mlflow_tune.strategies.base import Strategy, next_number, takes_long
from mlflow_tune.trial import Suggestion, Trial


class Suggester:
    """Asks a study's strategy, within its budget of trials."""

    def __init__(self, spec: StudySpec) -> None:
        self._spec = spec
        self._strategy: Strategy = spec.strategy
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow-tune-suggester")
        self._number, self._prepared = 0, Future[list[Suggestion]]()

    def free(self, history: Sequence[Trial], again: Sequence[Trial], most: int) -> int:
        """Return how many trials may start, those that run `again` first, where at most so many may run.

        A round of a batch goes by numbers, so that a resume goes on in the middle of one.
        """
        running, size = [trial.number for trial in history if trial.running], self._spec.workers
        if not self._spec.batch:
            return most - len(running)
        number = again[0].number if again else next_number(history)
        other = any((each - 1) // size != (number - 1) // size for each in running)
        return min(most - len(running), 0 if other else size - (number - 1) % size)

    def suggest(self, history: Sequence[Trial], free: int) -> list[Suggestion]:
        """Return up to `free` suggestions; one that was prepared comes alone, and first."""
        if self._number == next_number(history) and (prepared := self._prepared.result()):
            return prepared
        left = self._spec.stop.trials - len(history) if self._spec.stop.trials else free
        return self._strategy.suggest(self._spec.space, history, min(free, left))

    def prepare(self, history: Sequence[Trial]) -> None:
        """Begin on the next suggestion in another thread, where that takes long: it may miss a result or two then.

        One worker alone waits for the suggestion, which then knows all results, and so do the workers of a batch.
        """
        number, alone = next_number(history), self._spec.workers == 1 or self._spec.batch
        left = not self._spec.stop.trials or len(history) < self._spec.stop.trials
        if takes_long(self._strategy) and left and not alone and self._number != number:
            call = self._strategy.suggest
            self._number, self._prepared = number, self._thread.submit(call, self._spec.space, [*history], 1)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(cancel_futures=True)
