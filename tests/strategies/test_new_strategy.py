"""A new strategy is a file and a line: the README's example is added so, held to the conformance suite, and used."""

from __future__ import annotations

import importlib
import json
import os
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from mlflow_tune.errors import InputError
from mlflow_tune.spec.study_file import parse_study, read_study_file
from mlflow_tune.strategies import STRATEGIES, make_strategy, strategy_to_json
from mlflow_tune.trial import Trial
from tests.conformance import strategies as suite
from tests.fixtures import ROOT

PACKAGE = Path(ROOT, "mlflow_tune")
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```$", (PACKAGE / "README.md").read_text(), re.DOTALL | re.MULTILINE)
SPACES = {"finite": suite.FINITE, "mixed": suite.MIXED, "line": suite.LINE}
STUDY = {
    "name": "around the best",
    "run": {"function": "train:squares"},
    "metric": "loss",
    "space": {"x": {"type": "float", "low": -1.0, "high": 1.0}},
    "strategy": {"name": "local", "reach": 0.3},
    "stop": {"trials": 6},
}


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The example's class, in the table."""
    folder = tmp_path_factory.mktemp("example")
    (folder / "local_of_the_readme.py").write_text(EXAMPLE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setenv("PYTHONPATH", str(folder), prepend=os.pathsep)  # for the processes that the suite starts
        found = importlib.import_module("local_of_the_readme").Local
        patch.setitem(STRATEGIES, found.name, found)
        yield found


def test_the_example_has_sixty_lines_at_most():
    assert len(EXAMPLE.splitlines()) <= 60


@pytest.mark.slow
@pytest.mark.parametrize("check", suite.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("space", SPACES)
def test_the_example_keeps_every_promise(local, space, check):
    check(local(seed=3), SPACES[space])


def test_the_example_is_options_that_json_holds(local):
    chosen = make_strategy({"name": "local", "reach": 0.3}, "maximize")
    assert chosen == local(reach=0.3, goal="maximize") == make_strategy(strategy_to_json(chosen), "maximize")
    assert hash(chosen) == hash(pickle.loads(pickle.dumps(chosen)))
    with pytest.raises(InputError, match="reach <= 1 must hold, but got reach=2") as caught:
        make_strategy({"name": "local", "reach": 2})
    assert caught.value.key == "reach"


def test_what_a_new_strategy_leaves_out_has_a_default(local):
    history = [Trial(1, {"lr": 0.1}, "ok", 0.5, metrics={"local_reach": 0.2}), Trial(2, {"lr": 1e-3}, "failed")]
    chosen = local()
    assert chosen.eligible(history) == history
    assert chosen.answer(suite.LINE, history) is None
    assert chosen.conclusion(suite.LINE, history) == "every point that it asks for has been tried"
    assert chosen.bracket(suite.LINE, history) is chosen.posterior(suite.LINE, history, [{"lr": 0.1}]) is None
    assert (chosen.length(suite.LINE), chosen.length(suite.FINITE)) == (None, suite.FINITE.size)
    assert chosen.findings(suite.LINE, history) == ["the best lr is an end of its range: widen it"]


def test_what_a_new_strategy_logs_is_reserved(local):
    space = {"local_reach": {"type": "float", "low": 0, "high": 1}}
    for changes, key in (
        ({"space": space}, "space.local_reach"),
        ({"metric": "local_reach"}, "metric"),
        ({"run": {"function": "train:squares", "parameters": {"local_reach": 1}}}, "run.parameters.local_reach"),
    ):
        with pytest.raises(InputError, match=rf"^{re.escape(key)}: the name 'local_reach' is reserved"):
            parse_study({**STUDY, **changes})


@pytest.mark.parametrize(
    "name",
    [
        "bracket_low",
        "bracket_high",
        "predicted_mean",
        "predicted_std",
        "model_mean",
        "model_std",
        "acquisition",
        "expected_improvement",
    ],
)
def test_what_our_strategies_log_is_reserved_in_every_study_file(name, tmp_path):
    file = tmp_path / "study.yaml"
    space = {name: {"type": "float", "low": 0, "high": 1}}
    file.write_text(yaml.safe_dump({**STUDY, "space": space, "strategy": {"name": "random"}}))
    with pytest.raises(InputError, match=rf"^{re.escape(str(file))}: space\.{name}: the name '{name}' is reserved"):
        read_study_file(file)


def test_a_stop_rule_that_needs_a_model_refuses_it(local):
    stop = {"trials": 6, "expected_improvement": 0.1}
    with pytest.raises(InputError, match="needs a model, which only the strategy bayesian has"):
        parse_study({**STUDY, "stop": stop})


@pytest.mark.long
def test_a_file_and_a_line_are_enough(tmp_path, sqlite_store):
    package = shutil.copytree(PACKAGE, tmp_path / "mlflow_tune", ignore=shutil.ignore_patterns("__pycache__"))
    (package / "strategies/local.py").write_text(EXAMPLE)
    table = package / "strategies/__init__.py"
    text = table.read_text()
    text = text.replace("        Bayesian,\n", "        Bayesian,\n        Local,\n")
    text = text.replace("import Grid\n", "import Grid\nfrom mlflow_tune.strategies.local import Local\n")
    table.write_text(text)
    (tmp_path / "train.py").write_text("def squares(x): return {'loss': (x - 0.25) ** 2}\n")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(STUDY))

    def tune(*words):
        command = [sys.executable, "-m", "mlflow_tune", *words, "--tracking-uri", sqlite_store, "--json"]
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    tune("run", "study.yaml")
    tune("resume", STUDY["name"], "--trials", "+2")
    trials = tune("show", STUDY["name"])["trials"]
    assert [trial["strategy"] for trial in trials] == ["local"] * 8
    assert trials[0]["why"] == "draw within 0.3 of the middle"
    best = min(trials[:7], key=lambda trial: trial["value"])
    assert trials[7]["why"] == f"draw within 0.3 of trial {best['number']}, the best"
    assert abs(trials[7]["params"]["x"] - best["params"]["x"]) <= 0.6, "a share of a range that is 2 wide"
    assert MlflowClient(sqlite_store).get_run(trials[0]["run_id"]).data.metrics["local_reach"] == 0.3
