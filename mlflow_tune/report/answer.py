"""What a search for a point has come to, in words: its answer, and between which values that lies."""

from __future__ import annotations

from collections.abc import Sequence

from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.text import param_text, point_text
from mlflow_tune.trial import Trial


def answer_lines(spec: StudySpec, trials: Sequence[Trial]) -> list[str]:
    """Return what a search for a point has come to, and between which values it lies; nothing of any other."""
    strategy = spec.strategy
    lines = []
    if found := strategy.answer(spec.space, trials):
        where = f"trial {found.number}, run {found.run_id}"
        lines.append(f"{strategy.name} has come to {point_text(found.params)} at {where}")
    elif strategy.requirement is not None:
        lines.append(f"no trial was seen to meet {strategy.requirement}")
    if bracket := strategy.bracket(spec.space, trials):
        lines.append(f"bracket {' to '.join(map(param_text, bracket))}")
    return lines
