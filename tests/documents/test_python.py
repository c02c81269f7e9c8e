"""The documents' Python, run block by block on one store, with small budgets and training code that takes no time."""

from __future__ import annotations

import re
import textwrap
from typing import Any

import pytest

from tests.documents.markdown import block_of

STUDY = ("mlflow_tune/study/README.md", "from mlflow_tune import Float, Int, Study")
CALLBACK = ("mlflow_tune/study/README.md", "from mlflow_tune import Callback, StudyFailed")
SEARCH = ("mlflow_tune/study/README.md", "from mlflow_tune import Categorical, Float, StudySearchCV")
LOOP = (
    "mlflow_tune/study/README.md",
    'study = Study(name="mine", space=space, metric="loss", strategy="bayesian", stop={"trials": 30})',
)
PLAIN_MLFLOW = ("mlflow_tune/tracking/README.md", "import mlflow")
SHOULD_STOP = ("mlflow_tune/diagnosis/stopping/README.md", "for epoch in range(epochs):")
COPIED_STUDY = ("README.md", "from mlflow_tune import Float, Int, Study")
COPIED_SEARCH = ("README.md", "from mlflow_tune import Float, StudySearchCV")
TOUR = ("README.md", "parser = argparse.ArgumentParser()")  # run whole by test_the_tours_script
RUN = [STUDY, CALLBACK, SEARCH, LOOP, PLAIN_MLFLOW, SHOULD_STOP, COPIED_STUDY, COPIED_SEARCH, TOUR]
# The same code with a smaller budget.
SMALLER = {
    r'"trials": \d+': '"trials": 3',
    r'resume\("\+\d+"\)': 'resume("+1")',
    r"n_trials=\d+": "n_trials=2",
    r"n_jobs=\d+": "n_jobs=1",
    r"cv=\d+": "cv=2",
}


@pytest.fixture
def given(sqlite_store, monkeypatch) -> dict[str, Any]:
    """What the blocks take for granted: a store, training code, data."""
    import mlflow
    from sklearn.datasets import load_iris
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    import mlflow_tune

    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_store)
    x, y = load_iris(return_X_y=True)
    return {
        **{"mlflow": mlflow, "mlflow_tune": mlflow_tune, "X": x, "y": y},
        **{"make_pipeline": make_pipeline, "StandardScaler": StandardScaler, "SVC": SVC},
    }


def run(name: tuple[str, str], names: dict[str, Any]) -> dict[str, Any]:
    """Run a block with a smaller budget; return its names."""
    code = block_of(*name).text
    for pattern, smaller in SMALLER.items():
        code = re.sub(pattern, smaller, code)
    exec(compile(code, name[0], "exec"), names)
    return names


@pytest.mark.slow
def test_studies(given, capsys):
    from mlflow_tune import Float, Study

    names = run(STUDY, {**given, "train": lambda alpha, depth: alpha + depth})
    assert len(names["study"].trials) == 3 + 1  # what the second line resumed
    names = run(COPIED_STUDY, {**given, "train": lambda lr, depth: lr + depth})
    assert set(names["study"].best.params) == {"lr", "depth"}

    told: list[str] = []
    plane = {"x": Float(0, 1), "y": Float(0, 1)}  # of which the picture needs 20 trials
    fresh = Study(name="told", objective=lambda x, y: x, space=plane, metric="loss", stop={"trials": 20})
    names = run(CALLBACK, {**given, "post": told.append, "study": fresh})
    assert [line.partition(":")[0] for line in told] == [f"trial {number}" for number in range(1, 21)]
    assert len(names["study"].dataframe()) == 20

    names = run(LOOP, {**given, "Study": Study, "space": {"x": Float(0, 1)}, "train": lambda x: x})
    assert [trial.outcome for trial in names["study"].trials] == ["ok"] * 3

    names = run(PLAIN_MLFLOW, dict(given))
    assert len(names["studies"]) == 4  # all of the above
    assert (names["trials"]["tags.tune.outcome"] == "ok").all()
    assert names["trials"]["metrics.objective"].is_monotonic_increasing


@pytest.mark.slow
def test_searches_of_scikit_learn(given):
    search = run(SEARCH, dict(given))["search"]
    assert len(search.study_.trials) == 2
    search = run(COPIED_SEARCH, dict(given))["search"]
    assert search.best_score_ > 0.5


@pytest.mark.slow
def test_an_objective_that_asks_whether_to_stop(given):
    from mlflow_tune import Float, Study

    body = textwrap.indent(block_of(*SHOULD_STOP).text, "    ")
    names = {**given, "epochs": 3, "train_one_epoch": lambda: 1.0}
    exec(f"def objective(x):\n{body}", names)
    study = Study(
        name="asks", objective=names["objective"], space={"x": Float(0, 1)}, metric="loss", stop={"trials": 2}
    )
    assert [trial.outcome for trial in study.run(quiet=True).trials] == ["ok", "ok"]


@pytest.mark.slow
def test_the_tours_script(given, monkeypatch):
    """The whole file, of which the README shows the part that trains."""
    import runpy

    from tests.fixtures import ROOT

    monkeypatch.setattr("sys.argv", ["train.py", "--lr", "0.05", "--depth", "2"])
    runpy.run_path(str(ROOT / "examples" / "tour" / "train.py"), run_name="__main__")
    (rmse,) = given["mlflow"].search_runs()["metrics.rmse"]
    assert 50 < rmse < 65
