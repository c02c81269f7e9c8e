"""Which trials run again, and when failures say that none ever will."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from mlflow_tune.trial import Trial


class Retries:
    """The trials that wait to run again, first come first served.

    `most` is how often a trial that fails does, and `is_to_train_on` says of which trials a person asked for more.
    """

    def __init__(self, most: int, is_to_train_on: Callable[[Trial], bool]) -> None:
        self._most = most
        self._is_to_train_on = is_to_train_on
        self._waiting: list[Trial] = []
        self._failures: Counter[int] = Counter()
        self.certain = ""  # why every trial would fail, as one of them tells

    def __iter__(self) -> Iterator[Trial]:
        return iter(self._waiting)

    def __len__(self) -> int:
        return len(self._waiting)

    def know(self, history: Sequence[Trial], failed: bool, replicates: bool) -> None:
        """Begin with what was left unfinished: with `failed` what failed too, with `replicates` these alone."""
        unfinished = ("interrupted", "failed", "timeout") if failed else ("interrupted",)
        if replicates:
            self._waiting = [each for each in history if each.outcome in unfinished and each.replicate]
        else:
            self._waiting = [each for each in history if each.outcome in unfinished or self._is_to_train_on(each)]

    @property
    def first(self) -> Trial:
        """The next one."""
        return self._waiting[0]

    def pop(self) -> Trial:
        """Take the next one out."""
        return self._waiting.pop(0)

    def add(self, trial: Trial) -> None:
        """Let a trial run again."""
        self._waiting.append(trial)

    def drop(self, trial: Trial) -> None:
        """Forget a trial whose run is deleted."""
        self._waiting = [each for each in self._waiting if each.number != trial.number]

    def fail(self, ended: Trial, certain: bool, history: Sequence[Trial]) -> bool:
        """Note that a trial failed, `certain` to fail again; return whether it is worth another attempt."""
        if certain and not self.certain:
            self.certain = f"trial {ended.number} failed as every one would: {ended.reason}"
        self._failures[ended.number] += 1
        return not self.is_hopeless(history) and self._failures[ended.number] <= self._most

    def is_hopeless(self, history: Sequence[Trial]) -> bool:
        """Say whether all that is known of the study's code is a failure that every trial will share."""
        return bool(self.certain) and all(trial.value is None for trial in history)
