"""A real `mlflow server` that a test can stop and start again: the same store, the same port."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.server import SERVER_ENVIRONMENT, START_SECONDS, copy_store, end_tree, free_port


@dataclass
class RealServer:
    """Runs while the context is open, unless it is stopped. `options` are the server's own, `more` its environment."""

    template: Path
    folder: Path
    options: list[str] = field(default_factory=list)
    more: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def store(self) -> str:
        """The store behind the server, which can be read while it is away."""
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", "127.0.0.1"]
        command += ["--port", str(self.port), "--backend-store-uri", self.store, *self.options]
        environment = {**os.environ, **SERVER_ENVIRONMENT, **self.more}
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "server.log").read_text(errors="replace")
                raise RuntimeError(f"the MLflow server did not start: {log[-3000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill the server and all its processes at once."""
        if self._process is not None:
            end_tree(self._process)
            self._process = None

    def _answers(self) -> bool:
        with contextlib.suppress(urllib.error.HTTPError, OSError):
            urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
            return True
        return False

    def __enter__(self) -> RealServer:
        self.folder.mkdir(parents=True, exist_ok=True)
        copy_store(self.template, self.folder)
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
