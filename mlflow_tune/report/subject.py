"""What every figure and table is about, as frozen data: the study's metric, its goal, its space."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_tune.space import Space
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.text import value_text
from mlflow_tune.trial import Goal, Trial, ranked


@dataclass(frozen=True)
class Subject:
    """The study that is drawn.

    `unmet` are the numbers of the trials that break the study's constraint: they are drawn, and never the best.
    """

    metric: str
    goal: Goal
    space: Space
    unmet: frozenset[int] = frozenset()

    @property
    def sense(self) -> str:
        """The goal in words for an axis: lower is better, or higher."""
        return f"{'lower' if self.goal == 'minimize' else 'higher'} is better"

    def best(self, trials: Sequence[Trial]) -> Trial | None:
        """Return the best trial that meets the constraint, if any."""
        return next(iter(self.ranked(trials)), None)

    def ranked(self, trials: Sequence[Trial]) -> list[Trial]:
        """Return the trials with a value that meet the constraint, the best first, the earlier of equals first."""
        return ranked((trial for trial in scored(trials) if trial.number not in self.unmet), self.goal)

    def spread(self, trials: Sequence[Trial], most: int) -> list[Trial]:
        """Return those of `ranked`, the best last; of more than `most` a part, evenly from the worst to the best."""
        found = self.ranked(trials)
        return found[:: -(-len(found) // most) or 1][::-1]


def scored(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials with a finite value, by number."""
    found = [trial for trial in trials if trial.value is not None and math.isfinite(trial.value)]
    return sorted(found, key=lambda trial: trial.number)


def value_of(trial: Trial) -> float:
    """Return the trial's value, NaN when it has none."""
    return math.nan if trial.value is None else trial.value


def param_words(trial: Trial, name: str) -> str:
    """Return `lr = 0.01` in full, for the words beside a figure; `nothing` where the trial lacks the parameter."""
    return f"{name} = {value_text(trial.params[name]) if name in trial.params else 'nothing'}"


def without_value(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials that ended by themselves without a value, by number."""
    return sorted((trial for trial in trials if trial.done and trial.value is None), key=lambda trial: trial.number)


def subject_of(spec: StudySpec, history: Sequence[Trial]) -> Subject:
    """Return what the figures are about."""
    judged = zip(history, spec.strategy.eligible(history), strict=True)
    unmet = frozenset(trial.number for trial, kept in judged if trial.value is not None and kept.value is None)
    return Subject(spec.metric, spec.goal, spec.space, unmet)
