"""When a study is done: pure functions of its history.

A rule that strikes stops new trials from starting; those that run are allowed to end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict

from mlflow_tune.errors import InputError
from mlflow_tune.spec.fields import Count, Duration, Number
from mlflow_tune.text import as_integer
from mlflow_tune.text.durations import duration_text
from mlflow_tune.trial import Goal, Trial, best_so_far, best_trial, busy_clock, searched, usual_seconds


class StopRules(BaseModel):
    """The budget of a study: whichever rule strikes first ends it.

    `trials` counts points, however often one was tried. `time` is the time during which trials ran, so that a night
    between two sessions costs nothing. `target` is a value of the metric that is good enough. `patience` is how many
    trials in a row may fail to improve on the best. `expected_improvement` ends a Bayesian study whose model promised
    less in its last three trials, relative to the spread of the values seen. `failures` in a row abort the study: the
    code is then most likely broken, and a person should look.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    trials: Count | None = None
    """How many points are tried; those that people tried, queued or adopted count."""
    time: Duration | None = None
    """How long trials may run in all, every attempt of each. Idle time between sessions costs nothing."""
    target: Number | None = None
    """A value of the metric that is good enough."""
    patience: Count | None = None
    """How many trials in a row may fail to improve on the best."""
    expected_improvement: Number | None = None
    """Ends a Bayesian study whose model promises less than this, relative to the spread of the values."""
    failures: Count = 5
    """How many failures in a row abort the study."""

    @property
    def bounded(self) -> bool:
        """Whether these rules end a study whose strategy never does."""
        return any(rule is not None for rule in (self.trials, self.time, self.patience))


def why_done(
    rules: StopRules, goal: Goal, history: Sequence[Trial], now: int, reruns: int = 0, workers: int = 1
) -> str | None:
    """Return the words for the rule that ends the search, None while there is none; `now` in milliseconds.

    Of the budget so many `reruns` are kept, and the time that they take at so many at once. Replicates are no part of
    the search, though the time counts that they take.
    """
    late = why_late(rules, history, now, reruns / workers)
    history = searched(history)
    started = sum(trial.outcome != "interrupted" for trial in history)
    if rules.trials is not None and started >= (trials := rules.trials - reruns):
        part = f"the search has used its {trials} of the budget of {rules.trials}"
        return f"trials: {part}" if reruns else f"trials: the budget of {trials} is used"
    if late:
        return late
    best = best_trial(history, goal)
    if rules.target is not None and best is not None and _reaches(best, rules.target, goal):
        return f"target: trial {best.number} reached {best.value:.6g} (target {rules.target:g})"
    if rules.patience is not None and (stale := _since_best(history, goal)) >= rules.patience:
        return f"patience: no improvement in {stale} trials"
    promised = expected_improvement(history)
    if rules.expected_improvement is not None and promised is not None and promised < rules.expected_improvement:
        return f"expected_improvement: the model promises {promised:.2g} of the spread of the values at the most"
    return None


def why_late(rules: StopRules, history: Sequence[Trial], now: int, rounds: float = 0.0) -> str | None:
    """Return the words for the time that is used up, None while there is some left; `now` in milliseconds.

    What so many `rounds` of reruns will take is kept of it, half of all at the most.
    """
    if rules.time is None:
        return None
    used = busy_clock(history, now)(math.inf)
    if used >= rules.time:
        return f"time: trials ran for {duration_text(rules.time)}"
    kept = min(rounds * usual_seconds(trial for trial in searched(history) if trial.done), rules.time / 2)
    if used >= rules.time - kept:
        return f"time: about {duration_text(kept)} of {duration_text(rules.time)} are kept for the reruns"
    return None


def why_aborted(rules: StopRules, history: Sequence[Trial], since: int) -> str | None:
    """Return the words for too many failures in a row among the trials that ended after `since`, else None.

    A not-finite value is a finding about the point, and an interruption nobody's fault: neither is a failure.
    """
    ended = [trial for trial in history if trial.done and (trial.end_time or 0) >= since]
    last = sorted(ended, key=lambda trial: (trial.end_time or 0, trial.number))[-rules.failures :]
    if len(last) == rules.failures and all(trial.outcome in ("failed", "timeout") for trial in last):
        return f"failures: {rules.failures} in a row, the last being trial {last[-1].number}: {last[-1].reason}"
    return None


def expected_improvement(history: Sequence[Trial], last: int = 3) -> float | None:
    """Return the largest improvement that any point promised before the `last` model-based trials, None before them.

    It is relative to the spread of the values seen. One small promise may be a slip of the model; three in a row
    hardly are.
    """
    trials = sorted(history, key=lambda trial: trial.number)
    promised = [trial.metrics["expected_improvement"] for trial in trials if "expected_improvement" in trial.metrics]
    return max(promised[-last:]) if len(promised) >= last else None


def with_trials(rules: StopRules, trials: int | str, held: int, reruns: int = 0) -> StopRules:
    """Return the rules with the budget `trials`, or with a plus sign ("+20") so many more.

    That is more than the budget, or than the trials of the search that are `held` and the `reruns` that are kept where
    they are more. Raises InputError for a budget that is no whole number from 1, and for one that is smaller than that.
    """
    more = str(trials).startswith("+")
    try:
        amount = as_integer(str(trials).removeprefix("+"))
    except InputError as error:
        raise error.under("--trials") from None
    if amount < 1:
        raise InputError(f"must be at least 1, but got {trials}", "--trials")
    if not more and amount < held + reruns:
        kept = f", and {reruns} are kept to confirm the best" if reruns else ""
        message = f"the study holds {held} trials already{kept}, but got {amount}: give more, or +N"
        raise InputError(message, "--trials")
    base = max(rules.trials or 0, held + reruns) if more else 0
    return rules.model_copy(update={"trials": base + amount})


def _reaches(best: Trial, target: float, goal: Goal) -> bool:
    value = best.value if best.value is not None else float("nan")
    return value <= target if goal == "minimize" else value >= target


def _since_best(history: Sequence[Trial], goal: Goal) -> int:
    records = best_so_far(history, goal)
    if not records:  # failures have a rule of their own, but a study of NaNs must end too
        return sum(trial.outcome == "not-finite" for trial in history)
    return sum(trial.done and trial.number > records[-1].number for trial in history)
