"""The tracking stores of the conformance suite, and what must stay as it was."""

from __future__ import annotations

import os

import pytest

from tests.conformance.tracker import Tracker, tracker_of


@pytest.fixture(params=["sqlite", "server"])
def store(request: pytest.FixtureRequest) -> str:
    """The URI of a tracking store: here both stand, SQLite without a server and the server."""
    return str(request.getfixturevalue("sqlite_store" if request.param == "sqlite" else "server"))


@pytest.fixture
def tracker(store: str, mlflow_unchanged: None) -> Tracker:
    """A tracker of either store."""
    return tracker_of(store)


@pytest.fixture
def spoilt(proxy, mlflow_unchanged: None) -> Tracker:
    """A tracker that reaches the server by the proxy."""
    return tracker_of(proxy.uri, patience=20)


@pytest.fixture
def mlflow_unchanged():
    """Hold that a test touches neither the environment nor MLflow's fluent state."""
    import mlflow

    before, uri = dict(os.environ), mlflow.get_tracking_uri()
    yield
    ours = {name for name in set(before) | set(os.environ) if not name.startswith("PYTEST")}
    assert {name: os.environ.get(name) for name in ours} == {name: before.get(name) for name in ours}
    assert mlflow.get_tracking_uri() == uri
    assert mlflow.active_run() is None
