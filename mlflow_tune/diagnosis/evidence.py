"""Which curve of a trial speaks for what: the judged one, its partner in training, and what guessing would give."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlflow_tune.diagnosis import names
from mlflow_tune.diagnosis.curves import CostCurve, read_curves
from mlflow_tune.text import words_of
from mlflow_tune.trial import Goal

MIN_STEPS = 5  # fewer finite steps than this are too little evidence: a trend and its noise need about five points
MANY_MORE = 4  # a training curve with so many times the points of its partner is logged by minibatch, not by epoch


@dataclass(frozen=True)
class Evidence:
    """The curves of one trial that have enough points, each in its part.

    `judged` are the tuned metric and, if that is a score, the validation loss, which is less coarse. `pairs` are
    (training, validation) of one measure. `driving` is the curve that the optimizer lowers, as near as what was logged
    comes to it, and `smooth` the same but not one that is logged by minibatch. `guess` is the cross-entropy of
    guessing, when accuracy tells it.
    """

    judged: tuple[CostCurve, ...]
    pairs: tuple[tuple[CostCurve, CostCurve], ...]
    driving: CostCurve
    smooth: CostCurve
    known: tuple[CostCurve, ...]
    guess: float | None

    @property
    def main(self) -> CostCurve:
        """The tuned metric, or what stands in for it when it has too few steps."""
        return self.judged[0]


def gather_evidence(
    curves: Mapping[str, Sequence[tuple[int, float]]], metric: str, goal: Goal
) -> tuple[list[CostCurve], Evidence | None]:
    """Return all curves whose direction is known, and the evidence in them: None when no curve is long enough."""
    everything = read_curves(curves, metric, goal)
    known = {name: curve for name, curve in everything.items() if curve.count >= MIN_STEPS}
    if not known:
        return list(everything.values()), None
    losses = [curve for curve in known.values() if curve.is_loss]
    main = known.get(metric) or min(known.values(), key=_standing)
    judged = (main,) if main.is_loss else (main, *_validation_loss(losses))
    pairs = tuple(sorted(_pairs(known), key=lambda pair: (main not in pair, not pair[1].is_loss, pair[1].name)))
    driving = _driving(main, pairs, losses)
    smooth = main if driving.count > MANY_MORE * main.count else driving
    guess = _guess(known, main)
    return list(everything.values()), Evidence(judged, pairs, driving, smooth, tuple(known.values()), guess)


def _standing(curve: CostCurve) -> tuple[bool, int, str]:
    """Rank what may stand in for a tuned metric of one value: losses before scores, validation before training."""
    rank = {"validation": 0, "": 1, "train": 2}[names.split(curve.name)]
    return (not curve.is_loss, rank, curve.name)


def _validation_loss(losses: Sequence[CostCurve]) -> Sequence[CostCurve]:
    """Return the validation loss with the shortest name, else `loss` itself, else nothing."""
    held_out = [curve for curve in losses if names.split(curve.name) == "validation"]
    return sorted(held_out or _plain(losses), key=lambda curve: (len(curve.name), curve.name))[:1]


def _plain(losses: Sequence[CostCurve]) -> list[CostCurve]:
    """Return what is named `loss` and no more: other losses may be parts, or go up when all is well, as in RL."""
    return [curve for curve in losses if words_of(curve.name) == ["loss"]]


def _pairs(known: Mapping[str, CostCurve]) -> Iterator[tuple[CostCurve, CostCurve]]:
    """Yield (training, validation) of the same stem; beside a validation curve one without data is training (Keras)."""
    for curve in known.values():
        if names.split(curve.name) != "validation":
            continue
        same = [other for other in known.values() if names.stem(other.name) == names.stem(curve.name)]
        for data in ("train", ""):
            partners = [other for other in same if names.split(other.name) == data]
            if partners:
                yield partners[0], curve
                break


def _driving(main: CostCurve, pairs: Sequence[tuple[CostCurve, CostCurve]], losses: Sequence[CostCurve]) -> CostCurve:
    trained = [curve for curve in losses if names.split(curve.name) == "train"]
    trained.sort(key=lambda curve: names.stem(curve.name) != ("loss",))
    found = [train for train, _ in pairs if train.is_loss] + trained
    return (found or ([main] if main.is_loss else [*_plain(losses), *_validation_loss(losses), main]))[0]


def _guess(known: Mapping[str, CostCurve], main: CostCurve) -> float | None:
    """Return -ln of the lowest accuracy, about the cross-entropy of guessing; None unless that was below one half.

    With K classes of equal size guessing is right in 1/K of the cases and has the cross-entropy ln K. An accuracy that
    was never low says nothing of guessing.
    """
    for curve in sorted((curve for curve in known.values() if names.is_accuracy(curve.name)), key=lambda c: c != main):
        lowest = 1 - max(curve.costs)
        if 0 < lowest < 0.5 and min(curve.costs) >= 0:
            return -math.log(lowest)
    return None
