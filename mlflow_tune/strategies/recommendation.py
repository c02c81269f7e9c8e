"""Which trial's parameters to use, and what may be expected of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_tune.space import Space
from mlflow_tune.strategies.base import Strategy
from mlflow_tune.strategies.confirmation import Confirmation
from mlflow_tune.text import number_text, trial_label
from mlflow_tune.text.numbers import METRIC_DIGITS, digits_between
from mlflow_tune.trial import Goal, Trial, best_trial


@dataclass(frozen=True)
class Recommendation:
    """The trial whose parameters to use, why it is that one, and its value.

    After a confirmation `value` is the mean over the fresh seeds, before it what was seen. The true value, which the
    mean of many runs would come to, lies in `interval` (low, high) to 90 %; None where that cannot be told. It is
    `confirmed` when fresh seeds, or the lack of any noise in reruns, say so.
    """

    trial: Trial
    value: float | None
    interval: tuple[float, float] | None
    confirmed: bool
    why: str

    @property
    def tells(self) -> bool:
        """Whether there is more to say than that it is the best which was seen."""
        return self.confirmed or self.interval is not None

    def sentence(self, metric: str) -> str:
        """Return the recommendation in one line."""
        low, high = self.interval or (0.0, 0.0)
        digits = digits_between(low, high) if low < high else 0
        value = "no value" if self.value is None else f"{metric} {number_text(self.value, max(METRIC_DIGITS, digits))}"
        within = f", 90 % interval {number_text(low, digits)} to {number_text(high, digits)}" if digits else ""
        return f"{trial_label(self.trial.number)} ({value}{within}): {self.why}"


def recommend(
    strategy: Strategy, space: Space, history: Sequence[Trial], confirmation: Confirmation | None, goal: Goal
) -> Recommendation | None:
    """Return the trial to use, None while there is none; never one that failed, was stopped or breaks the constraint.

    A search for one point recommends what it has come to. `confirmation` is that of the study, where it has one.
    """
    answer = strategy.answer(space, history)
    if strategy.requirement is not None:
        why = f"the answer of {strategy.name}"
        return None if answer is None else Recommendation(answer, answer.value, None, False, why)
    if confirmation is not None and (found := _confirmed(confirmation)):
        return found
    eligible = strategy.eligible(history)
    best = answer or best_trial(eligible, goal)
    losses = confirmation.losses if confirmation else []
    return None if best is None else _seen(space, eligible, goal, best, losses)


def _confirmed(confirmation: Confirmation) -> Recommendation | None:
    if (best := confirmation.best) is None:
        return None
    return Recommendation(best.trial, best.mean, confirmation.interval(best), True, confirmation.words)


def _seen(space: Space, history: Sequence[Trial], goal: Goal, best: Trial, losses: Sequence[str]) -> Recommendation:
    """Return the best that was seen, with what is believed of its true value, and the `losses` of its reruns."""
    from mlflow_tune.strategies.bayesian.luck import luck_of

    luck = luck_of(space, history, goal, [best])
    if luck is None:
        why = "the best seen; the values do not tell how noisy they are"
    elif luck.noisy:
        why = "not confirmed: the best seen, and part of that may be luck"
    else:
        why = "the best seen; the values show no noise"
    interval = luck.intervals[0] if luck else None
    return Recommendation(best, best.value, interval, False, "; ".join([why, *losses]))
