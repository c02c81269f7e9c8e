"""A study whose name, values and reasons are made to break pages: they are shown as they are, and do nothing."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlflow_tune import Categorical, Float
from mlflow_tune.cli import main
from tests.browser.chromium import eventually, marks
from tests.browser.conftest import keep

pytestmark = pytest.mark.slow
SCRIPT = "<script>window.__hacked=1</script>"
MARKUP = "</td></table><b>|`\"'$(touch x){lr}\n<img src=x onerror=window.__hacked=1>"
CONTROLS = "\x1b]0;evil\x07\x1b[31m\x9b2J\u202egnp\u2066\x00"
REASON = f"{SCRIPT}{CONTROLS}{MARKUP}</pre></style>[a](javascript:window.__hacked=1)<svg onload=window.__hacked=1>"
NAME = f"{SCRIPT}</td></table><b>|`\"'$(touch x){{lr}}<img src=x onerror=window.__hacked=1>"


def hostile(p, x):
    if x > 0.5:
        raise ValueError(REASON)
    return x + (p == SCRIPT)


def calm(p, x):
    return x


def acting(text):
    """Return what in the text has no shape, or turns the reading direction."""
    return {char for char in text if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in "\n\t"}


def one_line(text):
    return " ".join(text.split())


@pytest.fixture(scope="module")
def study(studied):
    """Six trials, four of which have a value."""
    space = {"p": Categorical([SCRIPT, MARKUP]), "x": Float(0, 1, grid=[0.1, 0.4, 0.8])}
    made = studied(NAME, pictures=True, space=space, objective=hostile, strategy="grid")
    assert not Path("x").exists()
    return made


@pytest.fixture(scope="module")
def other(studied, study):
    """A study to compare it with, of another strategy."""
    same = {"space": study.spec.space, "experiment": study.spec.experiment}
    return studied(f"{NAME} 2", objective=calm, strategy="random", stop={"trials": 2}, **same)


def command(study, *words):
    """Run `mlflow-tune` on the server of the study; return what it says as JSON."""
    result = CliRunner().invoke(main, [*map(str, words), "--json", "--tracking-uri", study.client.uri])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(autouse=True)
def unharmed(page, watched):
    """After each test: nothing has run."""
    page.set_viewport_size({"width": 1440, "height": 1300})
    yield
    page.wait_for_timeout(300)
    assert [frame.evaluate("window.__hacked === undefined") for frame in page.frames] == [True] * len(page.frames)
    assert (watched.dialogs, watched.errors) == ([], [])
    assert not [url for url in watched.requests if url.endswith("/x")]
    assert page.locator("[onerror], [onload]").count() == 0


@pytest.mark.long
def test_hostile_note(study, page):
    page.goto(study.links["run"])
    note = page.locator(".note-editor-preview-content")
    note.locator("table").wait_for(state="attached")
    assert page.get_by_text(NAME, exact=True).first.is_visible()
    page.get_by_text("Show more").first.click()
    rows = note.locator("table").evaluate_all(
        "tables => tables.map(table => [...table.rows].map(row => [...row.cells].map(cell => cell.innerText)))"
    )
    markup = one_line(MARKUP)
    assert len(rows) == 1
    assert rows[0][0] == ["trial", "loss", "p", "x"]
    assert [row[3] for row in rows[0][1:]] == ["0.1", "0.4", "0.1", "0.4"]
    assert rows[0][3][2] == SCRIPT
    assert markup.startswith(rows[0][1][2].rstrip("…"))
    assert len(rows[0][1][2]) > 40
    assert SCRIPT in note.locator("li").first.inner_text()
    assert note.locator("script, img, b, svg").count() == 0
    assert not acting(note.inner_text())
    assert note.locator("a").count() == 4


def test_hostile_charts(study, page):
    page.goto(study.links["charts"])
    page.get_by_text("6 matching runs").wait_for()
    wanted = [
        ("Parallel Coordinates", "strokes", 4), ("p vs. loss", "points", 4),
        ("x vs. loss", "points", 4), ("trial vs. loss", "points", 4), ("loss", "bars", 4),
    ]  # fmt: skip
    eventually(lambda: [each for each in marks(page) if each[:2] != ("loss", "lines")], wanted)
    page.locator(".ag-row a[href*='/runs/']").first.hover()


@pytest.mark.long
def test_hostile_table(study, page):
    page.goto(study.links["table"])
    page.get_by_text("6 matching runs").wait_for()
    cells = page.locator(".ag-cell[col-id='params.`p`']")
    eventually(lambda: sorted(map(one_line, cells.all_inner_texts())), sorted([SCRIPT, one_line(MARKUP)] * 3))
    cells.first.hover()


def test_hostile_trial(study, page):
    """The page of a trial that failed: its values and its reason are MLflow's to show."""
    failed = next(trial for trial in study.trials if trial.outcome == "failed" and trial.params["p"] == MARKUP)
    page.goto(study.links["run"].replace(study.run_id, failed.run_id))
    page.get_by_text("tune.reason").first.wait_for()
    page.get_by_text(one_line(MARKUP)[:30]).first.wait_for()


def test_hostile_report_file(study, page, watched, report):
    address = report(study).as_uri()
    page.goto(address)
    check(page, page)
    assert [url for url in watched.requests if not url.startswith("data:")] == [address]
    assert watched.console == []


@pytest.mark.long
def test_hostile_report_within_mlflow(study, page):
    page.goto(study.links["run"].replace("?", "/artifacts/report.html?"))
    inside = page.frame_locator("iframe")
    inside.locator("h1").wait_for()
    check(page, inside)
    keep(page, "hostile_report")


@pytest.mark.long
def test_hostile_comparison_file(study, other, page, watched, tmp_path):
    command(study, "compare", study.run_id, other.run_id, "--no-log", "--html", tmp_path / "compared.html")
    page.goto(address := (tmp_path / "compared.html").as_uri())
    check_text(page)
    assert [url for url in watched.requests if not url.startswith("data:")] == [address]


@pytest.mark.long
def test_hostile_comparison_within_mlflow(study, other, page):
    logged = command(study, "compare", study.run_id, other.run_id)
    page.goto(logged["links"]["curves of the studies"])
    page.get_by_text("2 matching runs").wait_for()
    run = study.links["run"].replace(study.run_id, logged["run_id"])
    page.goto(run.replace("?", "/artifacts/comparison.html?"))
    inside = page.frame_locator("iframe")
    inside.locator("h1").wait_for()
    check_text(inside)
    keep(page, "hostile_comparison")


def test_hostile_difference_file(study, page, watched, tmp_path):
    failed = next(trial.number for trial in study.trials if trial.outcome == "failed")
    words = ["--artifact", "output.log", "--html", tmp_path / "diff.html"]
    command(study, "diff", study.run_id, 1, failed, *words)
    page.goto(address := (tmp_path / "diff.html").as_uri())
    check_text(page)
    assert [url for url in watched.requests if not url.startswith("data:")] == [address]
    keep(page, "hostile_difference", full_page=True)


def check_text(shown):
    """Assert that a page of ours shows the study's name as text, and that nothing of it is markup or acts."""
    text = shown.locator("body").inner_text()
    assert NAME in text
    assert not acting(text)
    assert shown.locator("body script, body b b, body svg").count() == 0
    assert shown.locator("img:not(figure > img)").count() == 0


def check(page, report):
    """Assert that the report shows everything as text, that its tables are whole, and its charts drawn."""
    report.locator(".interactive output").get_by_text("4 trials.").wait_for()
    assert report.locator("h1").inner_text() == NAME
    assert not acting(report.locator("body").inner_text())
    table = report.get_by_role("region", name="All trials").locator("tr")
    rows = table.evaluate_all("rows => rows.map(row => [...row.cells].map(cell => cell.innerText))")
    assert {len(row) for row in rows} == {7}
    assert [row[1] for row in rows[1:]] == ["ok", "ok", "failed"] * 2
    assert SCRIPT in rows[1][3]
    assert one_line(rows[4][3]).startswith("</td></table><b>|`\"'$(touch x){lr} <img")
    assert SCRIPT in rows[3][-1]
    assert SCRIPT in report.locator("li").first.inner_text()
    assert report.locator("body script, body b b, body svg").count() == 0
    assert report.locator("img:not(figure > img)").count() == 0
