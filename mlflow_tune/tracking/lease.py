"""One driver a study: a write-once param of the parent run says who, a heartbeat that it lives.

MLflow refuses another value for a param that is set, and that is its only compare-and-set: whoever writes
`tune.claim.<N>` first holds the study, until it lets go of it or dies; the next one writes N + 1. A holder on this very
machine that is gone is succeeded at once, any other when its heartbeat stood still for a whole lease on our own clock.

The param is a nonce, for MLflow's pages print a run's params above its pictures. Who that is stands in the tag
`tune.holder.<nonce>`, written before the param: no claim is seen without its holder, and who loses has touched no
other's tag. In studies of earlier versions the param describes the holder itself.

MLflow does not keep late writers out. So a driver whose own lease has lapsed (it was suspended, or the server was away)
reads the claim again before each write, until a lease has passed in peace: at most one request in flight lands late.
Of two drivers with different leases the longer counts. A lease begins before the request that renews it is sent, since
this process may be suspended in the middle.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mlflow_tune.errors import StudyConflict, TrackingError
from mlflow_tune.settings import lease_seconds
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.holder import Holder
from mlflow_tune.tracking.records import now

logger = logging.getLogger(__name__)
CLAIM_PREFIX = "tune.claim."
HOLDER_PREFIX = "tune.holder."
RELEASED = "tune.released"
HEARTBEAT = "tune.heartbeat"
BEATS = 6  # a lease
LONGEST = 600.0  # seconds of another driver's lease that are heeded
PARTING = 10.0  # seconds within which a server is to answer the last heartbeat and the release
_CLAIM = re.compile(re.escape(CLAIM_PREFIX) + "([1-9][0-9]*)")


class Claim:
    """The right to drive a study. `check` stands before each write of its holder's connection."""

    def __init__(self, client: Client, run_id: str, number: int, since: float) -> None:
        self.first = number == 1  # nobody has held the study before
        self._client = client
        self._run_id = run_id
        self._number = number
        self._lease = lease_seconds()
        self._peaceful_until = since + self._lease
        self._suspect_until = 0.0
        self._lost = ""
        self._process = os.getpid()

    def check(self) -> None:
        """Raise StudyConflict when another driver holds the study now, or in a process that was forked from it."""
        if os.getpid() != self._process:
            raise StudyConflict(f"the process {self._process} drives this study, and this one was forked from it")
        if not self._lost:
            moment = _clock()
            if moment >= self._peaceful_until:
                self._suspect_until = moment + self._lease
            if moment < self._suspect_until:
                self._read_again()
        if self._lost:
            raise StudyConflict(f"{self._lost} has taken this study over, so this driver has stopped")

    def beat(self) -> None:
        """Show that the holder lives. Raises StudyConflict, and TrackingError when no answer comes at once."""
        moment = _clock()
        self.check()
        self._client.once("set_tag", self._run_id, HEARTBEAT, str(now()))
        self._peaceful_until = moment + self._lease

    def _read_again(self) -> None:
        # It renews nothing: only a heartbeat shows others that this driver lives.
        number, holder, _ = _last_claim(self._client.send("get_run", self._run_id))
        if number != self._number:
            self._lost = holder.words if holder else "somebody"

    def release(self) -> None:
        """Let go of the study, unless it is lost already."""
        if not self._lost:
            self._client.once("set_tag", self._run_id, RELEASED, str(self._number))


@contextmanager
def claimed(client: Client, run_id: str, fresh: bool = False) -> Iterator[Claim]:
    """Hold the study while the context is open, and let its heart beat, whatever this thread does meanwhile.

    A `fresh` study was just made by this process, so that most likely nobody has claimed it yet. The study is let go of
    at the end, for which a server that hangs is waited for `PARTING` seconds. Raises StudyConflict when somebody else
    drives it.
    """
    claim = _take(client, run_id, fresh)
    over = threading.Event()
    thread = threading.Thread(target=_live, args=(claim, over), name="mlflow-tune-heartbeat", daemon=True)
    thread.start()
    client.guard = claim.check
    try:
        yield claim
    finally:
        client.guard = None
        over.set()
        # A server that hangs keeps a request for two minutes. What arrives later than this harms nobody: a heartbeat
        # lets a successor seem alive for one lease more, a release names our own claim, and whoever finds this
        # process dead needs neither.
        thread.join(PARTING)


def is_driven(client: Client, run_id: str) -> bool:
    """Whether somebody drives the study. It takes a lease to tell that a driver on another machine is dead."""
    _, holder, released = _last_claim(client.send("get_run", run_id))
    return holder is not None and not released and not _is_dead(client, run_id, holder)


def is_held(client: Client, run_id: str) -> bool:
    """Whether somebody holds the study who is not known to be dead: told at once, without a look at the heartbeat."""
    _, holder, released = _last_claim(client.send("get_run", run_id))
    return holder is not None and not released and not holder.gone


def _take(client: Client, run_id: str, fresh: bool = False) -> Claim:
    """Write the next claim. Raises StudyConflict when the last one is held, or another process was faster."""
    from mlflow.entities import Param, RunTag

    number, holder, released = (0, None, True) if fresh else _last_claim(client.send("get_run", run_id))
    if holder is not None and not released:
        if not _is_dead(client, run_id, holder):
            number, holder, released = _last_claim(client.send("get_run", run_id))  # it may have let go meanwhile
            if holder is not None and not released:
                raise _conflict(run_id, holder)
        else:
            logger.warning("taking the study over from %s: it is dead", holder.words)
    ours = Holder.here(now(), lease_seconds())
    client.send("set_tag", run_id, f"{HOLDER_PREFIX}{ours.nonce}", ours.to_text())
    moment = _clock()
    try:
        # MLflow writes the params first, and no tag when it refuses one of them.
        claim, beat = Param(f"{CLAIM_PREFIX}{number + 1}", ours.nonce), RunTag(HEARTBEAT, str(now()))
        client.send("log_batch", run_id, params=[claim], tags=[beat])
    except TrackingError as error:
        number_now, winner, _ = _last_claim(client.send("get_run", run_id))
        if number_now == number or winner is None:
            raise error
        if winner.nonce == ours.nonce:  # the claim arrived, and its answer was lost
            return Claim(client, run_id, number + 1, moment)
        if fresh:  # somebody who adopts runs, say, and may have let go of it again
            return _take(client, run_id)
        raise _conflict(run_id, winner) from None
    return Claim(client, run_id, number + 1, moment)


def _conflict(run_id: str, holder: Holder) -> StudyConflict:
    return StudyConflict(
        f"this study is driven by {holder.words}: see it by `mlflow-tune watch {run_id}`, end it by "
        f"`mlflow-tune stop {run_id}`; a dead driver is succeeded {_patience(holder):g} s after its last heartbeat"
    )


def _last_claim(run: Any) -> tuple[int, Holder | None, bool]:
    """Return the number of the last claim, 0 for none, who holds it, and whether it was let go of."""
    params: Mapping[str, str] = run.data.params
    last = max((int(found[1]) for key in params if (found := _CLAIM.fullmatch(key))), default=0)
    if last == 0:
        return 0, None, True
    claim = params[f"{CLAIM_PREFIX}{last}"]
    holder = Holder.read(run.data.tags.get(f"{HOLDER_PREFIX}{claim}", claim))
    return last, holder, run.data.tags.get(RELEASED) == str(last)


def _is_dead(client: Client, run_id: str, holder: Holder) -> bool:
    """Whether the holder is gone from this machine, or its heartbeat stands still for a whole lease on our clock."""
    if holder.gone:
        return True
    lease = _patience(holder)
    first = _pulse(client, run_id)
    deadline = _clock() + lease
    told = False
    while _clock() < deadline:
        time.sleep(0.3)
        if _pulse(client, run_id) != first:
            return False
        if not told and deadline - _clock() < lease - 2 * lease / BEATS:
            logger.warning("waiting up to %.0f s to see whether %s is alive", lease, holder.words)
            told = True
    return True


def _patience(holder: Holder) -> float:
    """Return for how many seconds this holder's heartbeat must stand still: it beats as its own lease asks for."""
    return max(lease_seconds(), min(holder.lease, LONGEST))


def _pulse(client: Client, run_id: str) -> tuple[Any, ...]:
    run = client.send("get_run", run_id)
    return run.data.tags.get(HEARTBEAT), _last_claim(run)


def _live(claim: Claim, over: threading.Event) -> None:
    """Let the heart beat until it is over, then release: in one thread, so that no heartbeat follows the release."""
    _keep_beating(claim, over)
    try:
        with _nothing_imported():
            claim.release()
    except Exception as error:  # whatever it is, a thread that raises would only show a traceback
        logger.debug("not released: %s", error)


def _keep_beating(claim: Claim, over: threading.Event) -> None:
    while not over.wait(lease_seconds() / BEATS):  # the first one came with the claim
        try:
            with _nothing_imported():
                claim.beat()
        except StudyConflict:
            return
        except Exception as error:  # whatever it is, the next beat comes soon
            logger.debug("no heartbeat: %s", error)


class _NothingNew:
    """A finder that ends the search for a module in these threads, before any other finder is asked.

    With each request MLflow tries to import what Databricks has (dbruntime, pyspark, IPython), and searches the import
    path in vain. Done while training code calls `mlflow.autolog()` in another thread, that ends in a deadlock: the one
    holds Python's import lock and waits for the lock of MLflow's import hooks, the other holds these and imports.
    """

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        if threading.get_ident() in self.threads:
            raise ModuleNotFoundError(f"this thread does not import {name}: another one may be importing", name=name)


_nothing_new = _NothingNew()


@contextmanager
def _nothing_imported() -> Iterator[None]:
    """Let this thread import what is loaded already, and find nothing else."""
    # MLflow puts its own finder first when the first hook is registered. Ours is not taken out again:
    # that would make an import of another thread leave one finder out.
    if sys.meta_path[0] is not _nothing_new:
        sys.meta_path.insert(0, _nothing_new)
    _nothing_new.threads.add(threading.get_ident())
    try:
        yield
    finally:
        _nothing_new.threads.discard(threading.get_ident())


def _clock() -> float:
    """Return seconds that go on while the machine sleeps."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
