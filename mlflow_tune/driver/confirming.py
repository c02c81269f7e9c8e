"""The last part of a study that is confirmed: its search is over, and its best trials run again under fresh seeds."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies.confirmation import Confirmation
from mlflow_tune.strategies.seeds import Seeds
from mlflow_tune.trial import Suggestion, Trial

logger = logging.getLogger(__name__)


class Confirming:
    """Asks for the replicates of one study, once its search is over.

    `asked` says that a person wants the confirmation now, wherever the search stands.
    """

    def __init__(self, spec: StudySpec, seeds: Seeds, asked: bool = False) -> None:
        self.seeds = seeds
        self.asked = asked
        self._spec = spec
        self._after = ""  # why the search is over

    @property
    def began(self) -> bool:
        """Whether the search is over, and the study is to be confirmed."""
        return self.asked or bool(self._after)

    def begin(self, why: str) -> bool:
        """Note why the search is over; return whether the study is to be confirmed now."""
        if self._spec.confirm is None or self.began:
            return False
        self._after = why
        logger.info("the search is over (%s): the best trials run again", why)
        return True

    def suggest(self, history: Sequence[Trial], free: int) -> list[Suggestion]:
        """Return up to `free` replicates, within the budget of trials."""
        budget = self._spec.stop.trials
        left = free if budget is None else budget - len(history)
        confirmation = self._standing(history)
        return confirmation.next(min(free, left)) if confirmation is not None and left > 0 else []

    def words(self, history: Sequence[Trial]) -> str:
        """Return why the search was over, where it was, and what the confirmation has come to."""
        confirmation = self._standing(history)
        return "; ".join(filter(None, (self._after, confirmation.words if confirmation else "")))

    def _standing(self, history: Sequence[Trial]) -> Confirmation | None:
        return self._spec.confirmation(history, self.seeds)
