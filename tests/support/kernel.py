"""A real ipykernel, as JupyterLab starts one: cells are run in it by nbclient, and it can be interrupted."""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

SECONDS = 240


class Kernel:
    """Runs cells, one after the other, in one kernel; `notebook` has those that it ran, or is to run."""

    def __init__(self, folder: Path, notebook: Any = None) -> None:
        self.notebook = notebook or nbformat.v4.new_notebook()
        resources = {"metadata": {"path": str(folder)}}
        self.client = NotebookClient(self.notebook, timeout=SECONDS, kernel_name="python3", resources=resources)
        self._loop = asyncio.new_event_loop()  # of our own: nbclient's would be left open, which is a warning
        self._thread = threading.Thread(target=self._loop.run_forever)

    def run(self, source: str, meanwhile: Callable[[Any], None] = lambda _: None) -> Any:
        """Run a cell to its end and return it, with its outputs; `meanwhile` is called with it while it runs."""
        self.notebook.cells.append(cell := nbformat.v4.new_code_cell(source))
        running = asyncio.run_coroutine_threadsafe(self._execute(cell), self._loop)
        meanwhile(cell)
        running.result(SECONDS)
        return cell

    def run_all(self) -> None:
        """Run the notebook; a cell that raises is an error."""
        for index, cell in enumerate(self.notebook.cells):
            self._wait(self.client.async_execute_cell(cell, index))

    def interrupt(self) -> None:
        """Do what the button does."""
        self._wait(self.client.km.interrupt_kernel())

    async def _execute(self, cell: Any) -> None:
        try:
            await self.client.async_execute_cell(cell, len(self.notebook.cells) - 1)
        except CellExecutionError:
            return  # it stands among the outputs

    def _wait(self, running: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(running, self._loop).result(SECONDS)

    async def _serve(self, ready: threading.Event, over: asyncio.Event) -> None:
        async with self.client.async_setup_kernel():
            ready.set()
            await over.wait()

    def __enter__(self) -> Kernel:
        self._thread.start()
        ready = threading.Event()
        self._over = asyncio.Event()
        self._served = asyncio.run_coroutine_threadsafe(self._serve(ready, self._over), self._loop)
        while not ready.wait(0.05):
            if self._served.done():
                self._served.result()  # it raises
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._over.set)
        self._served.result(SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def shown(cell: Any) -> str:
    """Return the text of all that the cell shows, HTML without its tags."""
    parts = []
    for output in cell.outputs:
        data = output.get("data", {})
        html = re.sub(r"<[^>]*>", " ", data.get("text/html", ""))
        parts += [output.get("text", ""), html or data.get("text/plain", ""), output.get("ename", "")]
    return " ".join(" ".join(parts).split())


def until_shown(cell: Any, words: str) -> None:
    """Wait until the cell shows these words."""
    deadline = time.monotonic() + SECONDS
    while words not in shown(cell):
        assert time.monotonic() < deadline, f"the cell shows {shown(cell)!r}"
        time.sleep(0.02)
