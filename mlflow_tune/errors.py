"""What can go wrong, and who acts next.

TuneError                    exit code 1
├── InputError               2   fix the study file, the option or the argument that is named
│   └── StudyNotFound        2   name a study that exists
├── StudyConflict            2   resume the study that exists, or choose another name
├── StudyFailed              1   fix the code that is named, then run the failed trials again
├── TrackingError            3   look after the tracking server, then resume: nothing is lost
│   └── AccessRefused        3   get the right credentials or permissions
└── InternalError            1   report a bug
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any


class TuneError(Exception):
    """The base of every error that mlflow_tune raises on purpose."""

    exit_code = 1


class InputError(TuneError, ValueError):
    """Something that a person wrote breaks a rule; the message states the rule and the values.

    `key` is the path to the culprit (`space.lr.low`), empty when there is none. `others` are faults that were found
    beside this one: each has a line of its own.
    """

    exit_code = 2

    def __init__(self, message: str, key: str = "", others: Sequence[InputError] = ()) -> None:
        super().__init__("\n".join([f"{key}: {message}" if key else message, *map(str, others)]))
        self.message = message
        self.key = key
        self.others = tuple(others)

    @property
    def faults(self) -> list[InputError]:
        """This fault alone, and each of the others."""
        return [type(self)(self.message, self.key), *self.others]

    def under(self, prefix: str) -> InputError:
        """Return the same error with `prefix` before its key, and before those of the others."""
        others = [other.under(prefix) for other in self.others]
        return type(self)(self.message, f"{prefix}.{self.key}" if self.key else prefix, others)


class Faults:
    """Faults that are told together: what is raised within `at` is kept until `tell`."""

    def __init__(self) -> None:
        self._found: list[InputError] = []

    @contextmanager
    def at(self, key: str = "") -> Iterator[None]:
        """Keep the `InputError` that is raised within, with `key` before its own."""
        try:
            yield
        except InputError as error:
            self.add(error.under(key) if key else error)

    def add(self, error: InputError) -> None:
        """Keep an error, with all its faults."""
        self._found += error.faults

    def tell(self) -> None:
        """Raise what was kept as one `InputError`, whose message and key are those of the first fault."""
        if self._found:
            first, *others = self._found
            raise InputError(first.message, first.key, others)


class StudyNotFound(InputError, LookupError):
    """No study has this name or run id in the experiment."""


class NothingFound(InputError):
    """No trial of the study has a value, which what was asked for needs."""

    exit_code = 1


class StudyConflict(TuneError):
    """The study exists already, or is in a state that does not allow what was asked."""

    exit_code = 2


class StudyFailed(TuneError):
    """The study was aborted, or ended without a value: `study` is the `Study`, all of whose trials can be looked at.

    The message holds why the first trial failed, and what to do.
    """

    def __init__(self, message: str, study: Any) -> None:
        super().__init__(message)
        self.study = study


class TrackingError(TuneError):
    """The tracking server is out of reach or answers nonsense; what it holds is safe."""

    exit_code = 3


class AccessRefused(TrackingError):
    """The tracking server knows who we are, or wants to, and says no."""


class InternalError(TuneError):
    """A promise that this package makes to itself was broken: please report it."""
