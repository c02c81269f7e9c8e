"""The report's charts in a browser without a GPU: brushed and hovered over, and the picture where they cannot be."""

from __future__ import annotations

import dataclasses
import itertools
import unicodedata

import pytest

from mlflow_tune.report.figures.interactive import interactive_charts
from mlflow_tune.report.figures.parameters import parallel_figure
from mlflow_tune.report.note import Standing
from mlflow_tune.report.page import Page, report_html
from mlflow_tune.report.subject import Subject
from mlflow_tune.space import Categorical, Float, Space
from mlflow_tune.trial import Trial
from tests.browser.chromium import Watched, eventually, new_page
from tests.browser.conftest import keep
from tests.browser.test_pictures import FAINT, PHONE
from tests.support.drawn import HOSTILE, SUBJECT, made

pytestmark = pytest.mark.slow
TRIALS = made(60, failed=0.1)
SHOWN = [trial for trial in TRIALS if trial.value is not None]
# Where a place on a chart is on the screen.
AT = """([name, x, y]) => {
  const view = Bokeh.index.find_one(Bokeh.documents.at(-1).get_model_by_name(name));
  const box = view.el.getBoundingClientRect();
  return [box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(y)];
}"""


def page_of(folder, subject=SUBJECT, trials=TRIALS):
    """Write the report of these trials; return its address."""
    standing = Standing("finished", "as told", subject.metric, "minimize", {}, "mlflow-tune resume x")
    page = Page("charts", standing, subject.space, {"name": "random"}, {"trials": len(trials)})
    figures = {"parallel_coordinates": parallel_figure(subject, trials)}
    file = folder / "report.html"
    file.write_text(report_html(page, trials, figures, interactive_charts(subject, trials)), encoding="utf-8")
    return file.as_uri()


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    return page_of(tmp_path_factory.mktemp("charts"))


def opened(page, address):
    """Open the page, and wait until its charts are drawn; return the words below them."""
    page.goto(address)
    words = page.locator(".interactive output")
    page.wait_for_function("() => globalThis.Bokeh && Bokeh.documents.at(-1)?.is_idle")
    eventually(lambda: "Drag over an axis" in words.inner_text(), True)
    return words


def brush(page, chart, start, end):
    """Drag the mouse over a chart, from one place of its axes to another."""
    page.locator(".charts").scroll_into_view_if_needed()
    page.mouse.move(*page.evaluate(AT, [chart, *start]))
    page.mouse.down()
    page.mouse.move(*page.evaluate(AT, [chart, *end]), steps=4)
    page.mouse.up()


def words_for(numbers):
    return f"{len(numbers)} of {len(SHOWN)} trials: {', '.join(map(str, numbers[:20]))}"


def units(trial):
    return SUBJECT.space.to_unit(trial.params)


def test_brushes_keep_the_trials_that_lie_in_them(page, watched, address):
    words = opened(page, address)
    brush(page, "parallel", (-0.3, 0.25), (0.3, 0.55))
    kept = [trial.number for trial in SHOWN if 0.25 < units(trial)[0] < 0.55]
    assert 3 < len(kept) < 20
    eventually(words.inner_text, f"{words_for(kept)}.")
    page.keyboard.down("Control")
    brush(page, "parallel", (0.7, -0.02), (1.3, 0.5))
    page.keyboard.up("Control")
    both = [trial.number for trial in SHOWN if trial.number in kept and units(trial)[1] < 0.5]
    eventually(words.inner_text, f"{words_for(both)}.")
    keep(page, "interactive_brushed", full_page=True)
    page.get_by_role("button", name="Show all").click()
    eventually(lambda: words.inner_text().startswith(f"{len(SHOWN)} trials."), True)
    brush(page, "0/1", (0.5, 0.5), (1.05, 1.05))
    corner = [trial.number for trial in SHOWN if min(units(trial)[:2]) > 0.5]
    eventually(words.inner_text, f"{words_for(corner)}.")
    assert page.evaluate("Bokeh.documents.at(-1).get_model_by_name('trials').selected.indices.length") == len(corner)
    assert [url for url in watched.requests if not url.startswith("data:")] == [address]
    assert (watched.errors, watched.console, watched.dialogs) == ([], [], [])


def test_what_is_under_the_pointer_is_told(page, address):
    opened(page, address)
    page.locator(".charts").scroll_into_view_if_needed()
    best = SUBJECT.best(SHOWN)
    at = units(best)
    for chart, place in (("parallel", (0, at[0])), ("0/1", at[:2])):
        page.mouse.move(*page.evaluate(AT, [chart, *place]))
        told = page.locator(".bk-tooltip-content:visible")
        told.first.wait_for()
        words = " ".join(told.first.inner_text().split())
        assert words.startswith(f"trial: {best.number} val_loss: {best.value:.6g} lr: {best.params['lr']:.5g}")
        page.mouse.move(1, 1)


@pytest.mark.parametrize("missing", ["scripts", "DecompressionStream"])
def test_the_picture_stays_where_charts_cannot_be(browser, address, missing):
    page = new_page(browser, java_script_enabled=missing != "scripts")
    page.add_init_script("delete globalThis.DecompressionStream")
    watched = Watched(page)
    page.goto(address)
    if missing != "scripts":
        eventually(lambda: any("the charts stay pictures" in said for said in watched.console), True)
    image = page.locator("figure img")
    assert image.is_visible() and image.bounding_box()["width"] > 300
    assert not page.locator(".interactive").count()
    page.context.close()


@pytest.mark.parametrize("look", ["phone", "dark"])
def test_charts_on_a_phone_and_in_the_dark(browser, address, look):
    page = new_page(browser, **(PHONE if look == "phone" else {"color_scheme": "dark"}))
    opened(page, address)
    keep(page, f"interactive_{look}", full_page=True)
    wide, faint = page.evaluate("document.documentElement.scrollWidth - innerWidth"), page.evaluate(FAINT)["faint"]
    chart = page.locator(".charts").bounding_box()
    page.context.close()
    assert (wide, faint) == (0, [])
    assert chart["height"] > 500


def test_hostile_names_and_values_are_text(page, watched, tmp_path):
    hostile = [HOSTILE, "</script><script>window.__hacked = 1</script>", "$$\\frac12$$"]
    space, values = Space({"漢字": Categorical(hostile), "x": Float(0, 1)}), hostile * 3
    trials = [
        Trial(number, dict(zip(space, (value, number / 10), strict=True)), "ok", float(number))
        for number, value in enumerate(values, start=1)
    ]
    subject = Subject(f"$$m$$ {HOSTILE}", "minimize", space)
    address = page_of(tmp_path, subject, [*trials, dataclasses.replace(trials[0], number=10)])
    opened(page, address)
    heights = itertools.cycle((number + 1) / 10 for number in range(8))
    told: list[str] = []

    def is_told() -> bool:
        page.mouse.move(*page.evaluate(AT, ["parallel", 1, next(heights)]))
        told[:] = page.locator(".bk-tooltip-content:visible").all_inner_texts()
        return any("<script>window.__hacked = 1</script>" in text for text in told)

    eventually(is_told, True)
    keep(page, "interactive_hostile", full_page=True)
    assert not {
        char for char in "".join(told) if unicodedata.category(char) in ("Cc", "Cf", "Cs") and char not in "\n\t"
    }
    assert page.locator(".charts script, .charts img, .charts b, .charts svg").count() == 0
    assert page.evaluate("window.__hacked === undefined")
    assert [url for url in watched.requests if not url.startswith("data:")] == [address]
    assert (watched.errors, watched.console, watched.dialogs) == ([], [], [])
