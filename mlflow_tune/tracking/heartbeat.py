"""The heartbeat of a study: a tag of the parent run that changes as long as somebody drives it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mlflow_tune.errors import TrackingError
from mlflow_tune.tracking.client import Client
from mlflow_tune.tracking.records import now
from mlflow_tune.tracking.studies import Studies

INTERVAL = 3.0
LEASE = 20.0


@contextmanager
def beating(client: Client, run_id: str) -> Iterator[None]:
    """Let the study's heart beat while the context is open, whatever this thread does meanwhile."""
    over = threading.Event()
    thread = threading.Thread(target=_beat, args=(client, run_id, over), name="mlflow-tune-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_driven(studies: Studies, run_id: str, lease: float = LEASE) -> bool:
    """Whether somebody drives the study: it is running, and its heartbeat changes within `lease` seconds.

    Only our own clock is asked, for another machine's may differ. A driver that lives is noticed within seconds.
    """
    first = studies.get(run_id)
    deadline = time.monotonic() + lease
    while first.state == "running" and time.monotonic() < deadline:
        time.sleep(0.3)
        seen = studies.get(run_id)
        if seen.state != "running" or seen.heartbeat != first.heartbeat:
            return seen.state == "running"
    return False


def _beat(client: Client, run_id: str, over: threading.Event) -> None:
    while True:
        with suppress(TrackingError):  # the next beat comes soon
            client.once("set_tag", run_id, "tune.heartbeat", str(now()))
        if over.wait(INTERVAL):
            return
