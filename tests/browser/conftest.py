"""A real Chromium, the same for all tests, and a page of its own for each.

Where there is no browser the tests are skipped; with "browser" in MLFLOW_TUNE_REQUIRE they fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

import pytest

from tests.browser.chromium import Missing, Watched, chromium, new_page, screenshots
from tests.conftest import FOREIGN
from tests.support.required import without

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from mlflow_tune import Study


# Of the package, not of the session: Playwright's event loop seems to run for ever to whoever asks for one later.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The browser; the tests are skipped, or fail, without one."""
    with ExitStack() as stack:
        try:
            running = stack.enter_context(chromium())
        except Missing as missing:
            reason = str(missing)
        else:
            yield running
            return
    without_browser(reason)


def without_browser(reason: str) -> NoReturn:
    """Skip the test, or fail where a browser is asked for."""
    without("browser", f"there is no browser: {reason}")


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A new page; the last that it showed is kept as a screenshot."""
    page = new_page(browser)
    yield page
    keep(page, request.node.name.removeprefix("test_"))
    page.context.close()


@pytest.fixture
def watched(page: Page) -> Watched:
    """What the page does that nobody sees."""
    return Watched(page)


@pytest.fixture(scope="package")
def studied(server: str) -> Callable[..., Study]:
    """Run a study on the server, in an experiment of its own unless told, with or without its pictures."""

    def run(name: str, pictures: bool = False, **options: Any) -> Study:
        from mlflow_tune import Study

        given = {"name": name, "metric": "loss", "experiment": f"browser-{uuid4().hex[:8]}", "tracking_uri": server}
        with _environment(pictures):
            return Study(**{**given, **options}).run()

    return run


def keep(page: Page, name: str, full_page: bool = False) -> None:
    """Keep a screenshot of what the page shows now, or of all of it."""
    page.screenshot(path=screenshots() / f"{name}.png", full_page=full_page)


@contextmanager
def _environment(pictures: bool) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in FOREIGN:
            patch.delenv(name, raising=False)
        patch.setenv("MLFLOW_TUNE_REPORT", str(pictures).lower())
        yield


@pytest.fixture
def report(tmp_path: Path) -> Callable[[Study], Path]:
    """Download the HTML report of a study."""

    def download(study: Study) -> Path:
        from mlflow import MlflowClient

        return Path(MlflowClient(study.client.uri).download_artifacts(study.run_id, "report.html", str(tmp_path)))

    return download
