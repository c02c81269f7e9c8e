"""Which way is better, as far as the name of a metric tells it."""

from __future__ import annotations

import functools
import logging

from mlflow_tune.text import escaped, words_of
from mlflow_tune.trial import Goal

logger = logging.getLogger(__name__)
_MINIMIZED = """
loss error err rmse mse mae mape rmsle nll logloss perplexity ppl wer cer brier regret cost deviance
"""
_MAXIMIZED = """
accuracy acc auc auroc auprc roc ap map f1 fbeta recall precision r2 score iou dice bleu rouge ndcg mrr reward mcc kappa
sensitivity specificity
"""
_WORDS: dict[str, Goal] = {
    **dict.fromkeys(_MINIMIZED.split(), "minimize"),
    **dict.fromkeys(_MAXIMIZED.split(), "maximize"),
}


def goal_of(metric: str) -> Goal | None:
    """Return which way is better, as the metric's name tells; None when it does not."""
    found = _goals(metric)
    return "minimize" if "minimize" in found else next(iter(found), None)


def is_odd(metric: str, goal: Goal) -> bool:
    """Whether the name of the metric tells that the other way is better: a loss to maximize, an accuracy to minimize.

    A name that holds words of both kinds, such as `score_error`, tells nothing.
    """
    return bool(found := _goals(metric)) and goal not in found


def _goals(metric: str) -> set[Goal]:
    words = words_of(metric)
    if {"neg", "negative"}.intersection(words):  # scikit-learn's neg_log_loss is a loss turned round
        return set()
    return {_WORDS[word] for word in words if word in _WORDS}


@functools.cache  # it is said once, however often a process makes such a study
def tell_odd(study: str, metric: str, goal: Goal) -> None:
    """Warn, once for a study, that a metric of this name is seldom wanted this way."""
    other = "minimize" if goal == "maximize" else "maximize"
    logger.warning("%s is to %s %s: if that is not meant, give goal: %s", escaped(study), goal, escaped(metric), other)
