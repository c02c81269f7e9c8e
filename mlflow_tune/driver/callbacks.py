"""Whoever looks on while a study is driven."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.text import short
from mlflow_tune.trial import Trial

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """Whoever shows a study's progress."""

    def began(self, spec: StudySpec, links: Mapping[str, str]) -> None:
        """Tell that the study is on the tracking server, where it is seen, and that its trials begin."""

    def started(self, trial: Trial) -> None:
        """Tell that a trial has started."""

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Tell that a trial has ended."""

    def stands(self, history: Sequence[Trial], asked: int) -> None:
        """Tell, in each round of the loop, of all trials; `asked` is the level of `Signals`."""


class SilentListener:
    """A listener that shows nothing."""

    def began(self, spec: StudySpec, links: Mapping[str, str]) -> None:
        """Show nothing."""

    def started(self, trial: Trial) -> None:
        """Show nothing."""

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Show nothing."""

    def stands(self, history: Sequence[Trial], asked: int) -> None:
        """Show nothing."""


class SteadyListener:
    """Hands on what it is told to another listener. What that raises is told once, and never ends a study."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._failed = False

    def began(self, spec: StudySpec, links: Mapping[str, str]) -> None:
        """Hand it on."""
        self._hand_on(self._listener.began, spec, links)

    def started(self, trial: Trial) -> None:
        """Hand it on."""
        self._hand_on(self._listener.started, trial)

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Hand it on."""
        self._hand_on(self._listener.ended, trial, history)

    def stands(self, history: Sequence[Trial], asked: int) -> None:
        """Hand it on."""
        self._hand_on(self._listener.stands, history, asked)

    def _hand_on(self, tell: Callable[..., None], *what: Any) -> None:
        try:
            tell(*what)
        except Exception as error:  # whatever other people's code raises
            level = logging.DEBUG if self._failed else logging.WARNING
            said = short(f"{type(error).__name__}: {error}")
            logger.log(level, "whoever looks on failed (%s); the study goes on, and this is said once", said)
            self._failed = True
