"""Whoever looks on while a study is driven: told of what happens, asked nothing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.text import short
from mlflow_tune.tracking import StudyState
from mlflow_tune.trial import Trial

logger = logging.getLogger(__name__)


class Callback:
    """What `run(callbacks=[...])` and `resume(callbacks=[...])` tell of a study; here, every method does nothing.

    A subclass overrides those that it needs; an object of another class that has some of them serves as well. They are
    called in the thread that drives the study, which waits for them, but for `on_interrupt`. What they raise is told
    once, and never ends a study. A `history` holds every trial so far once, by number, and must not be changed.
    """

    def on_study_start(self, spec: StudySpec, links: Mapping[str, str], history: Sequence[Trial]) -> None:
        """Tell that the study is on the tracking server, where it is seen, and that its trials begin."""

    def on_trial_start(self, trial: Trial) -> None:
        """Tell that a trial has started."""

    def on_trial_end(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Tell that a trial has ended: the tracking server knows its outcome."""

    def on_interrupt(self, running: Sequence[Trial]) -> None:
        """Tell once, after the first Ctrl-C, which trials are waited for. Called in any thread."""

    def on_report_start(self) -> None:
        """Tell that no more trials run, and that the report is drawn, which takes seconds."""

    def on_study_end(self, state: StudyState, why: str, history: Sequence[Trial]) -> None:
        """Tell that the study has ended, or was interrupted; all of it is on the tracking server."""


NAMES = tuple(name for name in vars(Callback) if name.startswith("on_"))


class Callbacks(Callback):
    """Tells each of several, in their order, whatever those before it raise.

    Raises InputError for an object without any of the methods.
    """

    def __init__(self, callbacks: Sequence[object]) -> None:
        for each in callbacks:
            if not any(callable(getattr(each, name, None)) for name in NAMES):
                raise InputError(f"a callback has at least one of {', '.join(NAMES)}, but got {each!r}", "callbacks")
        self._callbacks = tuple(callbacks)
        self._failed: set[int] = set()  # the callbacks of which it has been told that they fail, by their places

    def on_study_start(self, spec: StudySpec, links: Mapping[str, str], history: Sequence[Trial]) -> None:
        """Tell each."""
        self._tell("on_study_start", spec, links, history)

    def on_trial_start(self, trial: Trial) -> None:
        """Tell each."""
        self._tell("on_trial_start", trial)

    def on_trial_end(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Tell each."""
        self._tell("on_trial_end", trial, history)

    def on_interrupt(self, running: Sequence[Trial]) -> None:
        """Tell each."""
        self._tell("on_interrupt", running)

    def on_report_start(self) -> None:
        """Tell each."""
        self._tell("on_report_start")

    def on_study_end(self, state: StudyState, why: str, history: Sequence[Trial]) -> None:
        """Tell each."""
        self._tell("on_study_end", state, why, history)

    def _tell(self, name: str, *what: Any) -> None:
        for place, each in enumerate(self._callbacks):
            try:
                if (method := getattr(each, name, None)) is not None:
                    method(*what)
            except Exception as error:  # whatever other people's code raises
                level = logging.DEBUG if place in self._failed else logging.WARNING
                said = short(f"{type(error).__name__}: {error}")
                logger.log(level, "whoever looks on failed (%s); the study goes on, and this is said once", said)
                self._failed.add(place)
