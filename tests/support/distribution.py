"""How the tests are spread: how many processes pytest-xdist starts, and which files come first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MORE = 2  # test processes than cores: half of what slow tests take is waiting

# The files that take longest, longest first: begun last, one of them would run on alone. Of `pytest --durations=0`.
LONGEST = (
    "examples/test_lessons_torch.py",
    "integrations/test_integrations.py",
    "faults/test_driver_killed.py",
    "faults/test_claims.py",
    "strategies/test_bayesian.py",
    "diagnosis/test_diagnosis.py",
    "launchers/test_training_code.py",
    "executors/test_executors.py",
    "faults/test_trials.py",
    "faults/test_soak.py",
    "study/test_ask_tell.py",
    "study/test_notebook.py",
    "study/test_search_cv.py",
    "faults/test_server_away.py",
    "projects/test_projects.py",
    "driver/test_requests.py",
    "projects/test_mlprojects.py",
    "conformance/test_tracking_trials.py",
    "cli/test_cli.py",
    "faults/test_suspended.py",
    "faults/test_same_name.py",
    "test_past.py",
    "cli/test_babysitting.py",
    "driver/test_interruptions.py",
    "browser/test_views.py",
    "report/test_figures.py",
    "conformance/test_strategies.py",
    "examples/test_lessons_alpha.py",
    "faults/test_secrets.py",
    "test_backend.py",
    "conformance/test_tracking.py",
    "faults/test_store_killed.py",
)
TESTS = Path(__file__).parents[1]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """Say for `-n auto` how many test processes there are: none beside this one where a single file is asked for."""
    if os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS"):
        return None
    files = [Path(word.partition("::")[0]) for word in config.args]
    if len(files) == 1 and files[0].suffix == ".py":
        return 0
    return len(os.sched_getaffinity(0)) + MORE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first; the others keep their order. pytest-xdist is told to leave it so."""
    ranks = {TESTS / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))
