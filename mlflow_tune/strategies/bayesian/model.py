"""The model that chooses a trial: a surrogate of the objective, and what it says of any point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mlflow_tune.space import Space
from mlflow_tune.strategies.bayesian.acquisition import acquisition_values, log_expected_improvement, score
from mlflow_tune.strategies.bayesian.averaging import drawn_kernels
from mlflow_tune.strategies.bayesian.encoding import Array, Observations, features
from mlflow_tune.strategies.bayesian.options import Options
from mlflow_tune.strategies.bayesian.surrogate import Surrogate, fit_surrogate
from mlflow_tune.strategies.bayesian.targets import Scale, targets
from mlflow_tune.trial import Params


@dataclass(frozen=True, eq=False)
class Model:
    """A surrogate of the objective, to be minimised, what is `known` of it, and for EIps the `pace` of trials.

    `scale` leads back to the metric's units. `incumbent` is the least predicted mean at the trials, running
    ones included, and `spread` is what the values of the initial design differ by, in the metric's units.
    """

    space: Space
    options: Options
    surrogate: Surrogate
    scale: Scale
    incumbent: float
    spread: float
    known: Known | None = None
    pace: Pace | None = None

    def judge(self, units: Array) -> Array:
        """Return score, log expected improvement, predicted mean and standard deviation (m, 4) of points (m, d)."""
        rows, _ = features(self.space, units)
        mean, std = self.surrogate.predict(rows)
        scores = score(self.options.acquisition, mean, std, self.incumbent, self.options.kappa)
        if self.pace is not None:
            scores = scores - self.pace.log_seconds(rows)
        return np.stack([scores, log_expected_improvement(mean, std, self.incumbent), mean, std], axis=1)

    def in_units(self, mean: Array, std: Array) -> tuple[Array, Array]:
        """Return the predicted mean and standard deviation, both (m,), in the metric's own units and sign."""
        half = (self.scale.back(mean + std) - self.scale.back(mean - std)) / 2
        sign = 1.0 if self.options.goal == "minimize" else -1.0
        return sign * self.scale.back(mean), half

    def evidence(self, params: Params, log_improvement: float) -> dict[str, float]:
        """Return the numbers behind the choice of a point, as the strategy's `EVIDENCE` describes them.

        `log_improvement` is the largest logarithm of the expected improvement, in the surrogate's units.
        """
        units = np.array([self.space.to_unit(params)])
        scores, _, mean, std = self.judge(units).T
        std = np.sqrt(std**2 + self.surrogate.noise)
        if self.known is not None:
            mean, std = self.known.forecast(features(self.space, units)[0])
        predicted_mean, predicted_std = self.in_units(mean, std)
        found = {
            "predicted_mean": predicted_mean,
            "predicted_std": predicted_std,
            "model_mean": mean,
            "model_std": std,
            "acquisition": acquisition_values(self.options.acquisition, scores),
        }
        found["expected_improvement"] = self._share(np.array([np.exp(log_improvement)]))
        return {name: float(values[0]) for name, values in found.items()}

    def _share(self, improvement: Array) -> Array:
        best = np.array([self.incumbent])
        return (self.scale.back(best) - self.scale.back(best - improvement)) / self.spread


@dataclass(frozen=True, eq=False)
class Known:
    """The trials that have ended: rows of features (n, columns), and values (n,), NaN where there is none.

    `errors` (n,) are the standard deviations of those values that are uncertain, else 0.
    """

    points: Array
    values: Array
    errors: Array
    owners: tuple[int, ...]

    def forecast(self, rows: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation (m,) of what a trial would get at rows (m, columns), in GP's units."""
        kernels = drawn_kernels(self.points, self.values, self.errors, self.owners)
        aims, scale = targets(self.values)
        doubts = scale.variances(self.values, self.errors)
        found = np.array([kernels.forecast(self.points, aims, doubts, row) for row in rows])
        return found[:, 0], found[:, 1]


@dataclass(frozen=True, eq=False)
class Pace:
    """A model of how long trials take."""

    surrogate: Surrogate
    scale: Scale

    def log_seconds(self, rows: Array) -> Array:
        """Return the predicted logarithm of the seconds (m,) that trials at rows of features (m, columns) take."""
        return self.scale.back(self.surrogate.predict(rows)[0])


def fit_model(options: Options, space: Space, seen: Observations, number: int) -> Model | None:
    """Return the model that chooses trial `number`, None while the initial design is not complete.

    Running trials count as if they had ended with the predicted mean: the kriging believer of Ginsbourger et al., 2010,
    section 3.2, https://doi.org/10.1007/978-3-642-10701-6_6. Figures: tests/benchmarks/samples/README.md.
    """
    if len(seen.points) + len(seen.pending) < options.initial or (~np.isnan(seen.values)).sum() < 2:
        return None
    rows, owners = features(space, seen.points)
    seed = int(np.random.default_rng([options.seed, number]).integers(2**31))
    surrogate, scale = fit_surrogate(options.surrogate, rows, seen.values, owners, seed, seen.errors)
    if len(seen.pending):
        pending, _ = features(space, seen.pending)
        surrogate = surrogate.given(pending, surrogate.predict(pending)[0])
    return Model(
        space=space,
        options=options,
        surrogate=surrogate,
        scale=scale,
        incumbent=float(surrogate.smoothed.min()),
        spread=_spread(seen.values[~np.isnan(seen.values)][: options.initial]),
        known=Known(rows, seen.values, seen.errors, owners) if options.surrogate == "GP" else None,
        pace=_fit_pace(options, rows, owners, seen.seconds, seed) if options.acquisition == "EIps" else None,
    )


def _spread(values: Array) -> float:
    # The first values, for those of a study that converges draw together; the median, for one of them may be huge.
    return float(np.median(values) - values.min()) or float(values.std()) or 1.0


def _fit_pace(options: Options, rows: Array, owners: tuple[int, ...], seconds: Array, seed: int) -> Pace | None:
    timed = ~np.isnan(seconds)
    if timed.sum() < 2:
        return None
    return Pace(*fit_surrogate(options.surrogate, rows[timed], np.log(seconds[timed]), owners, seed))
