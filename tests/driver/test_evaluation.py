"""What an attempt is worth."""

import math

import pytest

from mlflow_tune.driver.evaluation import best_of_curve, verdict
from mlflow_tune.trial import Outcome

OK = Outcome("ok", {"loss": 0.5}, logged=True, output=b"printed")


@pytest.mark.parametrize("value", [0.5, 0.0, -1e300, 1.79e308, 5e-324, 3])
def test_a_finite_metric_is_the_value(value):
    assert verdict(OK, {"loss": value, "accuracy": math.nan}, "loss") == (OK, value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (1.7976931348623157e308, "inf"),
        (-1.7976931348623157e308, "-inf"),
    ],
)
def test_a_metric_that_is_not_finite_is_told(value, shown):
    outcome, found = verdict(OK, {"loss": value}, "loss")
    assert (outcome.kind, outcome.reason, found) == ("not-finite", f"the metric 'loss' is {shown}", None)
    assert outcome.output == b"printed"


@pytest.mark.parametrize("kind", ["failed", "timeout", "interrupted", "not-finite"])
def test_what_did_not_end_well_has_no_value_and_keeps_its_reason(kind):
    ended = Outcome(kind, {"loss": 0.5}, reason="exit code 1")
    assert verdict(ended, {"loss": 0.5}, "loss") == (ended, None)


def test_a_missing_metric_names_those_that_were_logged():
    outcome, value = verdict(OK, {"val_los": 0.1, "accuracy": 0.9}, "val_loss")
    assert (outcome.kind, value) == ("failed", None)
    assert outcome.reason == "the metric 'val_loss' was not logged; logged were 'accuracy', 'val_los'"


@pytest.mark.parametrize("metrics", [{}, {"trial": 1.0, "objective": 0.5, "log10_lr": -3.0}])
def test_our_own_metrics_are_none_that_the_code_logged(metrics):
    outcome, _ = verdict(OK, metrics, "loss")
    assert outcome.reason == "the metric 'loss' was not logged, nor was any other"


def test_a_thousand_metrics_do_not_flood_the_reason():
    outcome, _ = verdict(OK, {f"m{number:04}": 0.0 for number in range(1000)}, "loss")
    assert "'m0019'" in outcome.reason
    assert "'m0020'" not in outcome.reason


@pytest.mark.parametrize(
    ("goal", "values", "best"),
    [
        ("minimize", [3.0, 1.0, 2.0], 1.0),
        ("maximize", [3.0, 1.0, 2.0], 3.0),
        ("minimize", [math.nan, 2.0, -math.inf], 2.0),
        ("maximize", [1.7976931348623157e308, 2.0, math.inf], 2.0),
        ("minimize", [-1.7976931348623157e308, 2.0], 2.0),
    ],
)
def test_the_best_of_a_curve(goal, values, best):
    assert best_of_curve(list(enumerate(values)), goal) == best


@pytest.mark.parametrize("curve", [[], [(0, math.nan)], [(0, math.inf), (1, -math.inf)]])
def test_a_curve_without_a_finite_value_has_no_best(curve):
    assert math.isnan(best_of_curve(curve, "minimize"))
