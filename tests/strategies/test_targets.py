"""The way from a metric's values to a model's units, and back: it leads nowhere that the values seen do not."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlflow_tune.strategies.bayesian.targets import DIVERGED, Scale, targets

HEAVY = np.array([0.1634, 0.2892, 0.02127, 0.000743, 4.36, 0.9, 1.7, 0.4])
NUMBERS = st.floats(-1e6, 1e6).map(lambda number: round(number, 6))
SEEN = st.lists(NUMBERS, min_size=2, max_size=40).map(np.array)
SPREAD = SEEN.filter(lambda values: np.ptp(values) > 1e-6 * np.abs(values).max())
UNITS = np.concatenate([-np.geomspace(1e4, 1e-3, 60), [0.0], np.geomspace(1e-3, 1e4, 60)])


def test_a_heavy_tail_leads_back_to_values_like_those_seen():
    scale = Scale.of(HEAVY)
    top = float(scale.forward(np.array([4.36]))[0])
    assert 1.4 < top < 1.5
    one, two = scale.back(np.array([1.0, 2.0]))
    assert 1.0 < one < 1.1
    assert 4.36 < two < 4.36 + (2 - top) * np.ptp(HEAVY)


@given(SPREAD)
def test_the_way_back_rises_and_goes_no_farther_than_values_were_spread(values):
    """A unit beyond the values seen is at most as much as a unit among them on average, diverged ones left out."""
    scale = Scale.of(values)
    back = scale.back(UNITS)
    assert np.isfinite(back).all()
    assert (np.diff(back) >= -1e-9 * scale.size).all()
    first, last = scale.forward(np.array([scale.least, scale.most]) * scale.size)
    length = (scale.most - scale.least) * scale.size
    beyond = np.maximum(first - UNITS, 0) + np.maximum(UNITS - last, 0)
    allowed = beyond * length / (last - first) + 1e-6 * scale.size
    assert (back >= values.min() - allowed).all()
    assert (back <= scale.most * scale.size + allowed).all()
    assert scale.most * scale.size <= values.max() + 1e-9 * scale.size


@given(SPREAD)
@example(np.array([0.03125, -0.839844]))
def test_values_that_were_seen_lead_there_and_back(values):
    scale = Scale.of(values)
    kept = values[values <= scale.most * scale.size + 1e-9 * scale.size]
    assert len(kept) > len(values) / 2
    np.testing.assert_allclose(scale.back(scale.forward(kept)), kept, rtol=1e-6, atol=1e-6 * scale.size)
    assert (np.diff(scale.forward(np.sort(values))) >= -1e-9).all()


@given(SPREAD.filter(lambda values: np.median(values) > values.min()), st.floats(1e9, 1e30))
def test_a_diverged_trial_makes_no_prediction_huge(values, diverged):
    scale = Scale.of(np.append(values, values.max() + diverged * np.ptp(values)))
    length = values.max() - values.min()
    assert scale.back(np.array([3.0]))[0] <= values.max() + 20 * DIVERGED * length


@pytest.mark.parametrize("value", [0.0, 0.5, -1e149])
def test_equal_values_have_a_way_back_too(value):
    aims, scale = targets(np.full(4, value))
    np.testing.assert_array_equal(aims, np.zeros(4))
    low, middle, high = scale.back(np.array([-1.0, 0.0, 1.0]))
    assert low < middle < high and middle == value
