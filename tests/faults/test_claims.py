"""One driver a study: of several at once exactly one drives, a dead one is succeeded, a living one is not.

The drivers are processes in namespaces of their own, with a host name and a home each: nothing but the store parts
them. 2 rounds of 4 drivers for each store; MLFLOW_TUNE_FAULTS=full makes that 20.
"""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from mlflow import MlflowClient

from mlflow_tune.tracking import Client, claimed, is_driven
from mlflow_tune.tracking.lease import PARTING
from tests.faults.drivers import lines, make_study, resume
from tests.fixtures.small_studies.helpers import Tune, nothing_left, outcomes, points, runs_of, wait_for
from tests.support.proxy import Fault, Proxy
from tests.support.tiers import FULL

DRIVERS = 4
ROUNDS = 20 if FULL else 2
LEASE = 5.0  # seconds; a shorter one could lapse on a machine that is too busy to send a heartbeat


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "kind",
    ["sqlite_store", "server", "postgres"],
)
def test_of_several_drivers_at_once_exactly_one_drives(kind, request, tmp_path):
    """Every other round begins with a driver that died elsewhere: all wait for its lease, and reach out at once."""
    uri, name = request.getfixturevalue(kind), f"race-{kind}"
    run_id = make_study(tmp_path, uri, "alone:alone", ROUNDS + 2, name=name)

    died = False
    for number in range(1, ROUNDS + 1):
        began = len(lines(tmp_path / "began"))
        drivers = [contender(run_id, tmp_path, uri, f"host-{number}-{index}") for index in range(DRIVERS)]
        winner = the_one(drivers)
        wait_for(lambda seen=began: len(lines(tmp_path / "began")) > seen, 60)
        for driver in drivers:
            assert driver is winner or refused(driver, winner, run_id)
        assert len(lines(tmp_path / "began")) == began + 1, "two drivers ran a trial"
        assert ("it is dead" in winner.err.read_text()) == died
        died = number % 2 == 1
        end(winner, tmp_path, signal.SIGKILL if died else signal.SIGINT)

    for number in range(1, ROUNDS + 3):
        (tmp_path / f"go-{number}").touch()
    last = resume(run_id, tmp_path, uri)
    assert last.wait() == 0, last.err.read_text()
    check_trials(uri, name, tmp_path)


def contender(run_id: str, folder: Path, uri: str, host: str) -> Tune:
    return resume(run_id, folder, uri, host=host, lease=f"{LEASE}s")


def the_one(drivers: list[Tune]) -> Tune:
    """Return the driver that is left when the others have ended."""
    wait_for(lambda: sum(driver.poll() is None for driver in drivers) <= 1, 90)
    left = [driver for driver in drivers if driver.poll() is None]
    assert len(left) == 1, [driver.err.read_text() for driver in drivers]
    return left[0]


def refused(driver: Tune, winner: Tune, run_id: str) -> bool:
    """Check that a driver was refused in words: who drives, since when, how to see it, to end it, to succeed it."""
    host = winner.out.parent.name.removeprefix("home-")
    said = driver.err.read_text().splitlines()[-1]
    assert driver.code == 2, driver.err.read_text()
    assert f"driven by user-{host} on {host} (process " in said and "), since 2" in said
    assert f"`mlflow-tune watch {run_id}`" in said and f"`mlflow-tune stop {run_id}`" in said
    assert f"{LEASE:g} s after its last heartbeat" in said
    return True


def end(driver: Tune, folder: Path, number: int) -> None:
    """Kill the driver, or interrupt it and let its trial end."""
    driver.signal(number)
    if number == signal.SIGINT:
        driver.said("no new trials")
        (folder / f"go-{lines(folder / 'began')[-1]}").touch()
        assert driver.wait() == 130, driver.err.read_text()
    driver.wait()
    nothing_left(driver)


def check_trials(uri: str, name: str, folder: Path) -> None:
    """Check that each point has one trial and ran to its end once; a trial whose driver was killed has two runs."""
    parent, children = runs_of(uri, name)
    found = outcomes(children)
    assert parent.info.status == "FINISHED"
    assert len({(number, attempt) for number, attempt, *_ in found}) == len(found), "a number was given twice"
    assert {(outcome, status) for *_, outcome, status in found} == {("ok", "FINISHED"), ("interrupted", "KILLED")}
    ok = [number for number, _, outcome, _ in found if outcome == "ok"]
    assert ok == list(range(1, ROUNDS + 3))
    assert {number: point["x"] for number, point in points(children).items()} == {number: number for number in ok}
    assert Counter(lines(folder / "ended")) == Counter(map(str, ok)), "a trial ran twice, or not at all"


@pytest.fixture
def study(sqlite_store, tmp_path):
    """A study whose trials end when there is a file `go-<x>`, in a store of its own."""
    return make_study(tmp_path, sqlite_store, "alone:alone", 2)


@pytest.fixture
def at_work(study, sqlite_store, tmp_path):
    """A function that starts a driver and waits until its first trial runs."""

    def started(**options) -> Tune:
        driver, began = resume(study, tmp_path, sqlite_store, **options), len(lines(tmp_path / "began"))
        wait_for(lambda: len(lines(tmp_path / "began")) > began or driver.poll() is not None, 60)
        assert driver.poll() is None, driver.err.read_text()
        return driver

    return started


def finish(driver: Tune, folder: Path) -> None:
    for number in (1, 2):
        (folder / f"go-{number}").touch()
    assert driver.wait() == 0, driver.err.read_text()


@pytest.mark.slow
def test_a_driver_that_died_on_this_machine_is_succeeded_at_once(at_work, tmp_path):
    dead = at_work(lease="10m")
    dead.signal(signal.SIGKILL)
    dead.wait()
    nothing_left(dead)

    since = time.monotonic()
    heir = at_work(lease="10m")
    assert time.monotonic() - since < 30, "it waited for the lease"
    assert "taking the study over from user-here on " in heir.err.read_text()
    assert f"(process {dead.pid})" in heir.err.read_text() and "it is dead" in heir.err.read_text()
    finish(heir, tmp_path)


@pytest.mark.long
def test_a_driver_that_died_elsewhere_is_succeeded_after_a_lease(at_work, tmp_path):
    dead = at_work(host="far", lease=f"{LEASE}s")
    dead.signal(signal.SIGKILL)
    dead.wait()
    nothing_left(dead)

    since = time.monotonic()
    heir = at_work(lease=f"{LEASE}s")
    assert time.monotonic() - since >= LEASE, "it did not wait for the lease"
    assert "to see whether user-far on far (process " in heir.err.read_text()
    assert "taking the study over from user-far on far (process " in heir.err.read_text()
    finish(heir, tmp_path)


@pytest.mark.long
def test_a_driver_that_lives_elsewhere_is_not_succeeded(at_work, study, sqlite_store, tmp_path):
    driver = at_work(host="far", lease=f"{LEASE}s")
    for host in ("", "near"):
        second = resume(study, tmp_path, sqlite_store, host=host, lease=f"{LEASE}s")
        assert second.wait() == 2, second.err.read_text()
        assert refused(second, driver, study)
    finish(driver, tmp_path)
    assert Counter(lines(tmp_path / "began")) == Counter("12")


@pytest.mark.slow
def test_the_kernel_keeps_these_drivers_apart(at_work):
    """Else the tests above rest on what elsewhere.py pretends, and this one tells why."""
    said = at_work(host="far").err.read_text()
    if said.startswith("no namespaces of its own"):
        pytest.skip(said.splitlines()[0])


class Hanging(Proxy):
    """Takes what is sent while it `hangs`, and answers nothing until it is healthy again."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self.hangs, self.waiting, self.healthy = False, threading.Event(), threading.Event()

    def take_fault(self, path: str) -> Fault | None:
        if self.hangs and not self.healthy.is_set():
            self.waiting.set()
            self.healthy.wait(300)
        return super().take_fault(path)


@pytest.mark.long
def test_a_server_that_hangs_does_not_keep_who_lets_go_of_a_study(server, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TUNE_LEASE", "1s")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")  # instead of MLflow's 120
    run_id = make_study(tmp_path, server, "alone:alone", 2, name="hanging")
    with Hanging(server) as proxy:
        try:
            with claimed(Client(proxy.uri), run_id):
                assert is_driven(Client(server), run_id)
                proxy.hangs = True
                assert proxy.waiting.wait(20), "no heartbeat is under way"
                since = time.monotonic()
            assert time.monotonic() - since < PARTING + 2
        finally:
            proxy.healthy.set()
        wait_for(lambda: not is_driven(Client(server), run_id), 20)
        assert MlflowClient(server).get_run(run_id).data.tags["tune.released"] == "1", "it lets go of it at last"
        beats = MlflowClient(server).get_run(run_id).data.tags["tune.heartbeat"]
        time.sleep(1)
        assert MlflowClient(server).get_run(run_id).data.tags["tune.heartbeat"] == beats, "its heart beats on"
