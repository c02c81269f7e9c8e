"""What every strategy is: a pure function of the history, and the hooks by which it may say more about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from mlflow_tune.space import Space
from mlflow_tune.strategies.constraint import Constraint
from mlflow_tune.trial import Params, Suggestion, Trial


@dataclass(frozen=True)
class Posterior:
    """What a model believes of some points, a number each.

    `mean` and `std` of the function are in the metric's own units and sign; of `acquisition`, which bears a name of its
    own, the largest is chosen.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    acquisition: tuple[float, ...]
    acquisition_name: str


@dataclass(frozen=True)
class Band:
    """How what a model had predicted of a trial came out.

    `level` is that of the narrowest central band of its prediction that holds the trial's value, from 0 to 1: of trials
    whose model is right, 80 % have one of 0.8 or less. `low` and `high` are the ends of the band of 95 %, in the
    metric's own units.
    """

    level: float
    low: float
    high: float


@dataclass(frozen=True)
class Strategy(ABC):
    """Chooses the next trials from what the tracking store holds, and from nothing else.

    A strategy is a frozen dataclass of its options: equal options and an equal history give equal answers, in
    any process. Randomness is keyed by `numpy.random.default_rng([seed, number])` for trial `number`. One that
    depends on the values has a field `goal`, which the study's goal fills; a study file does not give it. An option
    that is out of range raises `InputError` with the option's name as its key.

    A strategy must have a `name` and `suggest`. All else are hooks with defaults, for a strategy that does not need
    them; whoever works with strategies calls them, and never asks which strategy it has.
    """

    name: ClassVar[str]
    """The word that a study file uses for the strategy."""

    evidence: ClassVar[tuple[str, ...]] = ()
    """The names of the numbers behind a choice, `Suggestion.evidence`: metrics of the trials that no study may use."""

    has_model: ClassVar[bool] = False
    """Whether a model chooses the points. Such a strategy's evidence has `predicted_mean`, `predicted_std` (of the
    trial's value) and `expected_improvement`, relative to the spread of the values, which a stop rule reads."""

    takes_long: ClassVar[bool] = False
    """Whether a suggestion takes so long that workers should not wait for it."""

    in_rounds: ClassVar[bool] = False
    """Whether the points of a batch depend on its size, so that the next batch waits for all of them."""

    has_end: ClassVar[bool] = False
    """Whether it has an end of its own, not only a last point that is left: a smaller budget would cut it off."""

    by_hand: ClassVar[bool] = False
    """Whether a person goes on with the study, which is over as soon as the strategy has nothing to ask for."""

    @abstractmethod
    def suggest(self, space: Space, history: Sequence[Trial], count: int) -> list[Suggestion]:
        """Return up to `count` points, for the trials numbered after the last of `history`.

        `history` holds every trial once, by number: finished, failed and running. An empty answer while
        trials run means "wait for them"; with none running it means that the strategy has ended.
        """

    # What it can search, and for how long.

    def check(self, space: Space) -> None:
        """Raise `InputError` when the strategy cannot search this space."""

    def length(self, space: Space) -> int | None:
        """Return how many trials it asks for at the most, None when it never ends by itself.

        By default that is the number of points of the space. For a strategy that works in rounds it is what one
        worker runs.
        """
        return space.size

    # What it searches for, when that is not the best value alone.

    @property
    def requirement(self) -> Constraint | None:
        """The constraint that a trial must meet, None without one."""
        return None

    def is_feasible(self, trial: Trial) -> bool:
        """Return whether the trial ended well and meets the constraint, if there is one."""
        constraint = self.requirement
        return trial.outcome == "ok" and (constraint is None or constraint.is_met(trial))

    def eligible(self, history: Sequence[Trial]) -> list[Trial]:
        """Return the history with the values of those trials taken away that may not be the best."""
        return [
            trial if trial.value is None or self.is_feasible(trial) else replace(trial, value=None) for trial in history
        ]

    def answer(self, space: Space, history: Sequence[Trial]) -> Trial | None:
        """Return the trial that a search for something else than the best value has come to; None with any other."""
        return None

    # What it tells a person.

    def findings(self, space: Space, history: Sequence[Trial]) -> list[str]:
        """Return, a sentence each, what speaks against the strategy's assumptions, and what to use instead."""
        return []

    def conclusion(self, space: Space, history: Sequence[Trial]) -> str:
        """Return in words what a strategy that asks for nothing more has come to."""
        return "every point that it asks for has been tried"

    def bracket(self, space: Space, history: Sequence[Trial]) -> tuple[float, float] | None:
        """Return between which values (low, high) of the only parameter it still looks, None when it has no such."""
        return None

    def posterior(self, space: Space, history: Sequence[Trial], points: Sequence[Params]) -> Posterior | None:
        """Return what the model that chose the trial after `history` believed of the points, None without a model."""
        return None

    def band(self, space: Space, history: Sequence[Trial], trial: Trial) -> Band | None:
        """Return how the prediction of the trial's value came out, None where no model chose it or it has no value.

        `history` are the trials that had ended when it was chosen.
        """
        return None


def next_number(history: Sequence[Trial]) -> int:
    """Return the number that the next new trial gets; trials are numbered from 1, and `history` is by number."""
    return history[-1].number + 1 if history else 1
