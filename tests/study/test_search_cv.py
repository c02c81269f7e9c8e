"""`StudySearchCV` against scikit-learn's own searches, and its conventions."""

from __future__ import annotations

import json
import signal
import textwrap

import pytest
from mlflow import MlflowClient
from scipy.stats import loguniform, randint
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import ParameterSampler, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC

from mlflow_tune import Categorical, Float, Int, StudySearchCV
from tests.fixtures.small_studies.helpers import outcomes, runs_of, start, wait_for

IRIS = load_iris(return_X_y=True)
C = {"C": Float(1e-3, 1e3, log=True)}
PIPELINES = {
    "scaled SVC": (
        make_pipeline(StandardScaler(), SVC()),
        load_wine(return_X_y=True),
        {"svc__C": loguniform(1e-2, 1e2), "svc__gamma": loguniform(1e-4, 1), "svc__kernel": ["rbf", "linear"]},
        {
            "svc__C": Float(1e-2, 1e2, log=True),
            "svc__gamma": Float(1e-4, 1, log=True),
            "svc__kernel": Categorical(["rbf", "linear"]),
        },
        None,
    ),
    "polynomial ridge": (
        make_pipeline(PolynomialFeatures(), StandardScaler(), Ridge()),
        load_diabetes(return_X_y=True),
        {"polynomialfeatures__degree": [1, 2], "ridge__alpha": loguniform(1e-3, 1e3)},
        {"polynomialfeatures__degree": Int(1, 2), "ridge__alpha": Float(1e-3, 1e3, log=True)},
        "neg_root_mean_squared_error",
    ),
    "scaled boosting": (
        make_pipeline(StandardScaler(), GradientBoostingRegressor(n_estimators=20, random_state=0)),
        load_diabetes(return_X_y=True),
        {"gradientboostingregressor__max_depth": randint(1, 6), "gradientboostingregressor__subsample": [0.5, 1.0]},
        {
            "gradientboostingregressor__max_depth": Int(1, 5),
            "gradientboostingregressor__subsample": Categorical([0.5, 1.0]),
        },
        "r2",
    ),
}


def search(uri: str, estimator=None, space=None, **more) -> StudySearchCV:
    """Return a search of four random candidates on three folds."""
    given = {"strategy": "random", "n_trials": 4, "cv": 3, "tracking_uri": uri, **more}
    return StudySearchCV(estimator or LogisticRegression(), space or C, **given)


def plain(point: dict) -> dict:
    return {name: value.item() if hasattr(value, "item") else value for name, value in point.items()}


def same_results(ours: dict, theirs: dict) -> None:
    """All that `cv_results_` has but for times is the same, to the last bit."""
    assert {key for key in ours if key != "params"} == {key for key in theirs if key != "params"}
    assert [plain(point) for point in theirs["params"]] == ours["params"]
    for key, values in theirs.items():
        if not key.endswith("_time") and key != "params":
            assert ours[key].tolist() == values.tolist(), key


@pytest.mark.parametrize("case", PIPELINES)
def test_it_finds_what_a_randomized_search_finds_with_the_same_candidates(case, sqlite_store):
    pipeline, (x, y), distributions, space, scoring = PIPELINES[case]
    points = [plain(point) for point in ParameterSampler(distributions, 6, random_state=0)]
    theirs = RandomizedSearchCV(pipeline, distributions, n_iter=6, random_state=0, cv=4, scoring=scoring).fit(x, y)
    strategy = {"name": "manual", "points": points}
    ours = search(sqlite_store, pipeline, space, strategy=strategy, n_trials=6, cv=4, scoring=scoring, name=case)
    ours.fit(x, y)

    assert ours.best_score_ == theirs.best_score_
    assert (ours.best_index_, ours.best_params_) == (theirs.best_index_, plain(theirs.best_params_))
    same_results(ours.cv_results_, theirs.cv_results_)
    assert ours.predict(x).tolist() == theirs.predict(x).tolist()
    assert ours.score(x, y) == theirs.score(x, y)
    assert (ours.n_splits_, ours.n_features_in_) == (theirs.n_splits_, theirs.n_features_in_)

    parent, children = runs_of(sqlite_store, case)
    assert parent.info.run_id == ours.run_id_ == ours.study_.run_id
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in range(1, 7)]
    client = MlflowClient(sqlite_store)
    for row, child in enumerate(children):
        assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
        curve = client.get_metric_history(child.info.run_id, "test_score")
        assert [point.step for point in curve] == [0, 1, 2, 3]
        assert [point.value for point in curve] == [
            theirs.cv_results_[f"split{step}_test_score"][row] for step in range(4)
        ]
        assert child.data.metrics["objective"] == child.data.metrics["mean_test_score"]


SCRIPT = """
    import json, sys, time
    from pathlib import Path
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from mlflow_tune import Float, StudySearchCV

    class Held(LogisticRegression):
        def fit(self, X, y):
            with Path("calls").open("a") as file:
                file.write("x")
            if Path("calls").stat().st_size == 8:  # the second fold of the third candidate
                time.sleep(3600)
            return super().fit(X, y)

    space = {"C": Float(1e-3, 1e3, log=True)}
    search = StudySearchCV(Held(), space, strategy="random", n_trials=4, cv=3, name="killed", refit=False)
    search.fit(*load_iris(return_X_y=True))
    Path("found").write_text(json.dumps([search.best_score_, search.cv_results_["split1_test_score"].tolist()]))
"""


def test_a_search_that_was_killed_goes_on_under_its_name(sqlite_store, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))
    process = start([script], tmp_path, sqlite_store)
    wait_for(lambda: (tmp_path / "calls").exists() and (tmp_path / "calls").stat().st_size == 8)
    process.signal(signal.SIGKILL)
    process.wait()
    assert [each[2] for each in outcomes(runs_of(sqlite_store, "killed")[1])] == ["ok", "ok", None]

    again = start([script], tmp_path, sqlite_store)
    assert again.wait() == 0, again.err.read_text()
    found = outcomes(runs_of(sqlite_store, "killed")[1])
    assert [each[:3] for each in found] == [
        (1, 1, "ok"), (2, 1, "ok"), (3, 1, "interrupted"), (3, 2, "ok"), (4, 1, "ok"),
    ]  # fmt: skip
    assert (tmp_path / "calls").stat().st_size == 8 + 2 * 3, "what was done is not done again"
    whole = search(sqlite_store, refit=False).fit(*IRIS)
    best, second_folds = json.loads((tmp_path / "found").read_text())
    assert (best, second_folds) == (whole.best_score_, whole.cv_results_["split1_test_score"].tolist())
