"""The server that `mlflow-tune ui` runs on a local store: noted in a file of the user's, for other commands to find.

A note is no more than a hint: what it leads to must answer with the very run that is asked for.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator

from mlflow_tune.tracking.holder import maker_gone, maker_here
from mlflow_tune.tracking.user_files import open_user_file, user_file

LOOPBACK = "127.0.0.1"
WAIT = 5.0  # seconds for an answer: the server is on this machine


@contextlib.contextmanager
def noted(uri: str, port: int) -> Iterator[None]:
    """Note for the time of the context that this process serves the store under this URI on this port.

    Where that cannot be written, other commands do without.
    """
    note = json.dumps({"uri": uri, "port": port, "maker": maker_here()})
    with contextlib.suppress(OSError, RuntimeError):
        _write(uri, note)
    try:
        yield
    finally:
        with contextlib.suppress(OSError, RuntimeError):
            if _read(uri) == note:  # another process may serve the store by now
                user_file("servers", _name(uri)).unlink()


def served(uri: str, run_id: str) -> str:
    """Return the URL of the server that `mlflow-tune ui` runs on this store, "" where none answers that has the run."""
    try:
        note = json.loads(_read(uri))
        base = f"http://{LOOPBACK}:{int(note['port'])}"
        known = note["uri"] == uri and not maker_gone(note["maker"])
    except (OSError, RuntimeError, ValueError, TypeError, KeyError, RecursionError):
        return ""
    return base if known and _has(base, run_id) else ""


def _has(base: str, run_id: str) -> bool:
    """Whether an MLflow server answers there that has the run: another store's has not."""
    import requests

    with contextlib.suppress(OSError, ValueError, TypeError, KeyError), requests.Session() as session:
        session.trust_env = False  # no proxy stands before this machine
        asked = f"{base}/api/2.0/mlflow/runs/get"
        answer = session.get(asked, params={"run_id": run_id}, timeout=WAIT, allow_redirects=False)
        return bool(answer.json()["run"]["info"]["run_id"] == run_id)
    return False


def _name(uri: str) -> str:
    return f"{hashlib.sha256(uri.encode()).hexdigest()[:32]}.json"


def _read(uri: str) -> str:
    with os.fdopen(open_user_file(user_file("servers", _name(uri)), os.O_RDONLY), encoding="utf-8") as file:
        return file.read()


def _write(uri: str, note: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with os.fdopen(open_user_file(user_file("servers", _name(uri)), flags), "w", encoding="utf-8") as file:
        file.write(note)
