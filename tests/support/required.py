"""What pip brings by an extra alone: tests that need it are skipped without it, or fail where it is asked for."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import NoReturn

import pytest


def required(package: str, extra: str) -> None:
    """Skip the test without the package, or fail where MLFLOW_TUNE_REQUIRE names the extra that brings it."""
    if find_spec(package) is not None:
        return
    without(extra, f"{package} is not installed: pip install '.[{extra}]'")


def without(what: str, reason: str) -> NoReturn:
    """Skip the test for want of something, or fail where MLFLOW_TUNE_REQUIRE names it."""
    if what in os.environ.get("MLFLOW_TUNE_REQUIRE", "").replace(",", " ").split():
        pytest.fail(f"MLFLOW_TUNE_REQUIRE asks for {what}, but {reason}", pytrace=False)
    pytest.skip(reason)
