"""What a metric's name says of its curve: which way is better, and which data it was measured on.

A name is split into words at capitals and at whatever is no letter or digit, so that `val_loss`, `val/loss`,
`validationLoss` and `loss-val` read alike. Words alone decide, never a part of one.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from mlflow_tune.text import words_of

Split: TypeAlias = Literal["train", "validation", ""]

TRAIN = {"train", "training", "trn"}
VALIDATION = {"val", "valid", "validation", "dev", "eval", "evaluation", "holdout", "test", "testing"}
_LOSSES = {"loss", "losses", "deviance", "brier", "hinge"}
_ERRORS = {"error", "err", "mse", "rmse", "rmsle", "msle", "mae", "mape", "l1", "l2", "wer", "cer"}
_ENTROPIES = {"logloss", "nll", "ce", "bce", "crossentropy", "xent", "perplexity", "ppl"}
COSTS = _LOSSES | _ERRORS | _ENTROPIES
_HITS = {"acc", "accuracy", "f1", "precision", "recall", "sensitivity", "specificity", "top1", "top5", "r2"}
_AREAS = {"auc", "auroc", "auprc", "iou", "miou", "dice"}
_RANKINGS = {"ap", "map", "ndcg", "mrr"}
SHARES = _HITS | _AREAS | _RANKINGS
SCORES = SHARES | {"bleu", "rouge", "psnr", "ssim", "reward", "return", "kappa", "mcc"}


def falls(name: str) -> bool | None:
    """Return whether the metric falls when training goes well; None when its name does not tell."""
    found = set(words_of(name.replace("cross_entropy", "crossentropy")))
    if found & COSTS:
        return True
    return False if found & SCORES else None


def is_share(name: str) -> bool:
    """Return whether the metric is a share of 1, or of 100, by its name."""
    return not falls(name) and bool(SHARES & set(words_of(name)))


def is_accuracy(name: str) -> bool:
    """Return whether the metric is the share of right answers, by its name."""
    return not falls(name) and bool({"acc", "accuracy"} & set(words_of(name)))


def split(name: str) -> Split:
    """Return which data the metric is measured on: "train", "validation", or "" when the name does not tell."""
    found = set(words_of(name))
    if found & TRAIN:
        return "train"
    return "validation" if found & VALIDATION else ""


def stem(name: str) -> tuple[str, ...]:
    """Return what is left of the name without its data: two curves with one stem are a pair.

    Left out are the words for the data, a number right after one (LightGBM's `valid_1-l2`), and `epoch`, which
    Lightning appends.
    """
    found = words_of(name)
    data = TRAIN | VALIDATION
    before = ["", *found]
    return tuple(
        word
        for word, previous in zip(found, before, strict=False)
        if word not in data and word != "epoch" and not (word.isdigit() and previous in data)
    )
