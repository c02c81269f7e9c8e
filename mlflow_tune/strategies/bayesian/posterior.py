"""What a study's model believed before a trial, rebuilt from the history, and how it came out: for reports."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlflow_tune.space import Space
from mlflow_tune.strategies.base import Band, Posterior, next_number
from mlflow_tune.strategies.bayesian.acquisition import acquisition_values
from mlflow_tune.strategies.bayesian.averaging import level_of, reach_of
from mlflow_tune.strategies.bayesian.encoding import observe
from mlflow_tune.strategies.bayesian.model import fit_model
from mlflow_tune.strategies.bayesian.options import Options
from mlflow_tune.strategies.bayesian.targets import Scale
from mlflow_tune.strategies.bayesian.threads import one_thread
from mlflow_tune.trial import Params, Trial


@one_thread()
def predict(options: Options, space: Space, history: Sequence[Trial], points: Sequence[Params]) -> Posterior | None:
    """Return what `Bayesian.posterior` promises."""
    model = fit_model(options, space, observe(space, history, options.goal), next_number(history))
    if model is None:
        return None
    judged = model.judge(np.array([space.to_unit(point) for point in points]).reshape(len(points), len(space)))
    mean, std = model.in_units(judged[:, 2], judged[:, 3])
    acquisition = acquisition_values(options.acquisition, judged[:, 0])
    return Posterior(tuple(mean.tolist()), tuple(std.tolist()), tuple(acquisition.tolist()), options.acquisition)


def band(options: Options, space: Space, history: Sequence[Trial], trial: Trial) -> Band | None:
    """Return what `Bayesian.band` promises."""
    mean, std = (trial.metrics.get(name, np.nan) for name in ("model_mean", "model_std"))
    values = observe(space, history, options.goal).values
    known = values[~np.isnan(values)]
    if trial.value is None or not known.size or not std > 0:
        return None
    sign, scale = 1.0 if options.goal == "minimize" else -1.0, Scale.of(known)
    (away,) = (scale.forward(np.array([sign * trial.value])) - mean) / std
    low, high = sorted((sign * scale.back(mean + std * reach_of(0.95) * np.array([-1.0, 1.0]))).tolist())
    return Band(level_of(float(away)), low, high)
