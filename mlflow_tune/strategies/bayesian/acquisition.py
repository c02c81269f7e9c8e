"""Acquisition functions: how much a trial at a point promises. All are scores of which the largest is chosen.

Mean and standard deviation are in the model's units and to be minimised. For the formulas see Shahriari et al., 2016,
section IV, https://doi.org/10.1109/JPROC.2015.2494218; expected improvement is taken in its logarithm, which is not
flat where there is little to gain (Ament et al., 2023, https://arxiv.org/abs/2310.20708).
"""

from __future__ import annotations

import numpy as np
from scipy.special import erfcx, log_ndtr  # type: ignore[import-untyped]

from mlflow_tune.strategies.bayesian.encoding import Array

MARGIN = 0.01  # what a probable improvement must reach, so that PI does not creep along the incumbent
LOGARITHMIC = ("EI", "EIps", "PI")


def score(name: str, mean: Array, std: Array, incumbent: float, kappa: float) -> Array:
    """Return the score (m,) of points with this predicted mean (m,) and standard deviation (m,).

    For EI, PI and EIps (before its division by the predicted seconds) it is a logarithm.
    """
    if name == "uncertainty":
        return std
    if name == "LCB":
        return kappa * std - mean
    if name == "PI":
        return np.asarray(log_ndtr((incumbent - MARGIN - mean) / std))
    return log_expected_improvement(mean, std, incumbent)


def log_expected_improvement(mean: Array, std: Array, incumbent: float) -> Array:
    """Return log E[max(incumbent - f, 0)] (m,) for normal f with this mean (m,) and standard deviation (m,)."""
    ahead = (incumbent - mean) / std
    behind = np.minimum(ahead, -1.0)
    # Ament et al., equation 9: log(pdf(x) + x cdf(x)) = log pdf(x) + log(1 - |x| cdf(x) / pdf(x)) for x < -1
    mills = -behind * np.sqrt(np.pi / 2) * erfcx(-behind / np.sqrt(2))
    tail = np.where(behind > -1e4, np.log1p(-np.minimum(mills, 1 - 1e-9)), -2 * np.log(-behind))
    near = np.maximum(ahead, -1.0)
    density = np.exp(-(near**2) / 2) / np.sqrt(2 * np.pi)
    head = np.log(density + near * np.exp(log_ndtr(near)))
    return np.asarray(np.log(std) + np.where(ahead > -1, head, tail - behind**2 / 2 - np.log(2 * np.pi) / 2))


def acquisition_values(name: str, scores: Array) -> Array:
    """Return the scores as people know them: EI, PI and EIps themselves, not their logarithms."""
    return np.exp(scores) if name in LOGARITHMIC else scores
