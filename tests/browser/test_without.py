"""Where there is no browser, the tests of this folder are skipped, or fail when a browser is asked for."""

from __future__ import annotations

import shutil

import pytest

from tests.browser.chromium import Missing, chromium
from tests.browser.conftest import without_browser


def test_a_missing_browser_is_told(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(Missing, match=r"Playwright is not installed|there is no Chromium"), chromium():
        pass


@pytest.mark.parametrize(
    ("asked", "ending"),
    [
        ("", pytest.skip.Exception), ("torch", pytest.skip.Exception),
        ("browser", pytest.fail.Exception), ("torch, browser", pytest.fail.Exception),
    ],
)  # fmt: skip
def test_without_a_browser(monkeypatch, asked, ending):
    monkeypatch.setenv("MLFLOW_TUNE_REQUIRE", asked)
    with pytest.raises(ending, match="there is none"):
        without_browser("there is none")
