"""The claim of a study: over both stores, on a clock that the tests move, and over what a broken store may hold."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_tune.errors import StudyConflict
from mlflow_tune.tracking import Client, claimed, is_driven
from mlflow_tune.tracking import lease as claims
from mlflow_tune.tracking.holder import UNKNOWN, Holder
from mlflow_tune.tracking.lease import Claim
from tests.conformance.tracker import Tracker, tracker_of
from tests.support.proxy import LOSE

LEASE = 20.0
HERE = Holder.here(1_700_000_000_000, LEASE)
FAR = replace(HERE, boot="another", host="far", user="bob", nonce="f" * 16)


@pytest.fixture
def clock(monkeypatch):
    """The clock of claims, in the test's hand."""
    hands = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(claims, "_clock", lambda: hands.now)
    return hands


@pytest.fixture
def run_id(tracker: Tracker) -> str:
    return tracker.study().run_id


@pytest.fixture
def claim(tracker: Tracker, run_id, clock) -> Claim:
    """A claim whose heart beats when the test says so."""
    return claims._take(tracker.client, run_id)


def take_over(tracker: Tracker, run_id: str, number: int = 2) -> None:
    """Write the next claim, as another driver does."""
    tracker.mlflow.set_tag(run_id, f"tune.holder.{FAR.nonce}", FAR.to_text())
    tracker.mlflow.log_param(run_id, f"tune.claim.{number}", FAR.nonce)


@pytest.mark.slow
def test_a_second_claim_is_refused_and_a_released_one_is_succeeded_at_once(tracker, run_id, monkeypatch):
    monkeypatch.setattr(claims, "lease_seconds", lambda: 2.0)
    with claimed(tracker.client, run_id):
        with pytest.raises(StudyConflict, match=r"this study is driven by .* on .*, since .*`mlflow-tune stop"):
            claims._take(tracker.client, run_id)
        assert is_driven(tracker.client, run_id)
    assert not is_driven(tracker.client, run_id)
    monkeypatch.setattr(claims, "lease_seconds", lambda: 600.0)
    with claimed(tracker.client, run_id):
        params = tracker.mlflow.get_run(run_id).data.params
        claims_made = {key: text for key, text in params.items() if key.startswith("tune.claim.")}
        assert claims_made.keys() == {"tune.claim.1", "tune.claim.2"}
        assert all(len(text) <= 16 for text in claims_made.values()), "MLflow prints params above pictures"


@pytest.mark.slow
def test_a_driver_whose_claim_was_written_and_whose_answer_was_lost_does_not_refuse_itself(proxy, server):
    study = tracker_of(server).study()
    proxy.spoil("runs/log-batch", LOSE)
    impatient = Client(proxy.uri, patience=0)
    with claimed(impatient, study.run_id) as claim:
        claim.check()
        assert is_driven(Client(server), study.run_id)
    assert not is_driven(Client(server), study.run_id)


def test_a_process_that_was_forked_from_the_driver_does_not_drive(claim):
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            claim.check()
        except StudyConflict as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    with os.fdopen(read) as said:
        assert said.read() == f"the process {os.getpid()} drives this study, and this one was forked from it"
    claim.check()


def test_within_its_lease_a_driver_reads_nothing_before_it_writes(tracker, run_id, claim, clock, monkeypatch):
    monkeypatch.setattr(tracker.client, "send", lambda *_: pytest.fail("it asked the server"))
    clock.now += LEASE - 1
    claim.check()


def test_past_its_lease_it_looks_before_it_writes_and_stops_when_it_was_taken_over(tracker, run_id, claim, clock):
    clock.now += LEASE
    claim.check()
    take_over(tracker, run_id)
    for _ in range(2):
        with pytest.raises(StudyConflict, match=r"bob on far .* has taken this study over, so this driver has stopped"):
            claim.check()


def test_after_a_lapse_it_goes_on_looking_for_a_lease(tracker, run_id, claim, clock):
    """Whoever began to watch before the first heartbeat after the lapse may take the study over until then."""
    clock.now += LEASE
    claim.beat()
    clock.now += LEASE / 2
    claim.beat()
    take_over(tracker, run_id)
    with pytest.raises(StudyConflict):
        claim.check()


def test_only_a_heartbeat_renews_the_lease(tracker, run_id, claim, clock):
    """A driver whose reads arrive and whose heartbeats do not seems dead to others, however often it has looked."""
    clock.now += LEASE
    claim.check()
    clock.now += LEASE - 1
    claim.check()
    clock.now += LEASE - 1
    take_over(tracker, run_id)
    with pytest.raises(StudyConflict):
        claim.check()


@pytest.mark.parametrize("method", ["set_tag", "get_run"])
def test_who_is_suspended_while_a_request_is_under_way_is_not_at_peace(tracker, run_id, claim, clock, method):
    """It wakes past its lease with the answer in its hand, and the study is somebody else's."""
    if method == "get_run":
        clock.now += LEASE  # a look is due
    during(tracker, method, lambda: (take_over(tracker, run_id), setattr(clock, "now", clock.now + 2 * LEASE)))
    claim.beat()
    with pytest.raises(StudyConflict):
        claim.check()


def test_who_is_suspended_while_it_claims_is_not_at_peace(tracker, run_id, clock):
    during(tracker, "log_batch", lambda: setattr(clock, "now", clock.now + 2 * LEASE))
    claim = claims._take(tracker.client, run_id)
    take_over(tracker, run_id)
    with pytest.raises(StudyConflict):
        claim.check()


def during(tracker: Tracker, method: str, happen) -> None:
    """Let something happen once, after the next request of this kind was answered and before that is seen."""
    real = getattr(tracker.client._client, method)

    def answered(*args, **options):
        answer = real(*args, **options)
        setattr(tracker.client._client, method, real)
        happen()
        return answer

    setattr(tracker.client._client, method, answered)


def test_a_driver_that_lost_its_study_does_not_release_that_of_its_successor(tracker, run_id, claim, clock):
    take_over(tracker, run_id)
    claim.release()  # as from a sleep: it does not know yet
    assert claims._last_claim(tracker.mlflow.get_run(run_id)) == (2, FAR, False)


def test_a_claim_is_never_seen_without_its_holder(tracker, run_id, monkeypatch):
    """The tag comes first: a driver that is killed between the two requests holds nothing."""
    sent, send = [], tracker.client.send

    def noted(method, *args, **options):
        run = tracker.mlflow.get_run(run_id)
        sent.append((method, claims._last_claim(run)[0], sum(tag.startswith("tune.holder.") for tag in run.data.tags)))
        return send(method, *args, **options)

    monkeypatch.setattr(tracker.client, "send", noted)
    claims._take(tracker.client, run_id)
    # One holder is there from the beginning: who made the study.
    assert sent == [("get_run", 0, 1), ("set_tag", 0, 1), ("log_batch", 0, 2)]


def test_who_loses_a_race_leaves_the_winner_in_its_words(tracker, run_id, monkeypatch):
    real = tracker.client._client.log_batch

    def late(*args, **options):
        take_over(tracker, run_id, 1)
        return real(*args, **options)

    monkeypatch.setattr(tracker.client._client, "log_batch", late)
    with pytest.raises(StudyConflict, match=r"driven by bob on far "):
        claims._take(tracker.client, run_id)


def run_of(params: dict[str, str], released: str | None = None) -> SimpleNamespace:
    holders = {f"tune.holder.{each.nonce}": each.to_text() for each in (HERE, FAR)}
    tags = holders if released is None else {**holders, "tune.released": released}
    return SimpleNamespace(data=SimpleNamespace(params=params, tags=tags))


BIG = "9" * 230


@pytest.mark.parametrize(
    ("params", "released", "held"),
    [
        ({}, None, (0, None, True)),
        ({"lr": "1", "tune.claim": "1", "tune.claims.1": "x"}, "1", (0, None, True)),
        ({"tune.claim.1": HERE.nonce}, None, (1, HERE, False)),
        ({"tune.claim.1": HERE.nonce, "tune.claim.2": FAR.nonce}, "1", (2, FAR, False)),
        ({"tune.claim.1": HERE.nonce[:-1]}, "1", (1, UNKNOWN, True)),
        ({"tune.claim.1": HERE.to_text()}, None, (1, HERE, False)),  # as earlier versions wrote it
        ({"tune.claim.1": HERE.to_text()}, "1", (1, HERE, True)),
        ({"tune.claim.1": HERE.to_text()}, "0", (1, HERE, False)),
        ({"tune.claim.1": HERE.to_text()}, "2", (1, HERE, False)),
        ({"tune.claim.1": HERE.to_text()}, "one", (1, HERE, False)),
        ({"tune.claim.2": FAR.to_text(), "tune.claim.10": HERE.to_text()}, "2", (10, HERE, False)),
        ({"tune.claim.1": "not JSON"}, None, (1, UNKNOWN, False)),
        ({"tune.claim.1": FAR.to_text()[:-9]}, None, (1, UNKNOWN, False)),
        ({"tune.claim.1": "not JSON"}, "1", (1, UNKNOWN, True)),
        ({f"tune.claim.{BIG}": HERE.to_text()}, None, (int(BIG), HERE, False)),
        *(
            ({f"tune.claim.{odd}": FAR.to_text(), "tune.claim.1": HERE.to_text()}, None, (1, HERE, False))
            for odd in ("", "x", "0", "-2", "02", "2.0", "2 ", "1e3", "٣", "²", "2/3")
        ),
    ],
)
def test_who_holds_a_study_by_what_its_run_says(params, released, held):
    assert claims._last_claim(run_of(params, released)) == held


@pytest.mark.slow
def test_a_claim_that_cannot_be_read_holds_until_its_heartbeat_has_stood_still(tracker, run_id, monkeypatch):
    """It may be a newer version's, whose holder lives: so it is not overrun at once, and does not hold for ever."""
    monkeypatch.setattr(claims, "lease_seconds", lambda: 1.0)
    tracker.mlflow.log_param(run_id, "tune.claim.7", '{"version": 2}')
    pulse = iter(range(100))
    monkeypatch.setattr(claims, "_pulse", lambda *_: (next(pulse),))
    with pytest.raises(StudyConflict, match="driven by somebody whose claim cannot be read"):
        claims._take(tracker.client, run_id)
    monkeypatch.setattr(claims, "_pulse", lambda *_: (0,))
    claims._take(tracker.client, run_id)
    assert claims._last_claim(tracker.mlflow.get_run(run_id))[0] == 8


@pytest.mark.parametrize(
    ("theirs", "ours", "waits"), [(9.0, 3.0, 9.0), (3.0, 9.0, 9.0), (1e300, 3.0, 600.0), (float("nan"), 3.0, 3.0)]
)
def test_of_two_leases_the_longer_counts(clock, monkeypatch, theirs, ours, waits):
    """A holder with a long lease seldom beats."""
    monkeypatch.setattr(claims, "lease_seconds", lambda: ours)
    monkeypatch.setattr(claims, "_pulse", lambda *_: 0)
    monkeypatch.setattr(claims.time, "sleep", lambda _: setattr(clock, "now", clock.now + 0.5))
    began = clock.now
    assert claims._is_dead(None, "run", replace(FAR, lease=theirs))
    assert clock.now - began == waits


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
FIELDS = st.fixed_dictionaries({name: st.just(value) | ANY_JSON for name, value in asdict(HERE).items()})


@pytest.mark.slow
@given(st.text() | ANY_JSON.map(json.dumps) | FIELDS.map(json.dumps))
def test_whatever_a_claim_says_is_told_in_one_line_and_ends_nobody_else(text):
    holder = Holder.read(text)
    assert holder.words.isprintable() and len(holder.words) < 400
    if (holder.boot, holder.namespace) != (HERE.boot, HERE.namespace):
        assert not holder.gone


@pytest.mark.parametrize("text", ["[" * 6000, '{"pid":1e999}', "[]", "1", '"x"', "null", "", "NaN"])
def test_what_describes_no_holder(text):
    assert Holder.read(text) == UNKNOWN
    assert not UNKNOWN.gone


def test_a_holder_is_read_as_it_was_written():
    assert Holder.read(HERE.to_text()) == HERE


@pytest.fixture
def ended():
    """The id of a process that has ended, and has been reaped."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def zombie():
    """The id of a process that has ended, and has not been reaped."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    yield process.pid
    process.wait()


@pytest.mark.skipif(not HERE.boot, reason="this system does not tell which boot it is in: heartbeats alone decide")
@pytest.mark.parametrize(
    ("changes", "gone"),
    [
        ({}, False),
        ({"started": HERE.started - 1}, True),  # the number is another process's now
        ({"nonce": "another", "host": "renamed", "user": "bob", "since": 0}, False),
        ({"boot": "another", "pid": "ended"}, False),
        ({"namespace": "pid:[1]", "pid": "ended"}, False),
        ({"boot": "", "namespace": "", "pid": "ended"}, False),
        ({"pid": "ended"}, True),
        ({"pid": "zombie"}, True),
        ({"pid": 1}, True),
        *(({"pid": pid}, False) for pid in (0, -1, -(10**30), 10**30)),  # no process ever had it: the claim lies
        ({"started": float("nan")}, True),
    ],
)
def test_which_holders_are_gone(changes, gone, request):
    pid = changes.get("pid")
    if isinstance(pid, str):
        changes = {**changes, "pid": request.getfixturevalue(pid)}
    assert replace(HERE, **changes).gone is gone


def test_a_clock_that_is_set_ends_nobody(monkeypatch):
    """psutil's start of a process is a time of day, and moves with the clock."""
    import psutil

    monkeypatch.setattr(psutil, "boot_time", lambda: 0.0)
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: 0.0)
    assert not HERE.gone


def test_a_process_that_may_not_be_looked_at_is_not_gone(monkeypatch):
    """/proc hides other users' processes when it is mounted with hidepid."""
    monkeypatch.setattr("mlflow_tune.tracking.holder._process", lambda _: ("", 0.0))
    assert not HERE.gone
