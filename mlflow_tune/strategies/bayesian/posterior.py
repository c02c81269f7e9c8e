"""What a study's model believed before a trial, rebuilt from the history: for pictures and reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlflow_tune.errors import InputError
from mlflow_tune.space import Scalar, Space
from mlflow_tune.strategies.base import next_number
from mlflow_tune.strategies.bayesian import Bayesian
from mlflow_tune.strategies.bayesian.acquisition import shown
from mlflow_tune.strategies.bayesian.encoding import observe
from mlflow_tune.strategies.bayesian.model import fit_model
from mlflow_tune.trial import Params, Trial


@dataclass(frozen=True)
class Posterior:
    """What a model believes of some points, a number each.

    `mean` and `std` of the function are in the metric's own units and sign; of `acquisition` the largest is chosen.
    `acquisition_name` is LCB instead of the strategy's EI where other trials ran.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    acquisition: tuple[float, ...]
    acquisition_name: str


def posterior(strategy: Bayesian, space: Space, history: Sequence[Trial], xs: Sequence[Scalar]) -> Posterior | None:
    """Return what the model believes of values `xs` of the only parameter; see `predict`. `InputError` for more."""
    if len(space) != 1:
        raise InputError(f"a posterior over one parameter is asked for, but the space has {', '.join(space)}")
    (name,) = space
    return predict(strategy, space, history, [{name: x} for x in xs])


def predict(strategy: Bayesian, space: Space, history: Sequence[Trial], points: Sequence[Params]) -> Posterior | None:
    """Return what the model that chose the trial after `history` believed of the points, None where no model chose it.

    Raises `InputError` for a point that the space's dimensions cannot read.
    """
    model = fit_model(strategy, space, observe(space, history, strategy.goal), next_number(history))
    if model is None:
        return None
    judged = model.judge(np.array([space.to_unit(point) for point in points]).reshape(len(points), len(space)))
    mean, std = model.in_units(judged[:, 2], judged[:, 3])
    acquisition = shown(model.acquisition, judged[:, 0])
    return Posterior(tuple(mean.tolist()), tuple(std.tolist()), tuple(acquisition.tolist()), model.acquisition)
