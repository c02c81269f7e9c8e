"""What all tests share: real tracking stores, and an environment that no test leaks into another."""

from __future__ import annotations

import fcntl
import gc
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import HealthCheck, settings

from tests.fixtures.small_studies.zygote import remember_schema
from tests.support.proxy import Proxy
from tests.support.server import copy_store, make_template, mlflow_server

MEMORY = Path("/dev/shm")  # where Linux keeps a file system in memory
ROOM = 4 * 2**30  # bytes; a whole suite takes half of that


def has_room(folder: Path) -> bool:
    """Say whether the suite's files find room in this folder, and in the memory that lies behind it."""
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        return False
    return min(shutil.disk_usage(folder).free, psutil.virtual_memory().available / 2) > ROOM


pytest_plugins = ["tests.support.distribution", "tests.support.tiers"]

gc.disable()  # while all is imported and collected


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop() -> None:
    """Look for garbage from here on, but not in what was collected: that took a tenth of the tests' time."""
    gc.collect()
    gc.freeze()
    gc.enable()


# In the background of a shell and under nohup SIGINT is ignored, and what one starts inherits that: here Ctrl-C counts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no failure: no example of hypothesis has a deadline.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
os.environ["MLFLOW_TUNE_REPORT"] = "false"  # drawing takes seconds: the tests of pictures turn it on
# The tests themselves run side by side on all cores: more threads would only wait for each other.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
# Stores in memory wait for no disk; a folder is kept for a look only where its test failed.
if "PYTEST_DEBUG_TEMPROOT" not in os.environ and has_room(MEMORY):
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)
# What a person's shell may hold and would lead the tests to a store, or to devices, of theirs.
FOREIGN = (
    *("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID", "MLFLOW_RUN_CONTEXT"),
    *("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES"),
)


@pytest.fixture(autouse=True, scope="session")
def own_state(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what the tests approve of out of the state folder of whoever runs them."""
    os.environ["XDG_STATE_HOME"] = str(tmp_path_factory.mktemp("state"))


@pytest.fixture(autouse=True)
def clean_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run every test in a folder of its own, without a person's variables of MLflow and of GPUs."""
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def store_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty SQLite store, to be copied: the first test process that needs it makes it for all."""
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base
    template = folder / "template.db"
    remember_schema()
    with (folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not template.exists():
            make_template(folder / "half-made.db").rename(template)
    return template


@pytest.fixture(scope="session")
def server(store_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URI of a real MLflow server, one for the whole session: tests name their own experiments."""
    with mlflow_server(store_template, tmp_path_factory.mktemp("server")) as uri:
        yield uri


@pytest.fixture
def sqlite_store(store_template: Path, tmp_path: Path) -> str:
    """The URI of a new, empty SQLite store, used without a server."""
    return copy_store(store_template, tmp_path)


@pytest.fixture(params=["sqlite", pytest.param("server", marks=pytest.mark.long)])
def store(request: pytest.FixtureRequest) -> str:
    """The URI of a tracking store: SQLite without a server, and in the long form the server."""
    return str(request.getfixturevalue("sqlite_store" if request.param == "sqlite" else "server"))


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    """A proxy before the server, which counts requests and can spoil some."""
    with Proxy(server) as running:
        yield running
