"""Processes that outlive the watcher of their trial, found by what stands in their environment.

Whatever a trial starts inherits its variables, however it detaches itself: a session of its own, another parent. So
what a killed watcher has left is told from every other process of this machine, also from those that the caller of a
study has started. What a process has wiped from its own environment, or what belongs to another user, is not found.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

from mlflow_tune.launchers.environment import TRIAL_VARIABLE

if TYPE_CHECKING:
    from psutil import Process

WATCHED = "MLFLOW_TUNE_WATCHED"  # by which watcher: a word of its own in the environment of all that it starts
GRACE_SECONDS = 1.5  # from SIGTERM to SIGKILL, as a watcher gives
GIVE_UP_SECONDS = 10.0


def end_watched_by(word: str) -> None:
    """End what a watcher, who is gone, has started."""
    _end(WATCHED, {word})


def end_trials(run_ids: Collection[str]) -> None:
    """End what trials with these MLflow run ids have left on this machine, whose driver and watcher are both gone."""
    if run_ids:
        _end(TRIAL_VARIABLE, run_ids)


def _end(variable: str, values: Collection[str]) -> None:
    import psutil

    began = time.monotonic()
    asked: set[int] = set()
    while found := list(_carriers(variable, values)):
        waited = time.monotonic() - began
        for process in found:
            with suppress(psutil.Error):
                if waited > GRACE_SECONDS:
                    process.kill()
                elif process.pid not in asked:
                    process.terminate()
            asked.add(process.pid)
        if waited > GIVE_UP_SECONDS:
            return
        psutil.wait_procs(found, timeout=0.2)


def _carriers(variable: str, values: Collection[str]) -> Iterator[Process]:
    """Yield the processes that a watcher has started, and whose environment holds one of these values."""
    import psutil

    for process in psutil.process_iter():
        if process.pid == os.getpid():
            continue
        with suppress(psutil.Error, OSError):  # another user's, or gone meanwhile
            environment = process.environ()
            if WATCHED in environment and environment.get(variable) in values:
                yield process
