"""`StudySearchCV` against scikit-learn's own searches, and its conventions."""

from __future__ import annotations

import copy
import json
import math
import signal
import textwrap

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from scipy import sparse
from scipy.stats import loguniform, randint
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_diabetes, load_iris, load_wine
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, ParameterSampler, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from mlflow_tune import Categorical, Float, InputError, Int, Study, StudyFailed, StudySearchCV
from mlflow_tune.study.fingerprint import digest, estimator_words
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


@pytest.mark.slow
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


@pytest.mark.long
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


class Odd(ClassifierMixin, BaseEstimator):
    """A classifier whose fit fails with one depth, and on one fold with another."""

    def __init__(self, depth=1):
        self.depth = depth

    def fit(self, X, y, sample_weight=None):  # noqa: N803
        if self.depth == 2 or (self.depth == 3 and 0 not in X[:, 0]):
            raise ValueError(f"depth {self.depth} is odd")
        self.tree_ = DecisionTreeClassifier(max_depth=self.depth, random_state=0).fit(X, y, sample_weight)
        self.classes_ = self.tree_.classes_
        return self

    def predict(self, X):  # noqa: N803
        return self.tree_.predict(X)


DEPTHS = {"depth": Int(1, 4, grid=[1, 2, 3, 4])}
NUMBERED = np.arange(30.0)[:, None], np.arange(30) // 15


def grids(uri: str, scoring=None, **more) -> tuple[StudySearchCV, GridSearchCV]:
    """Return a search of four depths and its twin of scikit-learn."""
    folds = KFold(3)
    theirs = GridSearchCV(Odd(), {"depth": [1, 2, 3, 4]}, cv=folds, scoring=scoring, **more)
    return search(uri, Odd(), DEPTHS, strategy="grid", n_trials=None, cv=folds, scoring=scoring, **more), theirs


@pytest.mark.slow
@pytest.mark.parametrize("error_score", [math.nan, 0.25])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more of the")
def test_fits_that_fail_have_the_error_score(sqlite_store, error_score):
    ours, theirs = grids(sqlite_store, error_score=error_score, return_train_score=True)
    theirs.fit(*NUMBERED)
    with pytest.warns(FitFailedWarning, match=r"4 of 12 fits failed \(ValueError: depth 2 is odd"):
        ours.fit(*NUMBERED)
    np.testing.assert_equal(
        {key: np.array(values) for key, values in ours.cv_results_.items() if not key.endswith("_time")},
        {key: np.array(values) for key, values in theirs.cv_results_.items() if not key.endswith("_time")},
    )
    assert ours.best_params_ == theirs.best_params_
    outcome = "failed" if math.isnan(error_score) else "ok"
    assert ours.study_.trials[1].outcome == outcome


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
def test_fits_that_all_fail_are_an_error(sqlite_store):
    for error_score in (math.nan, 1.0):
        failing = search(sqlite_store, Odd(), {"depth": Categorical([2])}, n_trials=1, error_score=error_score)
        with pytest.raises(ValueError, match="depth 2 is odd") as failed:
            failing.fit(*NUMBERED)
        assert isinstance(failed.value, StudyFailed)
        assert len(failed.value.study.trials) == 1
    strict, theirs = grids(sqlite_store, error_score="raise")
    for each in (strict, theirs):
        with pytest.raises(ValueError, match=r"^depth 2 is odd$"):
            each.fit(*NUMBERED)


@pytest.mark.long
def test_several_scores_weights_groups_and_processes(sqlite_store):
    x, y = IRIS
    groups, weights = np.arange(150) % 5, np.linspace(0.1, 1, 150)
    points = [{"C": 0.001}, {"C": 1.0}, {"C": 100.0}]
    given = {"scoring": {"acc": "accuracy", "f1": "f1_macro"}, "refit": "f1", "cv": GroupKFold(5), "n_jobs": 2}
    estimator = LogisticRegression(max_iter=500)
    theirs = GridSearchCV(estimator, {"C": [0.001, 1.0, 100.0]}, **given)
    ours = search(sqlite_store, estimator, strategy={"name": "manual", "points": points}, n_trials=3, **given)
    for each in (theirs, ours):
        each.fit(x, y, groups=groups, sample_weight=weights)
    same_results(ours.cv_results_, theirs.cv_results_)
    assert (ours.best_score_, ours.best_params_) == (theirs.best_score_, theirs.best_params_)
    assert ours.score(x, y) == theirs.score(x, y)
    assert ours.study_.spec.metric == "mean_test_f1"
    assert ours.multimetric_

    worst = search(sqlite_store, refit=lambda results: int(results["rank_test_score"].argmax()), n_trials=2).fit(x, y)
    assert worst.cv_results_["mean_test_score"][worst.best_index_] == worst.cv_results_["mean_test_score"].min()
    unfitted = search(sqlite_store, refit=False, n_trials=1).fit(x, y)
    assert not hasattr(unfitted, "best_estimator_")
    assert not hasattr(unfitted, "predict")
    with pytest.raises(InputError, match="of several scores it names the one that is tuned"):
        search(sqlite_store, scoring=["accuracy"]).fit(x, y)


@pytest.mark.slow
def test_a_name_is_one_search(sqlite_store):
    x, y = IRIS
    first = search(sqlite_store, name="one").fit(x, y)
    again = search(sqlite_store, name="one").fit(pd.DataFrame(x).to_numpy(), y.tolist())
    assert again.run_id_ == first.run_id_
    same_results(again.cv_results_, first.cv_results_)
    more = search(sqlite_store, name="one", n_trials=6, return_train_score=True).fit(x, y)
    assert (more.run_id_, len(more.cv_results_["params"])) == (first.run_id_, 6)
    assert more.cv_results_["mean_test_score"][:4].tolist() == first.cv_results_["mean_test_score"].tolist()
    assert np.isnan(more.cv_results_["mean_train_score"]).tolist() == [True] * 4 + [False] * 2

    def refused(words: str, x=x, y=y, **more) -> None:
        with pytest.raises(InputError, match=f"the study 'one' .* was made with other {words}"):
            search(sqlite_store, name="one", **more).fit(x, y)

    changed = x.copy()
    changed[3, 1] += 1e-9
    refused("data", x=changed)
    refused("data", y=y[::-1])
    refused("folds .* a splitter that shuffles needs a random_state", cv=KFold(3, shuffle=True))
    refused("folds", cv=4)
    refused("estimator", estimator=LogisticRegression(max_iter=101))
    refused("estimator", estimator=make_pipeline(LogisticRegression()), space={"logisticregression__C": C["C"]})
    refused("scores", scoring="f1_macro")
    refused("space", space={"C": Float(1e-3, 1e2, log=True)})
    Study(name="two", objective=lambda C: C, space=C, metric="a", stop={"trials": 1}, tracking_uri=sqlite_store).run()  # noqa: N803
    by_fit = r"go on with it by StudySearchCV\(\.\.\., name='one'\)\.fit\(X, y\)"
    with pytest.raises(InputError, match=by_fit):
        Study.load("one", tracking_uri=sqlite_store).resume("+1", quiet=True)
    with pytest.raises(InputError, match=by_fit):
        Study.load("one", objective=lambda **_: 0.5, tracking_uri=sqlite_store)
    with pytest.raises(InputError, match=r"'two' .* is not one that StudySearchCV made"):
        search(sqlite_store, name="two").fit(x, y)
    nameless = [search(sqlite_store, n_trials=1).fit(x, y).run_id_ for _ in range(2)]
    assert len(set(nameless)) == 2

    with pytest.raises(InputError, match="unknown parameter of the estimator 'CC'; did you mean 'C'"):
        search(sqlite_store, space={"CC": C["C"]}).fit(x, y)


def test_a_digest_is_of_what_is_in_the_data():
    x, y = IRIS
    table = pd.DataFrame(x, columns=list("abcd"))
    words = np.array(["a", None, 1.5], dtype=object)
    data = [
        x,
        x.astype("float32"),
        x[:, ::-1],
        x.T,
        table,
        table.rename(columns={"a": "e"}),
        sparse.csr_matrix(x),
        words,
    ]
    digests = [digest([each, y]) for each in data]
    assert len(set(digests)) == len(data)
    assert digests == [digest([copy.deepcopy(each), y.tolist()]) for each in data]
    assert digest([x[::2]]) == digest([x[::2].copy()]), "how it lies in memory counts for nothing"
    assert estimator_words(Odd(2)) != estimator_words(Odd(3))
    odd = [Odd(part) for part in [lambda: 1] * 2]
    assert estimator_words(odd[0]) == estimator_words(copy.deepcopy(odd[1])), "what cannot be pickled by name"
    assert estimator_words(make_pipeline(StandardScaler(), SVC())).startswith("Pipeline of StandardScaler, SVC, ")


CHECKED = StudySearchCV(LogisticRegression(), C, strategy="random", n_trials=2, cv=2, error_score="raise")


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")  # infinite y, in scikit-learn
@parametrize_with_checks([CHECKED])
def test_it_keeps_scikit_learns_conventions(estimator, check, sqlite_store, monkeypatch):
    """All of `check_estimator`; each fit is a study of its own."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_store)
    check(estimator)
