"""The shared view of a comparison of studies, opened by the link that `mlflow-tune compare` prints."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from click.testing import CliRunner

from mlflow_tune import Float
from mlflow_tune.cli import main
from tests.browser.chromium import CARD, eventually, marks

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def studies(studied):
    """Three studies of one experiment, of which two are compared, and one of another."""
    shared = {"space": {"x": Float(0, 1)}, "objective": lambda x: (x - 0.3) ** 2, "stop": {"trials": 3}}
    experiments = [f"compared-{uuid4().hex[:8]}"] * 3 + [f"compared-{uuid4().hex[:8]}"]
    return [
        studied(f"s{seed}", strategy={"name": "random", "seed": seed}, experiment=experiment, **shared)
        for seed, experiment in enumerate(experiments)
    ]


def link(*studies):
    """Compare the studies; return the link to their curves."""
    words = [*(study.run_id for study in studies), "--tracking-uri", studies[0].client.uri, "--json"]
    result = CliRunner().invoke(main, ["compare", *words])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["links"]["curves of the studies"]


def test_comparison(studies, page, watched):
    page.goto(link(*studies[:2]))
    page.get_by_text("2 matching runs").wait_for()
    eventually(lambda: marks(page), [("best_loss", "lines", 2), ("best_loss", "bars", 2)])
    names = page.locator(".ag-row a[href*='/runs/']").all_inner_texts()
    assert sorted(names) == ["s0", "s1"]
    assert not watched.errors


@pytest.mark.long
def test_comparison_over_experiments(studies, page, watched):
    """MLflow has no shared view of several experiments: its own charts show the curve."""
    page.goto(link(studies[0], studies[3]))
    page.get_by_text("2 matching runs").wait_for()
    eventually(lambda: ("best_loss", "lines", 2) in marks(page), True)
    assert page.get_by_test_id(CARD).first.is_visible()
    assert not watched.errors
