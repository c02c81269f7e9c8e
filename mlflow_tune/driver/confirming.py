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
        """Return up to `free` replicates: the plan says how many there are, whatever the search has taken."""
        confirmation = self._standing(history)
        return [] if confirmation is None else confirmation.next(free)

    def words(self, history: Sequence[Trial], rule: str = "") -> str:
        """Return why the search was over, where it was, the `rule` that ends the confirmation, and what came of it."""
        confirmation = self._standing(history)
        told = (self._after, rule, confirmation.words if confirmation else "")
        return "; ".join(dict.fromkeys(filter(None, told)))

    def _standing(self, history: Sequence[Trial]) -> Confirmation | None:
        return self._spec.confirmation(history, self.seeds)
