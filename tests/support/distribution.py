"""How many test processes pytest-xdist starts: half of what slow tests take is waiting, so more than cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MORE = 2  # test processes than cores


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Say for `-n auto` how many test processes there are: none beside this one where a single file is asked for."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    files = [Path(word.partition("::")[0]) for word in config.args]
    if len(files) == 1 and files[0].suffix == ".py":
        return 0
    return len(os.sched_getaffinity(0)) + MORE
