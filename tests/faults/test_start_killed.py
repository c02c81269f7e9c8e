"""A driver killed with SIGKILL after each of its requests: whoever started the study goes on without being asked.

The server has the request, the driver never sees the answer. The study has four trials, and takes 35 requests. The
short form kills after those that make it and claim it, `-m long` after all others.
"""

from __future__ import annotations

import signal
from typing import Any

import pytest
from mlflow import MlflowClient

from tests.fixtures.small_studies.helpers import Tune, nothing_left, outcomes, runs_of, start, study_file, tune
from tests.support.proxy import Fault, Proxy

# Tags of the parent run that tell who drives it, and how often somebody did.
DRIVING = ("tune.holder.", "tune.released", "tune.heartbeat")
MADE, CLAIMED, LAST = 4, 8, 35  # the numbers of requests
CASES = [pytest.param(n, marks=[] if MADE <= n <= CLAIMED else pytest.mark.long) for n in range(1, LAST + 1)]


@pytest.mark.slow
@pytest.mark.parametrize("number", CASES)
def test_a_study_whose_driver_was_killed_is_gone_on_with_and_ends_as_any(number, whole, server, proxy, tmp_path):
    path = study_file(tmp_path / "code", name=(name := f"killed-{number}"))
    killed(start(["run", path], tmp_path, proxy.uri), number, proxy)
    words = ["resume", name] if runs_of(server, name)[0] else ["run", path]
    again = tune(words, tmp_path, server)
    assert again.wait() == 0, again.err.read_text()
    assert described(server, name) == whole


@pytest.fixture(scope="module")
def whole(server: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a study shows that nobody killed."""
    folder = tmp_path_factory.mktemp("whole")
    assert tune(["run", study_file(folder / "code", name="whole")], folder, server).wait() == 0
    return described(server, "whole")


def killed(driver: Tune, number: int, proxy: Proxy) -> None:
    """Wait until the driver is killed after the request of this number."""
    proxy.spoil("", Fault(forward=True, meanwhile=lambda: driver.signal(signal.SIGKILL)), every=number)
    assert driver.wait() == -signal.SIGKILL
    nothing_left(driver)


def described(uri: str, name: str) -> dict[str, Any]:
    """Return what there is to be seen of a study in MLflow, but for what each one has of its own."""
    client, (parent, children) = MlflowClient(uri), runs_of(uri, name)
    tags = client.get_experiment(parent.info.experiment_id).tags
    return {
        "status": parent.info.status,
        "params": {key for key in parent.data.params if not key.startswith("tune.claim.")},
        "tags": {key for key, text in parent.data.tags.items() if text and not key.startswith(DRIVING)},
        "metrics": dict(parent.data.metrics),
        "files": [file.path for file in client.list_artifacts(parent.info.run_id)],
        "views": sum(parent.info.run_id in key for key in tags),
        "results": [(number, status) for number, _, outcome, status in outcomes(children) if outcome == "ok"],
        "left open": [run.info.run_id for run in [parent, *children] if run.info.status == "RUNNING"],
    }
