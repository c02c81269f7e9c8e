"""The tiers of the suite: what takes long is marked slow, and what takes longest is a long form, run when asked for.

`pytest -m long` runs the long forms. MLFLOW_TUNE_FAULTS=full makes every form as large as it gets, for hours.
"""

from __future__ import annotations

import os

import pytest

FULL = os.environ.get("MLFLOW_TUNE_FAULTS") == "full"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip the long forms, before their fixtures are made, unless they are asked for."""
    asked = FULL or "long" in item.config.getoption("markexpr")
    if not asked and item.get_closest_marker("long"):
        pytest.skip("a long form: pytest -m long")
