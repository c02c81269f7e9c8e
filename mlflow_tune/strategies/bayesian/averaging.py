"""What a trial's value will be, averaged over kernels: the most probable one alone is far too sure of itself.

The kernels are drawn from two Laplace approximations of their posterior, one from a start with little noise and one
from a start with much, and weighted by importance sampling (Rasmussen and Williams, section 5.2; Owen and Zhou, 2000,
https://doi.org/10.1080/01621459.2000.10473909). The prior of the noise is wide, so that noise is learnt where there is
some. What chooses the points is the most probable kernel of `gp.py`. Figures: tests/benchmarks/samples/README.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.linalg import cho_solve, solve_triangular  # type: ignore[import-untyped]
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.special import logsumexp, stdtr, stdtrit  # type: ignore[import-untyped]

from mlflow_tune.strategies.bayesian import gp
from mlflow_tune.strategies.bayesian.encoding import Array
from mlflow_tune.strategies.bayesian.targets import targets

NOISE_MEDIAN = 1e-2
NOISE_SPREAD = 3.0
NOISES = (1e-8, 3.0)
FIRST_NOISES = (1e-5, 0.3)
DRAWN = 16  # kernels from each start
STEP = 1e-3  # of the differences between gradients
WIDEST = 2.0  # an approximation's variance is at most so many times the widest prior's
LEARNT = 100  # kernels are learnt from no more trials
NEAREST = 150  # and a value is forecast from no more: those nearest to it
DEGREES = 6.0  # of freedom, of Student's t; fewer make the band of 80 % too wide, more that of 95 % too narrow
ONE = 0.6826894921370859  # what lies within a standard deviation of a normal distribution


@dataclass(frozen=True, eq=False)
class Kernels:
    """Kernels, and how probable each is (k,)."""

    kernels: tuple[gp.Kernel, ...]
    weights: Array

    def forecast(self, points: Array, aims: Array, doubts: Array, point: Array) -> tuple[float, float]:
        """Return mean and standard deviation of a target at `point` (columns,), noise included.

        `points` (n, columns) and `aims` (n,) are what is known, and `doubts` (n,) the variances of uncertain aims.
        """
        near = np.argsort(((points - point) ** 2).sum(1), kind="stable")[:NEAREST]
        found = [_predicted(kernel, points[near], aims[near], doubts[near], point[None, :]) for kernel in self.kernels]
        means, variances = np.array(found).T
        mean = float(self.weights @ means)
        return mean, float(np.sqrt(self.weights @ (variances + (means - mean) ** 2)))


def level_of(away: float) -> float:
    """Return the level of the central band whose end is so many standard deviations from a forecast's mean.

    Forecasts have Student's t distribution; their standard deviation is half of what the central 68 % span.
    """
    return float(2 * stdtr(DEGREES, abs(away) * stdtrit(DEGREES, (1 + ONE) / 2)) - 1)


def reach_of(level: float) -> float:
    """Return how many standard deviations the central band of this level reaches from a forecast's mean."""
    return float(stdtrit(DEGREES, (1 + level) / 2) / stdtrit(DEGREES, (1 + ONE) / 2))


def drawn_kernels(points: Array, values: Array, errors: Array, owners: tuple[int, ...]) -> Kernels:
    """Return kernels that fit points (n, columns) and values (n,), NaN where a trial has none.

    `errors` (n,) are the standard deviations of those values that are uncertain, else 0.

    As that of `gp.gaussian_process` they are learnt from a prefix of the trials, so most trials find them in a cache.
    """
    size = min(gp.prefix_size(len(values)), LEARNT)
    return _drawn(points[:size].tobytes(), values[:size].tobytes(), errors[:size].tobytes(), owners)


@lru_cache(maxsize=64)
def _drawn(points: bytes, values: bytes, errors: bytes, owners: tuple[int, ...]) -> Kernels:
    seen = np.frombuffer(values)
    aims, scale = targets(seen)
    doubts = scale.variances(seen, np.frombuffer(errors))
    rows = np.frombuffer(points).reshape(len(aims), -1)
    posterior = gp.KernelPosterior.of(rows, aims, owners, doubts, (NOISE_MEDIAN, NOISE_SPREAD), NOISES)
    parts = [_approximation(posterior, noise) for noise in FIRST_NOISES]
    draws = np.random.default_rng(0)  # the same for all: places to look at, rather than chance
    normal = [draws.standard_normal((DRAWN, len(posterior.middle))) for _ in parts]
    thetas = np.vstack([part.places(each) for part, each in zip(parts, normal, strict=True)])
    thetas = np.clip(thetas, *posterior.bounds.T)
    losses = np.array([posterior.loss(theta)[0] for theta in thetas])
    logs = -losses - logsumexp([part.log_density(thetas) for part in parts], axis=0)
    weights = np.exp(logs - logs.max())
    kept = weights > 1e-4 * weights.sum()
    kernels = tuple(posterior.kernel(theta) for theta in thetas[kept])
    return Kernels(kernels, weights[kept] / weights[kept].sum())


@dataclass(frozen=True, eq=False)
class Approximation:
    """A normal distribution of a kernel's parameters: its mode, and its precision along orthogonal `axes` (p, p)."""

    mode: Array
    precisions: Array
    axes: Array

    def places(self, normal: Array) -> Array:
        """Return where these draws of a standard normal distribution (k, p) come to lie."""
        return np.asarray(self.mode + (normal / np.sqrt(self.precisions)) @ self.axes.T)

    def log_density(self, thetas: Array) -> Array:
        """Return the logarithm of the density (k,) at thetas (k, p), up to a constant that depends on p alone."""
        away = (thetas - self.mode) @ self.axes
        return np.asarray((np.log(self.precisions).sum() - (self.precisions * away**2).sum(1)) / 2)


def _approximation(posterior: gp.KernelPosterior, noise: float) -> Approximation:
    """Return Laplace's approximation of the posterior around the mode that is found from this noise."""
    start = np.append(posterior.middle[:-1], np.log(noise))
    options = {"maxiter": 40}
    bounds = posterior.bounds
    mode = minimize(posterior.loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    steps = STEP * np.eye(len(mode))
    rows = [posterior.loss(mode + step)[1] - posterior.loss(mode - step)[1] for step in steps]
    curvature = np.array(rows) / (2 * STEP)
    precisions, axes = np.linalg.eigh((curvature + curvature.T) / 2)
    return Approximation(mode, np.maximum(precisions, 1 / WIDEST / posterior.spread.max() ** 2), axes)


def _predicted(kernel: gp.Kernel, points: Array, aims: Array, doubts: Array, point: Array) -> tuple[float, float]:
    """Return mean and variance of a target at point (1, columns)."""
    factor = gp.factor_of(kernel(points, points), kernel.noise + doubts)
    across = kernel(points, point)
    known = solve_triangular(factor, across, lower=True, check_finite=False)
    mean = float(across[:, 0] @ cho_solve((factor, True), aims))
    return mean, max(kernel.variance - float((known**2).sum()), 1e-12) + kernel.noise
