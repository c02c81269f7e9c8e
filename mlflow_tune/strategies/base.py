"""The one thing that every strategy is: a pure function of the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from mlflow_tune.space import Space
from mlflow_tune.trial import Suggestion, Trial


class Strategy(Protocol):
    """Chooses the next trials from what the tracking store holds, and from nothing else.

    A strategy is a frozen dataclass of its options: equal options and an equal history give equal answers, in
    any process. Randomness is keyed by `numpy.random.default_rng([seed, number])` for trial `number`. One that
    depends on the values has a field `goal`, which the study's goal fills; a study file does not give it.
    """

    @property
    def name(self) -> str:
        """The word that a study file uses for the strategy."""
        ...

    def check(self, space: Space) -> None:
        """Raise `InputError` when the strategy cannot search this space."""
        ...

    def length(self, space: Space) -> int | None:
        """Return how many trials the strategy asks for at the most, None when it never ends by itself."""
        ...

    def suggest(self, space: Space, history: Sequence[Trial], count: int) -> list[Suggestion]:
        """Return up to `count` points, for the trials numbered after the last of `history`.

        `history` holds every trial once, by number: finished, failed and running. An empty answer while
        trials run means "wait for them"; with none running it means that the strategy has ended.
        """
        ...


def conclusion(strategy: Strategy, space: Space, history: Sequence[Trial]) -> str:
    """Return in words what a strategy that asks for nothing more has come to."""
    concluded = getattr(strategy, "conclusion", None)
    return str(concluded(space, history)) if concluded else "every point that it asks for has been tried"


def answer(strategy: Strategy, space: Space, history: Sequence[Trial]) -> Trial | None:
    """Return the trial that a search for something else than the best value has come to; None with any other."""
    answered = getattr(strategy, "answer", None)
    found: Trial | None = answered(space, history) if answered else None
    return found


def takes_long(strategy: Strategy) -> bool:
    """Whether a suggestion takes so long that workers should not wait for it."""
    return bool(getattr(strategy, "takes_long", False))


def eligible(strategy: Strategy, history: Sequence[Trial]) -> list[Trial]:
    """Return the history with the values of those trials taken away that do not meet the strategy's constraint."""
    meets = getattr(strategy, "is_feasible", None)
    return [trial if meets is None or meets(trial) else replace(trial, value=None) for trial in history]


def next_number(history: Sequence[Trial]) -> int:
    """Return the number that the next new trial gets; trials are numbered from 1, and `history` is by number."""
    return history[-1].number + 1 if history else 1
