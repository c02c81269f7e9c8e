"""A driver that was suspended past its lease and taken over stops when it wakes, and changes no result."""

from __future__ import annotations

import signal
import threading
from typing import Any

import pytest

from tests.faults.drivers import lines, make_study, resume, stored
from tests.fixtures.small_studies.helpers import Tune, nothing_left, outcomes, runs_of, wait_for
from tests.support.proxy import Fault, Proxy

STOPPED = "has taken this study over, so this driver has stopped"


def running(folder, *points: int) -> None:
    wait_for(lambda: all((folder / f"running-{point}").exists() for point in points), 60)


def at_rest(uri: str, run_id: str, trials: int) -> None:
    """Wait until the points of so many trials are logged: they begin while that is done, and it is done once."""

    def logged() -> int:
        return sum("trial" in run["data"]["metrics"] for run in stored(uri, run_id).values())

    wait_for(lambda: logged() == trials, 60)


# Where the driver that wakes runs.
HOSTS = pytest.mark.parametrize(
    "host", [pytest.param("", id="here"), pytest.param("far", id="elsewhere", marks=pytest.mark.long)]
)


def stopped_in_words(driver: Tune, heir: str) -> None:
    """Check that the driver has stopped, says who has its study, and left no process."""
    assert driver.wait() == 2, driver.err.read_text()
    last = driver.err.read_text().splitlines()[-1]
    assert last.startswith(f"Error: user-{heir} on ") and last.endswith(STOPPED)
    nothing_left(driver)


def taken_over(run_id: str, folder, uri: str, **options) -> Tune:
    heir = resume(run_id, folder, uri, **options)
    heir.said("taking the study over from ")
    return heir


@pytest.mark.long
@pytest.mark.timeout(300)
@HOSTS
def test_it_stops_when_it_wakes_beside_the_driver_that_took_over(host, sqlite_store, tmp_path):
    run_id = make_study(tmp_path, sqlite_store, "objectives:held", 3, workers=2)
    sleeper = resume(run_id, tmp_path, sqlite_store, host=host)
    running(tmp_path, 1, 2)
    at_rest(sqlite_store, run_id, 2)
    sleeper.signal(signal.SIGSTOP)
    for point in (1, 2):
        (tmp_path / f"running-{point}").unlink()

    heir = taken_over(run_id, tmp_path, sqlite_store, host="near")
    running(tmp_path, 1, 2)
    before = stored(sqlite_store, run_id)
    sleeper.signal(signal.SIGCONT)
    stopped_in_words(sleeper, "near")
    now = stored(sqlite_store, run_id)
    assert without_note(now, run_id) == without_note(before, run_id), "it wrote something after it woke"

    (tmp_path / "go").touch()
    assert heir.wait() == 0, heir.err.read_text()
    check_results(sqlite_store, run_id, 3)


@pytest.mark.long
@pytest.mark.timeout(300)
@HOSTS
def test_it_changes_nothing_when_it_wakes_with_results_after_the_study_has_ended(host, server, tmp_path):
    """Its trials end while it sleeps: their results wait for it."""
    run_id = make_study(tmp_path, server, "objectives:held", 3, workers=2)
    sleeper = resume(run_id, tmp_path, server, host=host)
    running(tmp_path, 1, 2)
    at_rest(server, run_id, 2)
    sleeper.signal(signal.SIGSTOP)
    (tmp_path / "go").touch()
    heir = taken_over(run_id, tmp_path, server, host="near")
    assert heir.wait() == 0, heir.err.read_text()

    before = stored(server, run_id)
    sleeper.signal(signal.SIGCONT)
    stopped_in_words(sleeper, "near")
    assert stored(server, run_id) == before
    check_results(server, run_id, 3)
    again = resume(run_id, tmp_path, server)
    assert again.wait() == 0, again.err.read_text()
    check_results(server, run_id, 3)


def without_note(runs: dict[str, Any], run_id: str) -> dict[str, Any]:
    """Return the runs without what a living driver brings up to date on the parent now and then."""
    runs[run_id]["data"]["tags"].pop("mlflow.note.content", None)
    runs[run_id]["data"].pop("metrics")
    return runs


def check_results(uri: str, run_id: str, count: int) -> None:
    """Check that each point has one result, of the second driver, and that the parent tells of it."""
    runs = stored(uri, run_id)
    parent = runs.pop(run_id)
    tags = [run["data"]["tags"] for run in runs.values()]
    ok = [tag for tag in tags if tag.get("tune.outcome") == "ok"]
    assert sorted(int(tag["tune.trial"]) for tag in ok) == list(range(1, count + 1))
    assert {tag["tune.outcome"] for tag in tags if tag not in ok} <= {"interrupted"}
    assert sum(run["info"]["status"] == "RUNNING" for run in runs.values()) == 0, "a run was left open"
    assert (parent["info"]["status"], parent["data"]["tags"]["tune.state"]) == ("FINISHED", "finished")
    assert "finished" in parent["data"]["tags"]["mlflow.note.content"].lower()


class Slow(Proxy):
    """Keeps back the requests whose path holds `path` until `release` is set."""

    def __init__(self, server: str) -> None:
        super().__init__(server)
        self.path, self.waiting, self.release = "", threading.Event(), threading.Event()

    def take_fault(self, path: str) -> Fault | None:
        if self.path and self.path in path:
            self.waiting.set()
            assert self.release.wait(120)
        return super().take_fault(path)


@pytest.fixture
def slow(server):
    with Slow(server) as proxy:
        yield proxy
        proxy.release.set()


@pytest.mark.long
@pytest.mark.timeout(300)
def test_a_heartbeat_that_lands_after_the_takeover_does_not_make_it_feel_safe(slow, server, tmp_path):
    """It lives, and so thinks the server when the heartbeat arrives at last: but the study is not its own any more."""
    run_id = make_study(tmp_path, server, "objectives:held", 3, workers=2)
    driver = resume(run_id, tmp_path, slow.uri)
    running(tmp_path, 1, 2)
    slow.path = "set-tag"
    assert slow.waiting.wait(60)
    heir = taken_over(run_id, tmp_path, server, host="near")
    wait_for(lambda: any(tags(run).get("tune.attempt") == "2" for run in stored(server, run_id).values()), 60)

    slow.release.set()
    stopped_in_words(driver, "near")
    (tmp_path / "go").touch()
    assert heir.wait() == 0, heir.err.read_text()
    check_results(server, run_id, 3)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_the_one_request_in_flight_that_lands_late_changes_no_result(slow, server, tmp_path):
    """A child run is made late, for a number that the new driver has finished meanwhile."""
    run_id = make_study(tmp_path, server, "alone:alone", 3, name="in-flight")
    driver = resume(run_id, tmp_path, slow.uri)
    wait_for(lambda: lines(tmp_path / "began") == ["1"], 60)
    slow.path = "runs/create"
    (tmp_path / "go-1").touch()
    assert slow.waiting.wait(60)
    driver.signal(signal.SIGSTOP)
    for point in (2, 3):
        (tmp_path / f"go-{point}").touch()
    heir = taken_over(run_id, tmp_path, server, host="near")
    assert heir.wait() == 0, heir.err.read_text()
    finished = outcomes(runs_of(server, "in-flight")[1])
    assert finished == [(1, 1, "ok", "FINISHED"), (2, 1, "ok", "FINISHED"), (3, 1, "ok", "FINISHED")]

    slow.release.set()
    wait_for(lambda: len(runs_of(server, "in-flight")[1]) == 4, 60)
    driver.signal(signal.SIGCONT)
    stopped_in_words(driver, "near")
    late = [run for run in outcomes(runs_of(server, "in-flight")[1]) if run not in finished]
    assert late == [(2, 1, "interrupted", "KILLED")], "the run that it made late was left open"
    for _ in range(2):
        again = resume(run_id, tmp_path, server)
        assert again.wait() == 0, again.err.read_text()
    assert lines(tmp_path / "ended") == ["1", "2", "3"], "a finished trial ran again"


def tags(run: dict[str, Any]) -> dict[str, str]:
    return run["data"]["tags"]
