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
    "executors/test_executors.py",
    "browser/test_interactive.py",
    "cli/test_cli.py",
    "study/test_ask_tell.py",
    "report/test_figures.py",
    "driver/test_interruptions.py",
    "spec/test_spec.py",
    "strategies/test_bayesian.py",
    "conformance/test_strategies.py",
    "strategies/test_sequential.py",
    "faults/test_claims.py",
    "faults/test_server_away.py",
    "driver/test_requests.py",
    "study/test_study.py",
    "examples/test_recipes.py",
    "conformance/test_tracking_faults.py",
    "faults/test_secrets.py",
    "conformance/test_launchers.py",
    "faults/test_trials.py",
    "test_backend.py",
    "conformance/test_tracking.py",
    "test_past.py",
    "projects/test_projects.py",
    "report/test_difference.py",
    "cli/test_babysitting.py",
    "cli/test_compare.py",
    "faults/test_foreign_study.py",
    "driver/test_batch.py",
    "browser/test_hostile.py",
    "launchers/test_training_code.py",
    "conformance/test_tracking_trials.py",
    "cli/test_hostile.py",
    "study/test_confirm.py",
    "cli/test_study_argument.py",
    "driver/test_pruner.py",
    "launchers/test_launchers_function.py",
    "driver/test_driver.py",
    "faults/test_access.py",
    "documents/test_session.py",
    "projects/test_mlprojects.py",
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
