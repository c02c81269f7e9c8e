"""`mlflow-tune replay` on a real store: what rules would have saved in a study that nobody stopped."""

from __future__ import annotations

import json

import mlflow
import pytest
from click.testing import CliRunner

from mlflow_tune import Float, Study
from mlflow_tune.cli import main
from tests.support.json_answers import answered
from tests.support.server import copy_store


def curve(x):
    with mlflow.start_run():
        points = [(step, (x - 0.3) ** 2 + 0.5**step) for step in range(1, 9)]
        for step, value in points:
            mlflow.log_metric("loss", value, step=step)


def invoke(*words, uri):
    return CliRunner().invoke(main, ["replay", *words, "--tracking-uri", uri])


@pytest.fixture(scope="module")
def uri(store_template, tmp_path_factory):
    """A store with a study of eight curves, and one whose metric has no steps."""
    uri = copy_store(store_template, tmp_path_factory.mktemp("replayed"))
    space, stop = {"x": Float(0, 1)}, {"trials": 8}
    Study(name="s", objective=curve, space=space, metric="loss", strategy="random", stop=stop, tracking_uri=uri).run()
    flat = Study(
        name="flat",
        objective=lambda x: x,
        space=space,
        metric="loss",
        strategy="random",
        tracking_uri=uri,
        stop={"trials": 2},
    )
    flat.run()
    return uri


@pytest.mark.slow
def test_rules_are_told_side_by_side(uri):
    done = invoke("s", "--rule", "median", "--rule", "asha(eta=2)", "--after", "2", uri=uri)
    assert done.exit_code == 0, done.output
    assert "median after 2" in done.output and "asha(eta=2, first=1) after 2" in done.output
    assert "Replayed: 8 complete curves with 64 steps." in done.output


def test_without_a_rule_auto_says_what_it_takes(uri):
    done = invoke("s", uri=uri)
    assert "auto: " in done.output and " saves " in done.output
    assert "Each rule is shown with its best settings; --json lists all " in done.output


def test_the_table_as_json(uri):
    found = json.loads(invoke("s", "--rule", "percentile(keep=25)", "--json", uri=uri).stdout)
    answered("replay", found)
    assert (found["curves"], found["steps"], found["chosen"]) == (8, 64, None)
    (row,) = found["table"]
    assert row["rule"] == {"name": "percentile", "keep": 25.0}
    assert row["saved"] > 0.3 and row["kept"] >= 0.95 > row["bound"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["s", "--rule", "medan"], "--rule.name: unknown rule 'medan'; did you mean 'median'?"),
        (["flat"], "0 trials of the study 'flat' trained to the end and logged 'loss' step by step: a replay needs"),
    ],
)
def test_what_cannot_be_replayed_is_refused(uri, words, said):
    done = invoke(*words, uri=uri)
    assert done.exit_code == 2
    assert said in done.output
