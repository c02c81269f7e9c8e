"""How a drive ended."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_tune.tracking import StudyState


@dataclass(frozen=True)
class Ending:
    """The study's state, the words for it, and the signal that interrupted it.

    `as_asked` is whether it did all that a person asked for, though the study may go on: nothing was broken off.
    """

    state: StudyState
    why: str
    signal: int | None = None
    as_asked: bool = False
