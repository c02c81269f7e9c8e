"""The tiers of the suite: what takes long is marked slow, and what takes longest is a long form, run when asked for."""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("MLFLOW_TUNE_FAULTS") == "full"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the long forms, before their fixtures are made, unless they are asked for."""
    if not FULL and item.get_closest_marker("long"):
        pytest.skip("a long form: MLFLOW_TUNE_FAULTS=full pytest -m long")
