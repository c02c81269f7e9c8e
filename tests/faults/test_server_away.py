"""The tracking server goes away in the middle of a study, and comes back or does not: nothing is lost.

The short form stops a real server for 5 s. The full form stops it for 90 s as well, longer than a driver's lease, and
lets MLflow's own client give up in a script: `MLFLOW_TUNE_FAULTS=full pytest tests/faults/test_server_away.py`.
"""

from __future__ import annotations

import itertools
import shlex
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient

from mlflow_tune import Study
from mlflow_tune.tracking import client, retries
from tests.faults.servers import RealServer
from tests.fixtures.small_studies.helpers import (
    Tune,
    failing,
    nothing_left,
    outcomes,
    runs_of,
    start,
    study_file,
    tune,
    wait_for,
)
from tests.support.proxy import BUSY, TORN, Fault
from tests.support.tiers import FULL

SOON = 10.0  # seconds after the server's return within which the driver goes on
HELD = {"function": "objectives:held", "parameters": {"folder": "."}}
SCRIPT = [sys.executable, "train.py", "--x", "{x}", "--folder", ".", "--client"]
SPACE = {"x": {"type": "float", "low": 0, "high": 1}}


@pytest.fixture(scope="module")
def real(store_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """A server that tests stop; it answers when a test begins."""
    with RealServer(store_template, tmp_path_factory.mktemp("away")) as server:
        yield server


def held_study(folder: Path, run: dict[str, Any], **more: Any) -> tuple[Path, str]:
    """Write the file of a study whose trials wait for the file `go`; return it and the study's name."""
    name = f"away-{uuid.uuid4().hex}"
    return study_file(folder, name=name, run=run, **more), name


def wait_until_running(folder: Path, *numbers: int) -> None:
    wait_for(lambda: all((folder / f"running-{number}").exists() for number in numbers))


def told(process: Tune) -> list[str]:
    """Return what the driver said of the server."""
    return [line for line in process.err.read_text().splitlines() if "tracking server" in line]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [pytest.param(5, marks=pytest.mark.long), *([90] if FULL else [])])
def test_the_driver_goes_on_and_what_functions_returned_meanwhile_arrives(real, tmp_path, seconds):
    path, name = held_study(tmp_path, HELD, workers=2)
    process = start(["run", path], tmp_path, real.uri)
    wait_until_running(tmp_path, 1, 2)
    real.stop()
    (tmp_path / "go").touch()  # both trials return now, and their results have nowhere to go
    process.said("waiting for the tracking server")
    time.sleep(seconds)
    assert [entry[2] for entry in outcomes(runs_of(real.store, name)[1])] == [None, None]

    real.start()
    back = time.monotonic()
    wait_for(lambda: len(runs_of(real.store, name)[1]) > 2)
    assert time.monotonic() - back < SOON
    assert process.wait() == 0, process.err.read_text()
    parent, children = runs_of(real.store, name)
    assert outcomes(children) == [(number, 1, "ok", "FINISHED") for number in range(1, 5)]
    assert parent.info.status == "FINISHED"
    assert len(told(process)) == 1, "one line an outage"
    assert real.uri in told(process)[0]


@pytest.mark.long
@pytest.mark.parametrize("sender", ["rest", *(["mlflow"] if FULL else [])])
def test_a_script_whose_own_client_gave_up_runs_again_and_counts_as_no_failure(real, tmp_path, sender):
    path, name = held_study(tmp_path, {"command": [*SCRIPT, sender]}, stop={"failures": 1})
    process = start(["run", path], tmp_path, real.uri, MLFLOW_HTTP_REQUEST_MAX_RETRIES="1")
    wait_until_running(tmp_path, 1)
    real.stop()
    (tmp_path / "go").touch()
    process.said("waiting for the tracking server")
    wait_for(lambda: not any("train.py" in " ".join(member.cmdline()) for member in process.family()))
    real.start()
    assert process.wait() == 0, process.err.read_text()
    _, children = runs_of(real.store, name)
    first = [(1, 1, "interrupted", "KILLED"), (1, 2, "ok", "FINISHED")]
    assert outcomes(children) == first + [(number, 1, "ok", "FINISHED") for number in (2, 3, 4)]
    [reason] = [run.data.tags["tune.reason"] for run in children if run.data.tags["tune.outcome"] == "interrupted"]
    assert reason.startswith("the tracking server was away: ")
    assert "exit code 1" in reason


@pytest.mark.long
def test_a_server_that_stays_away_ends_the_drive_with_what_is_safe_and_how_to_go_on(real, tmp_path):
    path, name = held_study(tmp_path, HELD)
    process = start(["run", path], tmp_path, real.uri, MLFLOW_TUNE_PATIENCE="2s")
    wait_until_running(tmp_path, 1)
    real.stop()
    (tmp_path / "go").touch()
    assert process.wait() == 3
    nothing_left(process)
    said = process.err.read_text().splitlines()
    assert said[-1].startswith(f"Error: no answer from the tracking server {real.uri} for 2 s")
    assert "Traceback" not in process.err.read_text()
    assert "safe on the tracking server" in process.out.read_text()
    words = shlex.split(process.last_line)

    real.start()
    assert words[:2] == ["mlflow-tune", "resume"]
    assert tune(words[1:], tmp_path, real.uri).wait() == 0
    _, children = runs_of(real.store, name)
    assert outcomes(children)[:2] == [(1, 1, "interrupted", "KILLED"), (1, 2, "ok", "FINISHED")]
    assert [entry[:3] for entry in outcomes(children)[2:]] == [(number, 1, "ok") for number in (2, 3, 4)]


# --- a proxy that answers for the server ------------------------------------------------------------------------------


def status(code: int, **headers: str) -> Fault:
    return Fault(forward=False, status=code, body="not now", content_type="text/plain", headers=headers)


LIMITED = status(429, **{"Retry-After": "2"})
FAULTS = [
    pytest.param(status(500), id="500", marks=pytest.mark.long),
    pytest.param(status(503, **{"Retry-After": "2"}), id="503", marks=pytest.mark.long),
    pytest.param(LIMITED, id="429", marks=pytest.mark.long),
    pytest.param(TORN, id="torn"),
]


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_study_waits_for_a_server_that_answers_nonsense_and_is_the_same_study(proxy, server, caplog, fault):
    healed: list[float] = []

    def heal() -> None:
        proxy.heal()
        healed.append(time.monotonic())

    def objective(x: float) -> float:
        if x == spoilt_at and not healed:
            proxy.spoil("/", fault, times=10**9)
            threading.Timer(5, heal).start()
        return x

    spoilt_at = None
    name = f"nonsense-{uuid.uuid4().hex}"
    options: dict[str, Any] = {"space": SPACE, "metric": "loss", "stop": {"trials": 4}, "objective": objective}
    whole = Study(name=name, tracking_uri=server, **options).run()
    spoilt_at = whole.trials[1].params["x"]
    study = Study(name=f"{name}-spoilt", tracking_uri=proxy.uri, **options).run()

    found = [
        [(trial.number, trial.attempt, trial.params, trial.value) for trial in each.trials] for each in (whole, study)
    ]
    assert found[0] == found[1]
    _, children = runs_of(server, f"{name}-spoilt")
    assert len(children) == 4, "a write whose answer was lost was applied twice"
    mlflow = MlflowClient(server)
    assert {len(mlflow.get_metric_history(run.info.run_id, "objective")) for run in children} == {1}
    answered = [request.time for request in proxy.requests if request.status == 200 and request.time > healed[0]]
    assert min(answered) - healed[0] < SOON
    waiting = [record for record in caplog.records if "waiting for the tracking server" in record.getMessage()]
    assert len([record for record in waiting if record.levelname == "WARNING"]) == 1
    if fault.headers:
        held = [each.time for each in proxy.requests if each.status == fault.status and "set-tag" not in each.call]
        assert min(after - before for before, after in itertools.pairwise(held)) >= 2


@pytest.mark.slow
def test_a_longer_wait_than_the_cap_is_not_heeded(proxy, monkeypatch):
    monkeypatch.setattr(client, "LONGEST_ASKED", 1.5)
    connection = client.Client(proxy.uri)
    proxy.spoil("experiments/get", status(429, **{"Retry-After": "3600"}))
    began = time.monotonic()
    assert connection.send("get_experiment_by_name", "Default").experiment_id == "0"
    assert 1.5 <= time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3), ("0.5", 0.5), ("-3", 0), ("nan", 0), ("inf", 0), ("soon", 0), ("", 0), ("Wed, 99 Foo", 0)],
)
def test_what_retry_after_says(proxy, text, seconds):
    assert asked(proxy, text) == seconds


def test_retry_after_may_be_a_date(proxy):
    moment = datetime.now(timezone.utc) + timedelta(seconds=60)
    assert 50 < asked(proxy, format_datetime(moment, usegmt=True)) <= 60


def asked(proxy, text: str) -> float:
    """Return the wait that an error tells, raised by a real request whose answer bears this header."""
    connection = client.Client(proxy.uri)
    proxy.spoil("experiments/get", status(503, **{"Retry-After": text}))
    with pytest.raises(Exception, match="no answer") as caught:
        connection.once("get_experiment_by_name", "Default")
    return retries.asked_wait(caught.value)


def test_a_gateway_that_forbids_in_json_of_its_own_is_not_waited_for(proxy):
    connection = client.Client(proxy.uri)
    proxy.spoil("/api/", Fault(forward=False, status=403, body='{"message": "Forbidden"}'), times=100)
    sent = len(proxy.requests)
    with pytest.raises(client.AccessRefused, match="Forbidden"):
        connection.send("get_experiment_by_name", "Default")
    assert len(proxy.requests) == sent + 1


@pytest.mark.slow
def test_broken_code_on_a_bad_network_is_a_failure_in_the_end(proxy):
    """Each of its failures is near an outage: excused for ever, the study would never end."""
    proxy.spoil("/api/", BUSY, times=10**9, every=4)
    command = ["false", "{x}"]
    study = Study(
        name=f"broken-{uuid.uuid4().hex}", run={"command": command}, space=SPACE, metric="loss",
        stop={"trials": 5, "failures": 2}, tracking_uri=proxy.uri,
    )  # fmt: skip
    failing(study.run)
    proxy.heal()
    assert study.ending is not None
    assert study.ending.state == "aborted"
    assert [(trial.number, trial.attempt, trial.outcome) for trial in study.trials] == [
        (1, 4, "failed"),
        (2, 4, "failed"),
    ]
