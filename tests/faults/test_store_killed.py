"""A kill while the default SQLite store is made leaves no broken store: the same command works afterwards.

Each case kills once the new store has grown to a share of its full size. One instant; MLFLOW_TUNE_FAULTS=full makes 10.
"""

from __future__ import annotations

import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fixtures.small_studies.helpers import nothing_left, outcomes, runs_of, start, study_file, tune, wait_for
from tests.support.tiers import FULL

SHARES = [index / 10 for index in range(10)] if FULL else [0.4]


@pytest.mark.long
@pytest.mark.parametrize("share", SHARES)
def test_a_kill_while_the_default_store_is_made_leaves_no_broken_one(share, store_template, tmp_path):
    path, place = study_file(tmp_path / "study", name="first"), tmp_path / "empty"
    place.mkdir()
    size = share * store_template.stat().st_size

    driver = start(["run", path], place)
    wait_for(lambda: (made := grown(place)) is not None and made >= size)
    driver.signal(signal.SIGKILL)
    driver.wait()
    nothing_left(driver)
    assert not (place / "mlflow.db").exists(), "half a store stands where MLflow looks for a whole one"
    assert len(list(place.glob(".mlflow-new-*"))) == 1

    again = tune(["run", path], place)
    assert again.wait() == 0, again.err.read_text()
    assert list(place.glob(".mlflow-new-*")) == [], "what the killed one had made is still there"
    with closing(sqlite3.connect(place / "mlflow.db")) as store:
        assert store.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    parent, children = runs_of(f"sqlite:///{place / 'mlflow.db'}", "first")
    assert parent.info.status == "FINISHED"
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in range(1, 5)]


def grown(place: Path) -> int | None:
    """Return how large the store has become that is being made in this folder, None while there is none."""
    sizes = [file.stat().st_size for file in place.rglob("mlflow.db") if file.exists()]
    return max(sizes, default=None)
