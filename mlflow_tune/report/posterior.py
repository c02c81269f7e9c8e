"""What a model believed of one parameter before it chose a trial, rebuilt from the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlflow_tune.report.subject import scored
from mlflow_tune.space import Choice, Dimension
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies import Band
from mlflow_tune.trial import Trial

JUDGED = 200  # so many predictions tell whether a model was right, and judging one reads the history before it


@dataclass(frozen=True)
class PosteriorSlice:
    """What the model that chose trial `number` believed of `parameter`, at the places `xs`, in ascending order.

    `mean`, `std` and `acquisition` have a number for each of `xs`; `reference`, if there is one, the true function's.
    `observed_x` and `observed_y` are the trials that the model saw. `metric` names the vertical axis.
    """

    number: int
    parameter: str
    log: bool
    xs: Sequence[float]
    mean: Sequence[float]
    std: Sequence[float]
    acquisition: Sequence[float]
    acquisition_name: str
    observed_x: Sequence[float]
    observed_y: Sequence[float]
    next_x: float
    reference: Sequence[float] | None = None
    metric: str = "objective"


def posterior_xs(dimension: Dimension, observed: Sequence[float], next_x: float, count: int = 200) -> list[float]:
    """Return where to ask the model: `count` places evenly on the parameter's scale, the trials' and the next one.

    With the trials' own places among them the uncertainty is seen to vanish there. Empty where the values are listed:
    there is no axis to draw along.
    """
    if isinstance(dimension, Choice):
        return []
    even = [float(dimension.from_unit(index / (count - 1))) for index in range(count)]
    return sorted({*even, *map(float, observed), float(next_x)})


def posterior_before(
    spec: StudySpec, reference: Sequence[float], history: Sequence[Trial], trial: Trial
) -> PosteriorSlice | None:
    """Return what the model that chose `trial` believed, rebuilt from what had ended and what ran when it started."""
    (name, dimension), strategy = next(iter(spec.space.items())), spec.strategy
    before = [_as_of(trial.start_time, each) for each in history if each.number < trial.number]
    seen = [each for each in before if each.value is not None and spec.space.contains(each.params)]
    next_x = _number(trial, name)
    xs = posterior_xs(dimension, [_number(each, name) for each in seen], next_x)
    values = [dimension.decode(str(x)) for x in xs]
    believed = strategy.posterior(spec.space, before, [{name: value} for value in values])
    if believed is None:
        return None
    units = [dimension.to_unit(value) for value in values]
    return PosteriorSlice(
        number=trial.number,
        parameter=name,
        log=dimension.log,
        xs=xs,
        mean=believed.mean,
        std=believed.std,
        acquisition=believed.acquisition,
        acquisition_name=believed.acquisition_name,
        observed_x=[_number(each, name) for each in seen],
        observed_y=[float(each.value or 0.0) for each in seen],
        next_x=next_x,
        reference=np.interp(units, np.linspace(0, 1, len(reference)), reference).tolist() if reference else None,
        metric=spec.metric,
    )


def forecast_trials(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials with a value of which a model had predicted it, by number: the last `JUDGED` of them."""
    return [trial for trial in scored(trials) if {"predicted_mean", "predicted_std"} <= trial.metrics.keys()][-JUDGED:]


def bands_of(spec: StudySpec, history: Sequence[Trial]) -> dict[int, Band]:
    """Return how the predictions of `forecast_trials` came out, by trial number."""
    ended = [trial for trial in history if trial.done]
    found = {
        trial.number: spec.strategy.band(spec.space, [each for each in ended if _ended_before(each, trial)], trial)
        for trial in forecast_trials(history)
    }
    return {number: band for number, band in found.items() if band is not None}


def _ended_before(trial: Trial, other: Trial) -> bool:
    return trial.number < other.number and trial.end_time is not None and trial.end_time <= other.start_time


def _number(trial: Trial, name: str) -> float:
    value: Any = trial.params[name]
    return float(value)


def _as_of(time: int, trial: Trial) -> Trial:
    """Return the trial as it stood at that time: one that had not ended yet was running."""
    ended = trial.end_time is not None and trial.end_time <= time
    return trial if ended else replace(trial, outcome=None, value=None, end_time=None)
