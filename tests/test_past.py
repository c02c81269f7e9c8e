"""A store that an earlier version made: this version lists, shows, resumes, compares and reports it.

`fixtures/past/README.md` says what it holds. `expected.json` is what the version that made it said; this version may
say more.
"""

from __future__ import annotations

import inspect
import json
import re
from pathlib import Path
from typing import Any

import mlflow
import pytest
from click.testing import CliRunner, Result
from mlflow import MlflowClient
from packaging.version import Version

from mlflow_tune import Study
from mlflow_tune.cli import main
from mlflow_tune.errors import InputError
from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.spec.study_file import parse_study
from mlflow_tune.strategies import Bayesian, Bisection, Grid, Manual, Random
from mlflow_tune.trial import Trial
from tests.fixtures.past.store import EXPECTED, unpack
from tests.fixtures.past.train import learn
from tests.fixtures.small_studies.helpers import tune

SAID: dict[str, Any] = json.loads(EXPECTED.read_text())
STUDIES = sorted(SAID["show"])
LONG = ("adopted", "boundary", "grid", "objective", "optimum", "random")  # resumed in the long form alone
UNFINISHED = {"killed", "manual"}  # a trial that runs, a point that waits: a resume needs no larger budget
needs_mlflow = pytest.mark.skipif(
    Version(mlflow.__version__) < Version(SAID["mlflow"]), reason=f"the store was made by MLflow {SAID['mlflow']}"
)


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The store, for commands that change nothing."""
    return unpack(tmp_path_factory.mktemp("past"))


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A store of one's own, whose dead driver need not be waited for long, for somebody who has approved nothing."""
    monkeypatch.setenv("MLFLOW_TUNE_LEASE", "1s")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return unpack(tmp_path)


def invoke(uri: str, *words: object) -> Result:
    """Run `mlflow-tune` on this store, to an end without fault."""
    result = CliRunner().invoke(main, [*map(str, words), "--tracking-uri", uri])
    assert result.exit_code == 0, result.output
    return result


def parsed(uri: str, *words: object) -> Any:
    return json.loads(invoke(uri, *words, "--json").stdout)


def as_it_was(found: Any, expected: Any, where: str = "", tolerance: float = 1e-12) -> None:
    """Check that `found` says all that `expected` says; it may say more."""
    if isinstance(expected, dict):
        assert set(expected) <= set(found), where
        for key, value in expected.items():
            as_it_was(found[key], value, f"{where}.{key}", tolerance)
    elif isinstance(expected, list):
        assert len(found) == len(expected), where
        for index, value in enumerate(expected):
            as_it_was(found[index], value, f"{where}.{index}", tolerance)
    elif isinstance(expected, float):
        assert found == pytest.approx(expected, rel=tolerance), where
    else:
        assert found == expected, where


# The commands that change nothing


@pytest.mark.slow
@needs_mlflow
def test_list_names_every_study_and_its_state(past):
    as_it_was(parsed(past, "list"), {"studies": SAID["list"]})
    states = {study["name"]: study["state"] for study in SAID["list"]}
    assert states == {**dict.fromkeys(STUDIES, "finished"), "killed": "running"}
    assert all(name in invoke(past, "list").stdout for name in STUDIES)


@pytest.mark.slow
@needs_mlflow
@pytest.mark.parametrize("study", STUDIES)
def test_show_and_best_say_of_each_study_what_they_said(past, study):
    as_it_was(parsed(past, "show", study), SAID["show"][study])
    as_it_was(parsed(past, "best", study), SAID["best"][study])
    shown = invoke(past, "show", study).stdout
    assert all(f"#{trial['number']:03d}" in shown for trial in SAID["show"][study]["trials"])


def test_the_past_holds_what_may_break():
    trials = {study: SAID["show"][study]["trials"] for study in STUDIES}
    assert [(each["attempt"], each["outcome"]) for each in trials["grid"]] == [
        (1, "ok"), (2, "ok"), (2, "failed"), (1, "ok"), (1, "ok"),
    ]  # fmt: skip
    assert [each["outcome"] for each in trials["killed"]] == ["ok", "ok", None]
    assert [each["strategy"] for each in trials["adopted"]] == ["random", "random", "adopted"]
    assert [(each["params"], each["why"]) for each in SAID["show"]["manual"]["queued"]] == [
        ({"lr": 0.01, "width": 40}, "a hunch")
    ]
    assert SAID["best"]["boundary"]["answer"]["params"] == {"alpha": 0.25}, "0.375 has a recall below 0.9"


@needs_mlflow
def test_diff_holds_two_trials_against_each_other(past):
    found = parsed(past, "diff", "random", 1, 3)
    for key in ("study", "run_id", "metric", "goal", "params", "metrics", "curves"):
        as_it_was(found[key], SAID["diff"][key], key)
    assert all(len(curve) == 13 for curve in found["curves"]["loss"])


@needs_mlflow
def test_compare_counts_and_ranks_as_it_did(past):
    found = parsed(past, "compare", "random", "bayesian", "--no-log")
    for key in ("metric", "goal", "target"):
        as_it_was(found[key], SAID["compare"][key], key)
    keys = ("strategy", "run_ids", "trials", "failures", "best", "best_after", "trials_to_target")
    groups = [{key: group[key] for key in keys} for group in SAID["compare"]["groups"]]
    as_it_was(found["groups"], groups)


# The commands that write


@pytest.mark.slow
@needs_mlflow
@pytest.mark.parametrize(
    "study", [pytest.param(study, marks=[pytest.mark.long] if study in LONG else []) for study in STUDIES]
)
def test_resume_loses_nothing_and_runs_next_what_it_ran_next(copy, study):
    more = () if study in UNFINISHED else ("--trials", "+1")
    if study == "objective":
        Study.load(study, objective=learn, tracking_uri=copy).resume("+1", yes=True)
        found = parsed(copy, "show", study)
    else:
        found = parsed(copy, "resume", study, "--yes", *more)
    assert found["state"] == "finished"
    before = [trial for trial in SAID["show"][study]["trials"] if trial["outcome"] is not None]
    as_it_was(found["trials"][: len(before)], before)
    following = found["trials"][len(before) :]
    assert len(following) == len(SAID["next"][study])
    # A suggestion of a model depends on the libraries of linear algebra in its last digits.
    tolerance = 1e-3 if study == "bayesian" else 1e-12
    for trial, expected in zip(following, SAID["next"][study], strict=True):
        for key in ("number", "attempt", "outcome", "strategy"):
            assert trial[key] == expected[key]
        as_it_was(trial["params"], expected["params"], "params", tolerance)
        as_it_was(trial["value"], expected["value"], "value", tolerance)


@needs_mlflow
def test_a_study_of_the_past_is_shown_before_it_runs_here_for_the_first_time(copy):
    refused = CliRunner().invoke(main, ["resume", "random", "--tracking-uri", copy])
    assert refused.exit_code == 2
    assert "have started or approved on this machine; it runs here: run.command: python train.py" in refused.stderr
    with pytest.raises(InputError, match=r"resume\(yes=True\)"):
        Study.load("objective", objective=learn, tracking_uri=copy).resume("+1")


@pytest.mark.slow
@needs_mlflow
def test_report_draws_the_bayesian_study_with_its_evidence(copy, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TUNE_REPORT", "true")
    # MLflow remembers in its process where the files of a run lie, by the run id: that of every copy of the store.
    said = tune(["report", "bayesian", "--tracking-uri", copy], tmp_path).out.read_text()
    run_id, page = re.search(r"of the run (\w+)\.\nOpen (.+) in a browser", said).groups()
    assert "<!DOCTYPE html>" in Path(page).read_text()
    client = MlflowClient(copy)
    names = {each.path for each in client.list_artifacts(run_id)}
    assert {"report.html", "trials.csv", "trials.json", "figures"} <= names
    rows = Path(client.download_artifacts(run_id, "trials.csv", str(tmp_path))).read_text().splitlines()
    assert len(rows) == 1 + 8
    assert "figures/calibration.png" in {each.path for each in client.list_artifacts(run_id, "figures")}


# The names that people's code may import


def test_a_space_of_three_kinds_maps_to_units_and_back():
    space = Space({"lr": Float(1e-4, 1e-1, log=True), "depth": Int(1, 9, step=2), "act": Categorical(["relu", "tanh"])})
    for name, value in (("lr", 1e-2), ("depth", 5), ("act", "tanh")):
        assert space[name].from_unit(space[name].to_unit(value)) == pytest.approx(value)


@pytest.mark.parametrize(
    "strategy", [Bayesian(), Grid(), Random(), Bisection(), Manual([{"x": 0.5}])], ids=lambda each: each.name
)
def test_a_strategy_suggests_from_a_space_a_history_and_a_count(strategy):
    assert list(inspect.signature(strategy.suggest).parameters) == ["space", "history", "count"]
    space = Space({"x": Float(0.0, 1.0, grid=3)})
    trial = Trial(number=1, params={"x": 0.25}, outcome="ok", value=1.0, start_time=1_000, end_time=2_000)
    (suggestion,) = strategy.suggest(space=space, history=[trial], count=1)
    space.check(suggestion.params)
    assert suggestion.why


def test_the_key_of_an_error_names_the_place_in_the_study_file():
    form = {
        "name": "bad", "metric": "loss", "run": {"function": "train:bowl"}, "strategy": {"name": "random"},
        "space": {"lr": {"type": "float", "low": 3, "high": 1}},
    }  # fmt: skip
    with pytest.raises(InputError) as caught:
        parse_study(form)
    assert str(caught.value).startswith("space.lr.low: ")
