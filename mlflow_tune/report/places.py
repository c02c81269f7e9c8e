"""Where trials stand on scales, as numbers: parameters on their own, the metric with its far-out values cut off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlflow_tune.errors import InputError
from mlflow_tune.space import Choice, Dimension, Float
from mlflow_tune.trial import Goal, Trial

Array = NDArray[np.float64]
HUGE = 1e100  # matplotlib subtracts and squares what it draws: beyond this, that would overflow
REACH = 4.0  # an axis goes so many times as far beyond the median as the best value lies on this side of it
_GOLDEN = 0.6180339887498949


def places(dimension: Dimension, name: str, trials: Sequence[Trial]) -> Array:
    """Return where the trials stand on the parameter's axis (n,): the number, or the index of a listed value.

    NaN where a trial has no value of the dimension, as after a change of the space.
    """
    found = [_place(dimension, trial.params[name]) if name in trial.params else math.nan for trial in trials]
    return np.array(found, dtype=float)


def _place(dimension: Dimension, value: object) -> float:
    try:
        if isinstance(dimension, Choice):
            return float(dimension.index(value))
        if isinstance(dimension, Float) and isinstance(value, float) and math.isfinite(value):
            number = value  # thousands of times a picture: the full check takes longer than all else here
        else:
            number = float(dimension.decode(value))
    except (InputError, OverflowError):
        return math.nan
    if dimension.log:
        return number if number > 0 else math.nan
    return within_reach(number)


def unit_places(dimension: Dimension, name: str, trials: Sequence[Trial]) -> Array:
    """Return where the trials stand from 0 to 1, on the dimension's scale (n,); NaN as in `places`."""
    found = places(dimension, name, trials)
    units = [
        math.nan if math.isnan(at) else dimension.to_unit(trial.params[name])
        for at, trial in zip(found, trials, strict=True)
    ]
    return np.array(units, dtype=float)


def jitter(trials: Sequence[Trial], width: float) -> Array:
    """Return a shift (n,) within +-width/2 for marks that would lie on one another; a trial's is always the same."""
    return np.array([(trial.number * _GOLDEN % 1 - 0.5) * width for trial in trials], dtype=float)


def within_reach(number: float) -> float:
    """Return the number, or the largest that can be drawn."""
    return min(max(number, -HUGE), HUGE)


def limits(values: Sequence[float] | Array, goal: Goal | None = None) -> tuple[float, float]:
    """Return the ends of an axis for these values, with a margin.

    With a `goal`, values far on the worse side do not squash the others: the axis ends before them.
    """
    drawn = np.clip([value for value in values if math.isfinite(value)], -HUGE, HUGE)
    if not drawn.size:
        return 0.0, 1.0
    low, middle, high = float(drawn.min()), float(np.median(drawn)), float(drawn.max())
    if goal == "minimize" and middle > low:
        high = min(high, middle + REACH * (middle - low))
    if goal == "maximize" and high > middle:
        low = max(low, middle - REACH * (high - middle))
    margin = 0.06 * (high - low) or 0.06 * abs(low) or 0.5
    return low - margin, high + margin
