"""Which goals are odd for the name of a metric."""

from __future__ import annotations

import pytest

from mlflow_tune.spec.goals import is_odd


@pytest.mark.parametrize(
    ("metric", "goal", "odd"),
    [
        ("val_loss", "maximize", True),
        ("valLoss", "minimize", False),
        ("accuracy", "minimize", True),
        ("test accuracy", "maximize", False),
        ("neg_log_loss", "maximize", False),
        ("score_error", "maximize", False),
        ("speed", "minimize", False),
    ],
)
def test_a_loss_to_maximize_is_odd_and_an_unknown_word_is_not(metric, goal, odd):
    assert is_odd(metric, goal) is odd
