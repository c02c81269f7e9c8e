"""How a session of a study ended."""

from __future__ import annotations

from dataclasses import dataclass

from mlflow_tune.tracking import StudyState


@dataclass(frozen=True)
class Ending:
    """How a drive ended: the study's state, the words for it, and the signal that interrupted it."""

    state: StudyState
    why: str
    signal: int | None = None
