"""Models are fitted in one thread, whatever the process may use: their threads would wait for each other's."""

from __future__ import annotations

import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from mlflow_tune.space import Float, Space
from mlflow_tune.strategies import Bayesian
from mlflow_tune.strategies.bayesian import gp, luck
from mlflow_tune.trial import Trial

SPACE = Space({"x": Float(0, 1)})
HISTORY = [Trial(number, {"x": number / 10}, "ok", (number / 10 - 0.3) ** 2) for number in range(1, 10)]


def threads() -> set[int]:
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.mark.parametrize(
    "ask",
    [
        lambda: Bayesian(initial=3).suggest(SPACE, HISTORY, 1),
        lambda: Bayesian(initial=3).posterior(SPACE, HISTORY, [{"x": 0.5}]),
        lambda: luck.luck_of(SPACE, HISTORY, "minimize", HISTORY[:1]),
    ],
    ids=["suggestion", "posterior", "luck"],
)
def test_a_model_is_fitted_in_one_thread(ask, monkeypatch):
    fit, seen = gp.minimize, set()
    monkeypatch.setattr(gp, "minimize", lambda *args, **more: (seen.update(threads()), fit(*args, **more))[1])
    gp._fitted.cache_clear()
    luck._models.cache_clear()
    with threadpool_limits(2, "blas"):
        assert threads() == {2}
        assert ask()
        assert (seen, threads()) == ({1}, {2})
