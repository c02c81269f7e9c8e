"""Debian's Chromium, driven by Playwright: how it is started, what its pages record, what is seen on MLflow's pages."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

LOAD = 90_000  # milliseconds: the first page of MLflow's UI takes long on a busy machine
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]  # as root, in a small container
CARD = "experiment-view-compare-runs-card"
# MLflow opens its assistant beside the first page that a new browser shows, unless it believes that it has.
NO_ASSISTANT = """
if (window === top) localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');
"""
# Strokes since the last clearing are counted for each canvas: parallel coordinates are lines on one, a stroke a run,
# and leave nothing else to count.
PREPARED = """
window.strokes = new WeakMap();
for (const name of ['clearRect', 'stroke']) {
  const drawn = CanvasRenderingContext2D.prototype[name];
  CanvasRenderingContext2D.prototype[name] = function (...given) {
    window.strokes.set(this.canvas, name === 'stroke' ? (window.strokes.get(this.canvas) ?? 0) + 1 : 0);
    return drawn.apply(this, given);
  };
}
"""
MARKS = """cards => cards.map(card => {
  const all = selector => [...card.querySelectorAll(selector)];
  const visible = all('.bars .point path, .scatterlayer path.point').filter(mark => mark.getBoundingClientRect().width);
  return {
    title: card.querySelector('h4').title,
    lines: new Set(all('path.js-line').map(line => line.getAttribute('d'))).size,
    points: visible.filter(mark => mark.matches('path.point')).length,
    bars: visible.filter(mark => !mark.matches('path.point')).length,
    strokes: Math.max(0, ...all('canvas').map(canvas => window.strokes.get(canvas) ?? 0)),
  };
})"""


class Missing(Exception):
    """There is no browser here; the message says why."""


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium. Raises Missing where there is none, or no Playwright to drive it."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError as error:
        raise Missing(f"Playwright is not installed: {error}") from error
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        raise Missing("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        except Error as error:
            raise Missing(f"{path} does not start: {error}") from error
        with contextlib.closing(browser):
            yield browser


class Watched:
    """What a page did that nobody sees: errors, dialogs, and requests with the frames that made them."""

    def __init__(self, page: Page) -> None:
        self.errors: list[str] = []
        self.console: list[str] = []
        self.dialogs: list[str] = []
        self.requests: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._said)
        page.on("dialog", lambda dialog: (self.dialogs.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.console.append(message.text)


def new_page(browser: Browser, assistant: bool = False, **options: Any) -> Page:
    """Return a page of its own profile, 1440 pixels wide unless told, whose default patience is long.

    With `assistant` MLflow may open its assistant, as it does for a person.
    """
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 1600}, **options})
    context.set_default_timeout(LOAD)
    context.add_init_script(PREPARED if assistant else NO_ASSISTANT + PREPARED)
    return context.new_page()


def eventually(ask: Callable[[], Any], wanted: Any, seconds: float = 60) -> None:
    """Wait until the answer is what is wanted, and assert that it is."""
    deadline = time.monotonic() + seconds
    while (answer := ask()) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer == wanted, f"after {seconds} s: {answer!r} instead of {wanted!r}"


def marks(page: Page) -> list[tuple[str, str, int]]:
    """Return what each chart of MLflow's page draws: its title, the kind of marks, how many there are.

    Points and bars are counted when they have an extent. A line of a run is drawn twice by MLflow (as it is, and
    smoothed), so lines of different shape count. Of a canvas the strokes count.
    """
    found = page.get_by_test_id(CARD).evaluate_all(MARKS)
    return [(each["title"], *_marked(each)) for each in found]


def _marked(card: dict[str, Any]) -> tuple[str, int]:
    kinds = ("strokes", "bars", "lines", "points")
    return next(((kind, card[kind]) for kind in kinds if card[kind]), ("nothing", 0))


@cache
def screenshots() -> Path:
    """Return the folder for screenshots: MLFLOW_TUNE_SCREENSHOTS, else a new one, which is printed."""
    given = os.environ.get("MLFLOW_TUNE_SCREENSHOTS")
    folder = Path(given or tempfile.mkdtemp(prefix="mlflow-tune-screenshots-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    print(f"screenshots: {folder}")
    return folder
