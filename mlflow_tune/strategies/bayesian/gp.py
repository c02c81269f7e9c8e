"""The Gaussian process: a Matern-5/2 kernel with a length scale for each parameter, fitted by maximum a posteriori.

The equations are those of Rasmussen and Williams, Gaussian Processes for Machine Learning (2006), sections 2.2 and
5.4. The prior of the length scales grows with the dimension (Hvarfner et al., 2024, https://arxiv.org/abs/2402.02229).
scikit-optimize's own process has no priors, and each of its predictions costs the square of the number of trials.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from scipy.linalg import LinAlgError, cho_solve, cholesky, solve_triangular  # type: ignore[import-untyped]
from scipy.optimize import minimize  # type: ignore[import-untyped]
from scipy.spatial.distance import cdist  # type: ignore[import-untyped]

from mlflow_tune.strategies.bayesian.encoding import Array
from mlflow_tune.strategies.bayesian.targets import Scale, targets

# Medians of the log-normal priors, and standard deviations of their logarithms. With the paper's length scales, 4.1 for
# one parameter, short studies were stuck more often (Branin, Hartmann-6, Styblinski-Tang, an ellipsoid in 8-D).
LENGTH_MEDIAN = 0.5  # times the square root of the number of parameters
LENGTH_SPREAD = float(np.sqrt(3.0))
VARIANCE_MEDIAN = 1.0
VARIANCE_SPREAD = 1.0
NOISE_MEDIAN = 1e-5  # with one of 1e-4, studies without noise converged less far
NOISE_SPREAD = 2.5
Bounds: TypeAlias = tuple[float, float]
LENGTHS = (0.01, 100.0)
VARIANCES = (0.05, 20.0)
NOISES = (1e-8, 1.0)
FIRST_LENGTHS = (1.0, 0.2)  # first length scales, in terms of their prior's median
FITTED = 300  # the kernel learns little from more trials, and a fit costs their cube


@dataclass(frozen=True)
class Kernel:
    """Matern-5/2: `lengths` has a length scale for each parameter, `owners` the parameter's index for each column."""

    lengths: tuple[float, ...]
    variance: float
    noise: float
    owners: tuple[int, ...]

    def __call__(self, left: Array, right: Array) -> Array:
        """Return the covariances (n, m) between the rows of `left` (n, columns) and `right` (m, columns)."""
        lengths = np.array(self.lengths)[list(self.owners)]
        left, right = left / lengths, right / lengths
        squares = (left**2).sum(1)[:, None] + (right**2).sum(1) - 2 * left @ right.T
        distances = np.sqrt(5 * np.maximum(squares, 0.0))
        return np.asarray(self.variance * (1 + distances + distances**2 / 3) * np.exp(-distances))


@dataclass(frozen=True, eq=False)
class GaussianProcess:
    """The posterior given points (n, columns) and targets (n,); `factor` is the Cholesky factor of the covariance.

    `doubts` (n,) are the variances of those targets that are uncertain, beside the noise of all.
    """

    kernel: Kernel
    points: Array
    factor: Array
    targets: Array
    weights: Array
    doubts: Array

    @property
    def noise(self) -> float:
        """The variance of a target around the function."""
        return self.kernel.noise

    @property
    def smoothed(self) -> Array:
        """The function's predicted mean (n,) at the points that the posterior is given."""
        return self.targets - (self.noise + self.doubts) * self.weights

    def predict(self, points: Array) -> tuple[Array, Array]:
        """Return the function's predicted mean and standard deviation at points (m, columns): two arrays (m,)."""
        across = self.kernel(self.points, points)
        known = solve_triangular(self.factor, across, lower=True, check_finite=False)
        variance = np.maximum(self.kernel.variance - np.einsum("ij,ij->j", known, known), 1e-12)
        return across.T @ self.weights, np.sqrt(variance)

    def given(self, points: Array, targets: Array) -> GaussianProcess:
        """Return the posterior given these points (k, columns) and targets (k,) too."""
        certain = np.zeros(len(points))
        factor = _extended(self.kernel, self.points, self.factor, points, certain)
        points = np.vstack([self.points, points])
        targets = np.concatenate([self.targets, targets])
        doubts = np.concatenate([self.doubts, certain])
        return GaussianProcess(self.kernel, points, factor, targets, cho_solve((factor, True), targets), doubts)


def gaussian_process(
    points: Array, values: Array, owners: tuple[int, ...], errors: Array | None = None
) -> tuple[GaussianProcess, Scale]:
    """Return the process fitted to points (n, columns) and values (n,), NaN where a trial has none, and their scale.

    A value whose standard deviation stands in `errors` (n,) has so much noise of its own.

    The kernel is fitted to a prefix of the trials, whose size grows in steps of a tenth. So most trials find their
    kernel, and most of their factor, in a cache. A lost cache changes no answer: each fit has the same starts.
    """
    errors = np.zeros(len(values)) if errors is None else errors
    size = prefix_size(len(values))
    fitted = min(size, FITTED)
    kernel = _fitted(points[:fitted].tobytes(), values[:fitted].tobytes(), errors[:fitted].tobytes(), owners)
    aims, scale = targets(values)
    doubts = scale.variances(values, errors)
    factor = _factor(kernel, points[:size].tobytes(), doubts[:size].tobytes())
    factor = _extended(kernel, points[:size], factor, points[size:], doubts[size:])
    return GaussianProcess(kernel, points, factor, aims, cho_solve((factor, True), aims), doubts), scale


def prefix_size(count: int) -> int:
    """Return the size, at most `count`, of the prefix of trials that kernels are learnt from."""
    size = min(count, 1)
    while (larger := size + max(1, size // 10)) <= count:
        size = larger
    return size


@lru_cache(maxsize=64)
def _fitted(points: bytes, values: bytes, errors: bytes, owners: tuple[int, ...]) -> Kernel:
    seen = np.frombuffer(values)
    aims, scale = targets(seen)
    doubts = scale.variances(seen, np.frombuffer(errors))
    return fit_kernel(np.frombuffer(points).reshape(len(aims), -1), aims, owners, doubts)


@lru_cache(maxsize=2)
def _factor(kernel: Kernel, points: bytes, doubts: bytes) -> Array:
    rows = np.frombuffer(points).reshape(-1, len(kernel.owners))
    return factor_of(kernel(rows, rows), kernel.noise + np.frombuffer(doubts))


def factor_of(covariance: Array, noise: Array) -> Array:
    """Return the lower Cholesky factor of a covariance (n, n) with the noise (n,) on its diagonal."""
    return np.asarray(cholesky(covariance + np.diag(noise), lower=True, check_finite=False))


def _extended(kernel: Kernel, points: Array, factor: Array, more: Array, doubts: Array) -> Array:
    if not len(more):
        return factor
    across = solve_triangular(factor, kernel(points, more), lower=True, check_finite=False)
    corner = factor_of(kernel(more, more) - across.T @ across, kernel.noise + doubts)
    return np.block([[factor, np.zeros(across.shape)], [across.T, corner]])


def fit_kernel(
    points: Array,
    aims: Array,
    owners: tuple[int, ...],
    doubts: Array,
    noise: float = NOISE_MEDIAN,
    noises: Bounds = NOISES,
) -> Kernel:
    """Return the kernel of the largest posterior density given points (n, columns) and targets (n,).

    `doubts` (n,) are the variances of those targets that are uncertain. `noise` is the median of the noise's prior,
    `noises` are its bounds.
    """
    posterior = KernelPosterior.of(points, aims, owners, doubts, (noise, NOISE_SPREAD), noises)
    middle, bounds = posterior.middle, posterior.bounds
    size = len(middle) - 2
    starts = [np.clip(middle + np.log([start] * size + [1.0, 1.0]), *bounds.T) for start in FIRST_LENGTHS]
    options = {"maxiter": 50}
    fits = [
        minimize(posterior.loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options) for start in starts
    ]
    return posterior.kernel(min(fits, key=lambda fit: float(fit.fun)).x)


@dataclass(frozen=True, eq=False)
class KernelPosterior:
    """How probable kernels are: `theta` (p,) has the logarithms of the length scales, of the variance and of the noise.

    The priors are log-normal, around `middle` (p,) with standard deviations `spread` (p,), within `bounds` (p, 2).
    """

    squares: Array
    aims: Array
    doubts: Array
    owners: tuple[int, ...]
    middle: Array
    spread: Array
    bounds: Array

    @classmethod
    def of(
        cls,
        points: Array,
        aims: Array,
        owners: tuple[int, ...],
        doubts: Array,
        noise: tuple[float, float],
        noises: tuple[float, float],
    ) -> KernelPosterior:
        """Return the posterior given points (n, columns) and targets (n,), of variances `doubts` (n,).

        `noise` are median and spread of the noise's prior, and `noises` its bounds.
        """
        squares = _squares(points, owners)
        size = len(squares)
        middle = np.log([LENGTH_MEDIAN * np.sqrt(size)] * size + [VARIANCE_MEDIAN, noise[0]])
        spread = np.array([LENGTH_SPREAD] * size + [VARIANCE_SPREAD, noise[1]])
        bounds = np.log([LENGTHS] * size + [VARIANCES, noises])
        return cls(squares, aims, doubts, owners, middle, spread, bounds)

    def loss(self, theta: Array) -> tuple[float, Array]:
        """Return the negative logarithm of the density at theta (p,), up to a constant, and its gradient (p,)."""
        value, gradient = _negative_log_likelihood(theta, self.squares, self.aims, self.doubts)
        away = (theta - self.middle) / self.spread
        return value + float(away @ away) / 2, gradient + away / self.spread

    def kernel(self, theta: Array) -> Kernel:
        """Return the kernel that theta (p,) stands for."""
        *lengths, variance, noise = np.exp(theta).tolist()
        return Kernel(tuple(lengths), variance, noise, self.owners)


def log_prior(kernel: Kernel) -> float:
    """Return the logarithm of the prior density of the length scales and the variance, but for a constant."""
    middle = np.log(LENGTH_MEDIAN * np.sqrt(len(kernel.lengths)))
    away = (np.log(kernel.lengths) - middle) / LENGTH_SPREAD
    return -float(away @ away + (np.log(kernel.variance / VARIANCE_MEDIAN) / VARIANCE_SPREAD) ** 2) / 2


def _squares(points: Array, owners: tuple[int, ...]) -> Array:
    parts = [points[:, np.array(owners) == owner] for owner in range(max(owners) + 1)]
    return np.stack([cdist(part, part, "sqeuclidean") for part in parts])


def _negative_log_likelihood(theta: Array, squares: Array, aims: Array, doubts: Array) -> tuple[float, Array]:
    """Return -log p(aims | theta) (Rasmussen and Williams, eq. 5.8) and its gradient in theta (eq. 5.9).

    `theta` holds the logarithms of the length scales (p,), of the variance and of the noise; `squares` (p, n, n) the
    squared distances in each parameter.
    """
    *lengths, variance, noise = np.exp(theta)
    scaled = squares / (np.array(lengths) ** 2)[:, None, None]
    distances = np.sqrt(5 * scaled.sum(0))
    decay = np.exp(-distances)
    covariance = variance * (1 + distances + distances**2 / 3) * decay
    try:
        factor = factor_of(covariance, noise + doubts)
    except LinAlgError:
        return 1e25, np.zeros(len(theta))
    weights = cho_solve((factor, True), aims)
    slope = cho_solve((factor, True), np.eye(len(aims))) - np.outer(weights, weights)
    by_length = 5 / 6 * variance * np.tensordot(scaled, slope * (1 + distances) * decay, axes=2)
    gradient = [*by_length, (slope * covariance).sum() / 2, noise * np.trace(slope) / 2]
    constant = len(aims) / 2 * np.log(2 * np.pi)
    return float(aims @ weights / 2 + np.log(np.diag(factor)).sum() + constant), np.array(gradient)
