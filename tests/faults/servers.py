"""A real MLflow server that a test can stop and start again: the same store, the same port."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.server import Server, copy_store


class RealServer(Server):
    """Runs on a copy of the template while the context is open, unless it is stopped."""

    def __init__(
        self, template: Path, folder: Path, options: Sequence[str] = (), more: Mapping[str, str] | None = None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        copy_store(template, folder)
        super().__init__(folder, options, more or {})
