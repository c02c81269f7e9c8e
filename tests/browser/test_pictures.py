"""The pictures of a study: the slider through the model's beliefs, and the HTML report, alone and within MLflow."""

from __future__ import annotations

import hashlib

import pytest

from mlflow_tune import Float
from tests.browser.chromium import CARD, eventually, new_page
from tests.browser.conftest import keep

pytestmark = pytest.mark.slow
INITIAL, TRIALS = 2, 6
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}


def curve(x):
    import mlflow

    for step in range(3):
        mlflow.log_metric("loss", (x - 0.3) ** 2 + 0.1 / (step + 1), step=step)


@pytest.fixture(scope="module")
def study(studied):
    """A study whose model has chosen the last four points of six, with all its pictures."""
    strategy = {"name": "bayesian", "initial": INITIAL, "seed": 0}
    space, stop = {"x": Float(0, 1)}, {"trials": TRIALS}
    return studied("believes", pictures=True, space=space, objective=curve, strategy=strategy, stop=stop)


# --- slider ----------------------------------------------------------------------------------------------------------


def digest(image):
    """Return a digest of the pixels of an image that has been loaded, None of one that has not."""
    loaded = image.count() == 1 and image.evaluate("image => image.complete && image.naturalWidth > 0")
    return hashlib.sha256(image.screenshot()).hexdigest() if loaded else None


@pytest.mark.long
def test_posterior_slider(study, page, watched):
    page.set_viewport_size({"width": 1440, "height": 1000})
    page.goto(study.links["run"])
    page.get_by_text("Model metrics", exact=True).first.click()
    card = page.get_by_test_id(CARD).filter(has=page.locator("h4[title='posterior']"))
    slider, image = card.get_by_role("slider"), card.locator("img")
    slider.wait_for()
    seen = {}
    slider.focus()
    for step in (0, *range(INITIAL + 1, TRIALS + 1)):
        if step:
            slider.press("ArrowRight")
        eventually(lambda step=step: slider.get_attribute("aria-valuenow"), str(step))
        eventually(lambda step=step: f"step%2B{step}%2B" in (image.get_attribute("src") or ""), True)
        eventually(lambda: digest(image) is not None, True)
        seen[step] = digest(image)
        assert image.evaluate("image => image.naturalWidth") > 200
        assert lies_within(image.bounding_box(), card.bounding_box())
        keep(page, f"slider_at_{step}")
    assert len(set(seen.values())) == len(seen) == TRIALS - INITIAL + 1
    slide(page, slider, -2)
    eventually(lambda: slider.get_attribute("aria-valuenow"), str(TRIALS - 2))
    eventually(lambda: digest(image), seen[TRIALS - 2])
    assert not watched.errors


def lies_within(inner, outer):
    """Say whether a box lies in another one, and is large enough to be looked at."""
    inside = all(
        outer[start] <= inner[start] and inner[start] + inner[length] <= outer[start] + outer[length] + 1
        for start, length in (("x", "width"), ("y", "height"))
    )
    return inside and inner["width"] > 150 and inner["height"] > 150


def slide(page, slider, steps):
    """Drag the slider's thumb with the mouse by so many steps."""
    thumb = slider.bounding_box()
    track = slider.locator("xpath=ancestor::*[@data-orientation][1]").bounding_box()
    x, y = thumb["x"] + thumb["width"] / 2, thumb["y"] + thumb["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + steps * track["width"] / TRIALS, y, steps=8)
    page.mouse.up()


# --- report ----------------------------------------------------------------------------------------------------------

LOADED = "images => images.map(image => image.complete && image.naturalWidth > 100)"
# The contrast of each text with what is painted behind it, by the formula of WCAG 2, and what is too faint.
FAINT = """() => {
  const channels = colour => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = element => {
    for (let each = element; each; each = each.parentElement) {
      const colour = channels(getComputedStyle(each).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.body.querySelectorAll('*')]
    .filter(each => [...each.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.textContent.trim()));
  const ratios = texts.map(each => {
    const pair = [light(channels(getComputedStyle(each).color)), light(behind(each))];
    return [(Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05), each.textContent.trim().slice(0, 40)];
  });
  return {texts: ratios.length, faint: ratios.filter(([ratio]) => ratio < 4.5)};
}"""


def figure_count(study):
    from mlflow import MlflowClient

    files = MlflowClient(study.client.uri).list_artifacts(study.run_id, "figures")
    return len([file for file in files if file.path.endswith(".svg")])


def test_report_file(study, page, watched, report):
    address = report(study).as_uri()
    page.goto(address)
    images = page.locator("figure img")
    assert images.count() == figure_count(study) >= 4
    eventually(lambda: images.evaluate_all(LOADED), [True] * images.count())
    assert page.locator("h1").inner_text() == "believes"
    assert page.get_by_role("region", name="All trials").locator("tbody tr").count() == TRIALS
    assert [url for url in watched.requests if not url.startswith("data:")] == [address]
    assert (watched.errors, watched.console, watched.dialogs) == ([], [], [])
    assert page.evaluate(FAINT)["faint"] == []


def test_report_on_a_phone(study, browser, report):
    page = new_page(browser, **PHONE)
    page.goto(report(study).as_uri())
    sizes = page.evaluate("[document.documentElement.scrollWidth, innerWidth, visualViewport.scale]")
    keep(page, "report_on_a_phone", full_page=True)
    page.evaluate("scrollTo(1000, 0)")
    scrolled = page.evaluate("scrollX")
    page.context.close()
    assert sizes == [390, 390, 1]
    assert scrolled == 0


def test_report_in_the_dark(study, browser, report):
    page = new_page(browser, color_scheme="dark")
    page.goto(report(study).as_uri())
    keep(page, "report_in_the_dark", full_page=True)
    found = page.evaluate(FAINT)
    paper, ink = page.evaluate(
        "[getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]"
    )
    page.context.close()
    assert found["texts"] > 50
    assert found["faint"] == []
    assert paper == "rgb(13, 17, 23)"
    assert paper != ink


@pytest.mark.long
def test_report_within_mlflow(study, page, watched):
    page.goto(study.links["run"].replace("?", "/artifacts/report.html?"))
    inside = page.frame_locator("iframe")
    inside.locator("h1").wait_for()
    assert inside.locator("h1").inner_text() == "believes"
    images = inside.locator("figure img")
    assert images.count() == figure_count(study)
    eventually(lambda: images.evaluate_all(LOADED), [True] * images.count())
    assert not [url for url in watched.requests if not url.startswith((study.client.uri, "data:", "blob:"))]
    assert not watched.errors
    assert not watched.dialogs


def test_watching_sees_what_a_bad_page_does(page, watched, tmp_path):
    """What the tests above rely on: errors, console, dialogs and requests are seen, faint text is found."""
    bad = tmp_path / "bad.html"
    bad.write_text(
        "<body style='background: #fff'><p style='color: #ccc'>faint</p><p>clear</p>"
        "<img src='http://127.0.0.1:9/x.png'>"
        "<script>alert(1); console.error('said'); throw new Error('thrown')</script>"
    )
    page.goto(bad.as_uri())
    eventually(lambda: watched.dialogs, ["1"])
    eventually(lambda: "said" in watched.console, True)
    assert watched.errors == ["thrown"]
    assert "http://127.0.0.1:9/x.png" in watched.requests
    assert [text for _, text in page.evaluate(FAINT)["faint"]] == ["faint"]
