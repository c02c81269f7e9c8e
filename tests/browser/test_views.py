"""What the printed links open: the charts, the table and the parent run of one study, beside another's trials."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from click.testing import CliRunner

from mlflow_tune import Categorical, Float, Int
from mlflow_tune.cli import main
from tests.browser.chromium import CARD, eventually, marks, new_page
from tests.browser.conftest import keep

pytestmark = pytest.mark.slow
STEPS = 5
SPACE = {"lr": Float(1e-4, 1e-1, log=True), "units": Int(8, 64), "act": Categorical(["relu", "tanh", "selu"])}


def train(lr, units, act):
    import mlflow

    if act == "selu":
        raise ValueError("selu is not here")
    for step in range(STEPS):
        mlflow.log_metric("loss", units / 100 + lr + 1 / (step + 1), step=step)


@pytest.fixture(scope="module")
def studies(studied):
    """Two studies of one experiment: eighteen trials of which some fail, the least first; five, the most first."""
    shared = {"space": SPACE, "objective": train, "experiment": f"two-studies-{uuid4().hex[:8]}"}
    stop = {"failures": 100}
    least = studied("least", strategy={"name": "random", "seed": 1}, stop={"trials": 18, **stop}, **shared)
    most = studied(
        "most", strategy={"name": "random", "seed": 2}, goal="maximize", stop={"trials": 5, **stop}, **shared
    )
    return {"least": least, "most": most}


def printed(study, *options):
    """Return the link that `mlflow-tune open` prints."""
    result = CliRunner().invoke(main, ["open", study.run_id, *options, "--tracking-uri", study.client.uri])
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def ranked(study):
    """Return the finished trials, the best first."""
    done = [trial for trial in study.trials if trial.outcome == "ok"]
    return sorted(done, key=lambda trial: trial.value, reverse=study.spec.goal == "maximize")


def expected(count, curves=True):
    """Return the charts of a study of SPACE that draw `count` trials."""

    def scatter(name):
        return (f"{name} vs. loss", "points", count)

    return [
        ("Parallel Coordinates", "strokes", count),
        scatter("log10_lr"),
        scatter("units"),
        ("log10_lr vs. units vs. loss", "points", count),
        scatter("act"),
        scatter("trial"),
        *([("loss", "lines", count)] if curves else []),
        ("loss", "bars", count),
    ]


def columns(page):
    """Return how many cards stand side by side, and their least width and height in pixels."""
    boxes = [card.bounding_box() for card in page.get_by_test_id(CARD).all()]
    beside = [box for box in boxes if abs(box["y"] - boxes[0]["y"]) < 5]
    return len(beside), min(box["width"] for box in boxes), min(box["height"] for box in boxes)


def listed(page):
    """Return the run ids that the page's list of runs links to."""
    links = page.locator(".ag-row a[href*='/runs/']").evaluate_all("links => links.map(link => link.hash)")
    return {link.split("/runs/")[1][:32] for link in links}


def drawn_values(page, title):
    """Return the heights of the points that a chart was given to draw, in order."""
    return sorted(
        page.locator(f"h4[title='{title}']")
        .locator("xpath=ancestor::*[@data-testid='experiment-view-compare-runs-card']")
        .locator(".js-plotly-plot")
        .evaluate("plot => plot.data[0].y.map(Number)")
    )


@pytest.mark.parametrize("name", ["least", pytest.param("most", marks=pytest.mark.long)])
def test_charts(studies, page, watched, name):
    study = studies[name]
    trials, finished = study.trials, ranked(study)
    assert name == "most" or 10 < len(finished) < len(trials)  # left to itself, MLflow draws ten
    page.goto(printed(study))
    page.get_by_text(f"{len(trials)} matching runs").wait_for()
    eventually(lambda: marks(page), expected(len(finished)))
    beside, width, height = columns(page)
    assert beside == 2 and width > 350 and height > 260
    axes = page.get_by_test_id(CARD).first.locator("svg text").all_text_contents()
    assert "log10_lr" in axes and "lr" not in axes, "MLflow's axes are linear"
    assert drawn_values(page, "trial vs. loss") == sorted(trial.value for trial in finished)
    assert listed(page) == {trial.run_id for trial in trials}
    assert not watched.errors


def test_the_first_screen_of_a_new_browser_shows_readable_charts(studies, browser):
    """MLflow's assistant stands open at the right of the first page that it shows."""
    page = new_page(browser, viewport={"width": 1440, "height": 900}, assistant=True)
    page.goto(printed(studies["least"]))
    page.get_by_text("18 matching runs").wait_for()
    eventually(lambda: marks(page)[:4], expected(len(ranked(studies["least"])))[:4])
    beside, width, _ = columns(page)
    keep(page, "charts_beside_the_assistant")
    page.context.close()
    assert beside == 2
    assert width > 200


@pytest.mark.parametrize("name", ["least", "most"])
def test_table(studies, page, watched, name):
    study = studies[name]
    page.goto(printed(study, "--table"))
    page.get_by_text(f"{len(study.trials)} matching runs").wait_for()
    columns = ["metrics.`loss`", "metrics.`trial`", *(f"params.`{parameter}`" for parameter in SPACE)]
    heads = page.locator(".ag-header-cell")
    named = "cells => cells.map(cell => [cell.getAttribute('col-id'), cell.innerText.trim()])"
    wanted = {column: column.split("`")[1] for column in columns}
    eventually(lambda: dict(heads.evaluate_all(named)).items() >= wanted.items(), True)
    failed = [trial for trial in study.trials if trial.outcome == "failed"]
    rows = [[*row(trial, str(trial.value))] for trial in ranked(study)]
    eventually(lambda: [[cells[column] for column in columns] for cells in table(page)][: len(rows)], rows)
    rest = [[cells[column] for column in columns] for cells in table(page)][len(rows) :]
    assert sorted(rest) == sorted(row(trial, "-") for trial in failed)
    assert listed(page) == {trial.run_id for trial in study.trials}
    assert not watched.errors


def row(trial, value):
    return [value, str(trial.number), *(str(trial.params[name]) for name in SPACE)]


def table(page):
    """Return the cells of the table of runs by column, row by row from the top."""
    found = page.locator(".ag-center-cols-container .ag-row").evaluate_all(
        "rows => rows.map(row => [+row.getAttribute('row-index'), Object.fromEntries("
        "[...row.querySelectorAll('.ag-cell')].map(cell => [cell.getAttribute('col-id'), cell.innerText.trim()]))])"
    )
    return [cells for _, cells in sorted(found, key=lambda each: each[0])]


IN_SIGHT = """element => {
  const box = element.getBoundingClientRect();
  const seen = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
  return seen === element || element.contains(seen);
}"""


def test_parent_run(studies, page, watched):
    study = studies["least"]
    best = ranked(study)[0]
    page.goto(printed(study, "--run"))
    note = page.locator(".note-editor-preview-content")
    note.locator("table").wait_for(state="attached")
    page.get_by_text("Show more").wait_for()
    value, charts = note.locator("strong").first, note.get_by_role("link", name="charts", exact=True)
    assert value.inner_text() == f"{best.value:.6g}"
    for seen in (value, charts, note.get_by_role("link", name="table", exact=True)):
        assert seen.evaluate(IN_SIGHT)
    assert not note.locator("table").evaluate(IN_SIGHT)  # so what is hidden does not count as seen
    keep(page, "parent_run")
    with page.context.expect_page() as opened:
        charts.click()
    there = opened.value
    there.set_viewport_size({"width": 1440, "height": 1600})
    there.get_by_text(f"{len(study.trials)} matching runs").wait_for()
    eventually(lambda: marks(there), expected(len(ranked(study))))
    assert listed(there) == {trial.run_id for trial in study.trials}
    assert not watched.errors


def test_every_link_is_in_the_json_too(studies):
    study = studies["least"]
    result = CliRunner().invoke(main, ["open", study.run_id, "--json", "--tracking-uri", study.client.uri])
    links = json.loads(result.stdout)["links"]
    assert links == study.links
    assert [printed(study), printed(study, "--table"), printed(study, "--run")] == [
        links[name] for name in ("charts", "table", "run")
    ]


def test_list(studies, page):
    """The plain link, which needs no shared view, lists the same runs."""
    study = studies["least"]
    page.goto(study.links["list"])
    page.get_by_text(f"{len(study.trials)} matching runs").wait_for()
    eventually(lambda: listed(page), {trial.run_id for trial in study.trials})
