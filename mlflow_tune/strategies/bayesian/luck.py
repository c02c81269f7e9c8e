"""How much of the best values is luck: what models that differ in how noisy they take the values to be believe.

A model of all values that knows how noisy they are is not misled by the best of them being picked: its posterior holds
however a point was chosen (Gelman et al., Bayesian Data Analysis, 2013, section 8.8). As few values hardly tell how
noisy they are, a process is fitted for each of some noises. Each counts by a power of its likelihood, since none is
right: real noise differs from place to place (Gruenwald and van Ommen, 2017, https://doi.org/10.1214/17-BA1085).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.linalg import LinAlgError, cho_solve  # type: ignore[import-untyped]
from scipy.special import ndtr  # type: ignore[import-untyped]

from mlflow_tune.space import Space
from mlflow_tune.strategies.bayesian.encoding import Array, features, observe
from mlflow_tune.strategies.bayesian.gp import GaussianProcess, Kernel, fit_kernel, log_prior
from mlflow_tune.strategies.bayesian.targets import Scale, targets
from mlflow_tune.strategies.bayesian.threads import one_thread
from mlflow_tune.trial import Goal, Trial

LEAST = 8  # trials with a value
MOST = 80  # trials that the models are fitted to
NOISES = (1e-6, 1e-3, 1e-2, 3e-2, 0.1, 0.2, 0.4, 0.8)  # variances, where that of all values is 1; the first is none
EVIDENCE = 2.0  # by which the logarithm of the likelihood without noise must be larger, to say that there is none
# Of 20 studies of HPOBench's tables (50 trials), and 60 of a smooth function (30), the intervals held the true value in
# all and in 93 % with this power.
POWER = 0.2
LEVEL = 3  # equal values, of which one is enough: a plateau has no noise, wherever else there is some
ENDS = (0.08, 0.98)  # an interval of 90 %: what is wrong with these models makes the best look better than it is
STEPS = 60  # of the search for an end


@dataclass(frozen=True)
class Luck:
    """Whether the values are noisy, and between which values (low, high) each true value asked for lies, to 90 %."""

    noisy: bool
    intervals: Sequence[tuple[float, float]]


@one_thread()
def luck_of(space: Space, history: Sequence[Trial], goal: Goal, asked: Sequence[Trial]) -> Luck | None:
    """Return what is believed of the true values of the trials `asked`, None where there is too little to tell.

    That is so with fewer than `LEAST` values in the space, with equal ones, and for a point outside of the space.
    """
    valued = [trial for trial in history if trial.value is not None and space.contains(trial.params)]
    if len(valued) < LEAST or not all(space.contains(trial.params) for trial in asked):
        return None
    seen = observe(space, _some(_apart(valued, asked), asked), goal)
    if len(np.unique(seen.values[~np.isnan(seen.values)])) < 2:
        return None
    rows, owners = features(space, seen.points)
    found, scale = _models(rows.tobytes(), seen.values.tobytes(), owners)
    points, _ = features(space, np.array([space.to_unit(trial.params) for trial in asked]))
    if not found:
        return None
    beliefs = [process.predict(points) for process in found]
    means, stds = (np.stack(each) for each in zip(*beliefs, strict=True))
    intervals = _intervals(scale, 1.0 if goal == "minimize" else -1.0, _weights(found), means, stds)
    return Luck(_is_noisy(found), intervals)


def _apart(valued: Sequence[Trial], asked: Sequence[Trial]) -> list[Trial]:
    """Return the trials without those that only repeat a value that many have."""
    numbers = {trial.number for trial in asked}
    times = Counter(trial.value for trial in valued)
    met: Counter[float | None] = Counter()
    kept = []
    for trial in valued:
        met[trial.value] += 1
        if trial.number in numbers or times[trial.value] < LEVEL or met[trial.value] == 1:
            kept.append(trial)
    return kept


def _some(valued: Sequence[Trial], asked: Sequence[Trial]) -> list[Trial]:
    """Return as many of the trials as a fit bears, evenly over the study: which ones owes nothing to their values."""
    numbers = {trial.number for trial in asked}
    step = max(1, -(-len(valued) // MOST))
    return [trial for index, trial in enumerate(valued) if index % step == 0 or trial.number in numbers]


@lru_cache(maxsize=4)  # the run page, the summary and the JSON of a study that has ended all tell of it
def _models(points: bytes, values: bytes, owners: tuple[int, ...]) -> tuple[list[GaussianProcess], Scale]:
    aims, scale = targets(np.frombuffer(values))
    rows = np.frombuffer(points).reshape(len(aims), -1)
    return [each for noise in NOISES if (each := _model(rows, aims, owners, noise)) is not None], scale


def _model(rows: Array, aims: Array, owners: tuple[int, ...], noise: float) -> GaussianProcess | None:
    """Return the process with this noise, None where the points allow for none."""
    certain = np.zeros(len(rows))
    kernel: Kernel = fit_kernel(rows, aims, owners, certain, noise, (noise, noise * 1.0001))
    try:
        factor = np.asarray(np.linalg.cholesky(kernel(rows, rows) + kernel.noise * np.eye(len(rows))), dtype=float)
    except (LinAlgError, np.linalg.LinAlgError):
        return None
    return GaussianProcess(kernel, rows, factor, aims, cho_solve((factor, True), aims), certain)


def _is_noisy(found: Sequence[GaussianProcess]) -> bool:
    first, *others = found
    exact = first.noise < NOISES[1]
    return not exact or any(_likelihood(each) > _likelihood(first) - EVIDENCE for each in others)


def _likelihood(process: GaussianProcess) -> float:
    """Return the logarithm of the likelihood, but for a constant."""
    return -float(process.targets @ process.weights) / 2 - float(np.log(np.diag(process.factor)).sum())


def _weights(found: Sequence[GaussianProcess]) -> Array:
    """Return how much each process counts (n,): by a power of its posterior density."""
    logs = np.array([_likelihood(each) + log_prior(each.kernel) for each in found])
    weights = np.exp(POWER * (logs - logs.max()))
    return np.asarray(weights / weights.sum())


def _intervals(scale: Scale, sign: float, weights: Array, means: Array, stds: Array) -> list[tuple[float, float]]:
    """Return the intervals of a mixture: means and standard deviations (n, m) of m points, a row a model."""
    ends = [_quantile(weights, means, stds, share) for share in ENDS]
    values = np.stack([sign * scale.back(end) for end in ends])
    return list(zip(values.min(axis=0).tolist(), values.max(axis=0).tolist(), strict=True))


def _quantile(weights: Array, means: Array, stds: Array, share: float) -> Array:
    """Return where so much of the mixture lies below (m,), by halving."""
    low, high = (means - 8 * stds).min(axis=0), (means + 8 * stds).max(axis=0)
    for _ in range(STEPS):
        middle = (low + high) / 2
        below = weights @ ndtr((middle - means) / stds) < share
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    return np.asarray((low + high) / 2)
