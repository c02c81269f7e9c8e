"""Forecasts of a trial's value: averaged over kernels, with noise that is learnt, and bands that hold what they say."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import t

from mlflow_tune.space import Float, Space
from mlflow_tune.strategies import Bayesian
from mlflow_tune.strategies.bayesian import averaging
from mlflow_tune.strategies.bayesian.averaging import DEGREES, LEARNT, NEAREST, drawn_kernels, level_of, reach_of
from mlflow_tune.strategies.bayesian.targets import targets
from mlflow_tune.trial import Trial

OWNERS = (0, 1)
LINE = Space({"x": Float(0, 1)})


def made(count, noise, seed=0):
    """Return points in the unit square and values of a wave over them."""
    draws = np.random.default_rng(seed)
    points = draws.random((count, 2))
    return points, np.sin(5 * points[:, 0]) + points[:, 1] ** 2 + noise * draws.standard_normal(count)


def forecast(points, values, point):
    certain = np.zeros(len(values))
    return drawn_kernels(points, values, certain, OWNERS).forecast(points, targets(values)[0], certain, np.array(point))


@pytest.mark.parametrize("level", [0.0, 0.5, 0.8, 0.95, 0.999])
def test_a_level_and_the_reach_of_its_band_are_inverse(level):
    assert level_of(reach_of(level)) == pytest.approx(level)
    assert level_of(-reach_of(level)) == pytest.approx(level)


def test_a_standard_deviation_is_half_of_what_the_central_68_percent_span():
    assert reach_of(averaging.ONE) == pytest.approx(1)
    assert reach_of(0.95) == pytest.approx(t.ppf(0.975, DEGREES) / t.ppf(0.8413447, DEGREES))


def test_noise_is_learnt_where_there_is_some():
    """In the model's units values have variance 1, of which the noise is about a half in one of these tables."""
    exact, noisy = (forecast(*made(40, noise), [0.4, 0.6])[1] for noise in (0.0, 0.6))
    assert exact < 0.1
    assert 0.4 < noisy < 1.1


def test_a_doubtful_value_tells_less():
    """Of a trial that was stopped the value is itself a prediction."""
    points, values = made(20, 0.0)
    doubtful = np.zeros(20)
    doubtful[3] = 1.0
    aims, scale = targets(values)
    sure, unsure = (
        drawn_kernels(points, values, errors, OWNERS).forecast(points, aims, scale.variances(values, errors), points[3])
        for errors in (np.zeros(20), doubtful)
    )
    assert unsure[1] > 1.5 * sure[1]


@pytest.mark.slow
def test_bands_hold_about_as_many_values_as_they_say():
    """With noise and without: a study does not know which it has."""
    levels = []
    for noise, seed in product((0.0, 0.5), range(20)):
        points, values = made(13, noise, seed)
        mean, std = forecast(points[:12], values[:12], points[12])
        (seen,) = targets(values[:12])[1].forward(values[12:])
        levels.append(level_of((seen - mean) / std))
    inside = [np.mean(np.array(levels) <= level) for level in (0.5, 0.8, 0.95)]
    assert 0.35 < inside[0] < 0.7
    assert inside[1] > 0.7
    assert inside[2] > 0.87


def test_among_many_trials_the_nearest_ones_tell():
    points, values = made(NEAREST + 50, 0.0)
    mean, std = forecast(points, values, points[7])
    assert len(points) > LEARNT
    assert mean == pytest.approx(targets(values)[0][7], abs=0.05)
    assert std < 0.1


def test_a_band_tells_how_a_forecast_came_out():
    history = [Trial(at, {"x": x}, "ok", (x - 0.3) ** 2) for at, x in enumerate(np.linspace(0, 1, 9).tolist(), start=1)]
    (low,) = Bayesian().suggest(LINE, history, 1)
    mean, std = low.evidence["predicted_mean"], low.evidence["predicted_std"]
    right, wrong = (Trial(10, low.params, "ok", value, metrics=low.evidence) for value in (mean, mean + 10))
    band = Bayesian().band(LINE, history, right)
    assert band.level == pytest.approx(0, abs=1e-6)
    assert band.low < mean < band.high
    assert 2 * std < band.high - band.low
    assert Bayesian().band(LINE, history, wrong).level > 0.95
    turned = [Trial(each.number, each.params, "ok", -each.value) for each in history]
    (high,) = Bayesian(goal="maximize").suggest(LINE, turned, 1)
    mirrored = Bayesian(goal="maximize").band(LINE, turned, Trial(10, high.params, "ok", -mean, metrics=high.evidence))
    assert (mirrored.low, mirrored.high) == (-band.high, -band.low)


@pytest.mark.parametrize(
    ("history", "trial"),
    [
        ([Trial(1, {"x": 0.1}, "ok", 1.0)], Trial(2, {"x": 0.2}, "ok", 1.0)),
        ([Trial(1, {"x": 0.1}, "failed")], Trial(2, {"x": 0.2}, "ok", 1.0, metrics={"model_mean": 0, "model_std": 1})),
        ([Trial(1, {"x": 0.1}, "ok", 1.0)], Trial(2, {"x": 0.2}, "failed", metrics={"model_mean": 0, "model_std": 1})),
    ],
    ids=["no forecast", "nothing known", "no value"],
)
def test_without_a_forecast_or_a_value_there_is_no_band(history, trial):
    assert Bayesian().band(LINE, history, trial) is None
