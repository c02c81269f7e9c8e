"""Whoever looks on while a study is driven."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.trial import Trial


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
