"""What is said of a study before it runs: each number of each sentence is one of its evidence, read anew here."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path
from statistics import fmean, stdev

import pytest
from scipy.stats import t

from mlflow_tune.spec.study_file import read_study, read_study_file
from mlflow_tune.study.advice import Adviser, Cost
from mlflow_tune.study.advice.table import BUDGETS, FOLDER, nearest_budget
from mlflow_tune.text import hours_text
from tests.fixtures import ROOT

EXAMPLES = ROOT / "examples"
FILES = [
    "argparse_script/study.yaml",
    "babysitting/study.yaml",
    "bayes_1d/ei.yaml",
    "dask_cluster/study.yaml",
    "digits.yaml",
    "digits_grid.yaml",
    "dropout_grid/grid.yaml",
    "grid_vs_random/random.yaml",
    "hydra_app/study.yaml",
    "huggingface_trainer/study.yaml",
    "lightgbm_autolog/study.yaml",
    "stop_hopeless/study.yaml",
]
COST = Cost(90.0, "before", "0" * 32, 7)
TOPICS = ["grid", "cost", "strategies", "lead", "landscape", "noise", "bisection", "stopping"]


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open() as file:
        return list(csv.DictReader(file))


def spec_of(path: str | Path, **over):
    return read_study_file(EXAMPLES / path, over)


def study(space, strategy="random", **more):
    """Return a study of so many parameters of a range, or of this space."""
    if isinstance(space, int):
        space = {f"x{index}": {"type": "float", "low": 0, "high": 1} for index in range(space)}
    form = {"name": "s", "run": {"function": "m:f"}, "metric": "loss", "space": space, "strategy": strategy}
    return read_study({**form, "stop": {"trials": 50}, **more}, {})


def said_numbers(text: str) -> set[str]:
    """Return the numbers of a sentence; a digit in a name is none."""
    return set(re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])", text))


def known_numbers(evidence: object) -> set[str]:
    """Return the numbers of the evidence as sentences write them: whole, as percent, how many of a list there are."""
    if isinstance(evidence, dict):
        found = {word for each in evidence.values() for word in known_numbers(each)}
        return found | (said_numbers(hours_text(evidence["in_all"] / 3600)) if "in_all" in evidence else set())
    if isinstance(evidence, list):
        return {str(len(evidence)), *(word for each in evidence for word in known_numbers(each))}
    if isinstance(evidence, int | float) and not isinstance(evidence, bool):
        return {f"{evidence:.0f}", f"{100 * evidence:.0f}"}
    return set()


def read_anew(figure: dict) -> list[float]:
    """Return the shares behind a figure of the strategies' table, after a check of all that it says of them."""
    low, high = figure["parameters"]
    found = [
        row
        for row in rows("strategies.csv")
        if row["strategy"] == figure["strategy"]
        and low <= int(row["parameters"]) <= high
        and row["kind"] == (figure["kind"] or row["kind"])
        and (float(row["noise"]) > 0) == figure["noise"]
        and int(row["workers"]) == figure["workers"]
        and row[str(figure["trials"])]
    ]
    shares = [float(row[str(figure["trials"])]) for row in found]
    assert figure["problems"] == [row["problem"] for row in found]
    assert figure["studies"] == sum(int(row["studies"]) for row in found)
    assert figure["ran"] == pytest.approx(fmean(float(row["ran"]) for row in found))
    assert figure["reached"] == pytest.approx(fmean(shares), abs=1e-4)
    assert figure["interval"] == pytest.approx(interval(shares), abs=1e-4)
    return shares


def interval(values: list[float], most: float = 1.0) -> list[float] | None:
    if len(values) < 2:
        return None
    half = t.ppf(0.975, len(values) - 1) * stdev(values) / len(values) ** 0.5
    return [fmean(values) - half, min(fmean(values) + half, most)]


def is_row(figure: dict, row: dict[str, str]) -> bool:
    return all(str(figure[key]) == row[key] for key in ("project", "trials", "rule", "after", "curves", "studies"))


def is_figure(each: dict) -> bool:
    return each.get("table") == "strategies.csv"


# --- each sentence has its figures --------------------------------------------------------------------------------


@pytest.mark.parametrize("cost", [None, COST], ids=["cost unknown", "cost known"])
@pytest.mark.parametrize("path", FILES)
def test_each_number_of_each_sentence_is_one_of_its_evidence(path, cost):
    found = Adviser(spec_of(path), cost).everything()
    assert [each.topic for each in found if each.topic != "workers"] == TOPICS
    for each in found:
        evidence = each.to_json()["evidence"]
        unknown = said_numbers(each.says) - known_numbers(evidence)
        assert not unknown, f"{each.says} {unknown}"
        assert evidence or (each.topic, cost) == ("cost", None)


@pytest.mark.parametrize("path", FILES)
def test_each_figure_is_that_of_the_measured_table(path):
    for each in Adviser(spec_of(path), COST).everything():
        shares = [read_anew(figure) for figure in each.evidence if is_figure(figure)]
        for figure in each.evidence:
            if "lead" in figure:
                ahead = [one - other for one, other in zip(shares[0], shares[1], strict=True)]
                assert figure["lead"] == pytest.approx(fmean(ahead), abs=1e-4)
                assert figure["interval"] == pytest.approx(interval(ahead, most=math.inf), abs=1e-4)
            if figure.get("table") == "stopping.csv":
                (row,) = [row for row in rows("stopping.csv") if is_row(figure, row)]
                assert (figure["saved"], figure["kept"]) == (float(row["saved"]), float(row["kept"]))


def test_the_cost_is_counted_in_rounds_of_workers():
    (said,) = [each for each in Adviser(spec_of("digits.yaml"), COST).everything() if each.topic == "cost"]
    (evidence,) = said.evidence
    assert (evidence["of"], evidence["workers"], evidence["in_all"]) == (20, 2, 900.0)
    assert said.says == "20 trials, 2 at once, take about 15 min (the median of 7 trials of the study 'before')."


# --- what is said -------------------------------------------------------------------------------------------------


def topic(spec, name: str, cost: Cost | None = None) -> str:
    return next((each.says for each in Adviser(spec, cost).everything() if each.topic == name), "")


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (1, "of 1 parameter,"),
        (2, "of 2 parameters,"),
        (4, "of 3 to 6 parameters,"),
        (9, "of 7 to 10 parameters,"),
        (14, "of 7 to 10 parameters, the nearest that were measured,"),
    ],
)
def test_problems_of_as_many_parameters_are_taken(parameters, words):
    assert words in topic(study(parameters), "strategies")


@pytest.mark.parametrize(("trials", "nearest"), [(1, 10), (10, 10), (15, 10), (16, 25), (35, 25), (36, 50), (5000, 50)])
def test_the_nearest_budget_is_taken(trials, nearest):
    assert nearest_budget(trials) == nearest
    assert f"after {nearest} trials" in topic(study(3, stop={"trials": trials}), "strategies")


def test_a_grid_is_counted_as_the_file_writes_it_down():
    assert topic(spec_of("digits_grid.yaml"), "grid") == "The grid takes 12 trials (lr 3 x alpha 4)."
    assert topic(study(5), "grid").startswith("A grid of 3 values a parameter would take 243 trials (x0 3 x x1 3")


def test_a_grid_that_the_budget_cuts_off_is_told_of():
    grid = {"type": "int", "low": 1, "high": 4, "grid": 4}
    spec = study({"a": grid, "b": grid}, "grid", stop={"trials": 6})
    said = "The grid takes 16 trials (a 4 x b 4); stop.trials ends it after 6, when 2 of the 4 values of a were tried."
    assert topic(spec, "grid") == said


def test_time_and_cost_give_the_budget_where_no_number_of_trials_does():
    spec = study(3, stop={"time": "1h"}, workers=2)
    assert (Adviser(spec).budget, Adviser(spec, Cost(60.0)).budget) == (None, 120)


def test_bisection_applies_to_one_parameter_with_an_order():
    one = {"x": {"type": "float", "low": 0, "high": 1}}
    assert topic(study(one), "bisection").startswith("Bisection applies, and takes ")
    assert topic(study(3), "bisection").endswith("has an order, and this space has 3.")
    choice = {"x": {"type": "categorical", "values": ["a", "b"]}}
    assert topic(study(choice), "bisection").endswith("has an order, and this space has none.")


def test_workers_are_told_of_where_there_are_several():
    assert "With 4 trials at once Bayesian search came " in topic(study(3, workers=8), "workers")
    assert not topic(study(3), "workers")


def test_stopping_is_told_with_what_it_cost():
    said = topic(study(2), "stopping")
    assert said.startswith("In 40 studies of 30 trials each, drawn from 200 curves of projects/digits and ")
    assert re.search(r"by `median` after 3 steps \(the best trial kept in \d+ % and \d+ %\)", said)


def test_a_search_for_a_boundary_is_compared_with_nothing():
    found = Adviser(spec_of("alpha/boundary.yaml"))
    assert [each.topic for each in found.everything()] == ["grid", "cost", "bisection", "stopping"]
    assert found.most_useful() is None


def test_a_person_who_tries_by_hand_is_told_nothing_at_the_start():
    assert Adviser(spec_of("babysitting/study.yaml")).most_useful() is None


@pytest.mark.parametrize("strategy", ["random", "bayesian"])
@pytest.mark.parametrize("parameters", [1, 2, 4, 8])
def test_a_strategy_that_is_clearly_behind_is_told_so_first(parameters, strategy):
    """Whether it is depends on the measurements: its mean, and whether the interval of the lead excludes zero."""
    found = Adviser(study(parameters, strategy))
    (lead,) = [each for each in found.everything() if each.topic == "lead"]
    (ahead,) = [figure for figure in lead.evidence if "lead" in figure]
    clear = ahead["interval"] is not None and ahead["interval"][0] > 0
    assert ("no difference can be told" in lead.says) == (not clear)
    behind = clear and lead.evidence[0]["strategy"] != strategy
    assert ("which this study uses" in lead.says) == (lead.evidence[0]["strategy"] != strategy)
    assert found.most_useful().topic == ("lead" if behind else "strategies")


# --- the tables ---------------------------------------------------------------------------------------------------


def test_the_tables_are_whole_and_small():
    found = rows("strategies.csv")
    assert len({(row["problem"], row["strategy"], row["noise"], row["workers"]) for row in found}) == len(found)
    assert {row["strategy"] for row in found} == {"by hand", "grid", "random", "bayesian", "bisection"}
    assert all(float(row[str(budget)]) <= 1 for row in found for budget in BUDGETS)
    assert sum((FOLDER / name).stat().st_size for name in ("strategies.csv", "stopping.csv")) < 50_000
