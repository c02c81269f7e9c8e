"""The training code of a study on its way to workers elsewhere, which share nothing with the driver."""

from __future__ import annotations

import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.executors.dask import within_dask
from mlflow_tune.executors.factory import launcher_of
from mlflow_tune.executors.packing import packed, unpack
from mlflow_tune.launchers import Launcher, ProjectLauncher
from mlflow_tune.launchers.function import pickled
from mlflow_tune.provenance import git_commit
from mlflow_tune.spec.study_file import RunSpec, StudySpec
from mlflow_tune.trial import Job, Outcome

IDLE_SECONDS = 60.0  # for so long a place without trials is kept


@dataclass(frozen=True)
class Shipment:
    """Runs trials of one study wherever it is called; it is pickled for the way there.

    `run` says what a trial runs, in a folder made of `archive`, or the function `objective` (cloudpickle's bytes). On
    arrival it is unpacked once a process, and run by the launchers that run trials on the driver's machine.
    """

    run: RunSpec
    metric: str
    objective: bytes | None = field(default=None, repr=False)
    archive: bytes | None = field(default=None, repr=False)
    ident: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __call__(self, job: Job) -> Outcome:
        """Run one trial to its end."""
        with _unpacked(self) as launcher, within_dask(launcher.stop):
            return launcher(job)


def shipment_of(spec: StudySpec, objective: Callable[..., Any] | None, folder: Path, launcher: Launcher) -> Shipment:
    """Return what runs the study's trials elsewhere. A project of a git URI travels as that, at the commit seen here.

    Raises InputError, with its key, when a folder is too large or the function cannot be pickled.
    """
    run = spec.run
    if objective is not None:
        return Shipment(run, spec.metric, objective=pickled(objective))
    if run.project is None:
        return Shipment(run, spec.metric, archive=packed(folder, f"run.{run.kind}"))
    assert isinstance(launcher, ProjectLauncher)
    for name in launcher.local_paths:
        message = "the workers do not have this path: give an absolute one that they have, or a URI"
        raise InputError(message, f"run.parameters.{name}")
    if not (folder / run.project.partition("#")[0]).exists():
        pinned = {"version": git_commit(launcher.root) or run.version}
        return Shipment(run.model_copy(update=pinned), spec.metric)
    here = {"project": ".", "version": None}
    return Shipment(run.model_copy(update=here), spec.metric, archive=packed(launcher.root, "run.project"))


class _Place:
    """Where a shipment is unpacked in this process."""

    def __init__(self, shipment: Shipment) -> None:
        self.users = 0
        self.closing = threading.Timer(0, lambda: None)
        self._folder = tempfile.TemporaryDirectory(prefix="mlflow-tune-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        if shipment.archive is not None:
            unpack(shipment.archive, folder)
        self.launcher = launcher_of(shipment.run, shipment.metric, shipment.objective, folder)
        # The processes of a pool end without Python's own finalizers.
        self._at_exit = Finalize(None, self.close, exitpriority=10)

    def close(self) -> None:
        self._at_exit.cancel()
        self.launcher.close()
        self._folder.cleanup()


_places: dict[str, _Place] = {}
_lock = threading.Lock()


@contextmanager
def _unpacked(shipment: Shipment) -> Iterator[Launcher]:
    with _lock:
        place = _places.get(shipment.ident) or _places.setdefault(shipment.ident, _Place(shipment))
        place.users += 1
        place.closing.cancel()
    try:
        yield place.launcher
    finally:
        with _lock:
            place.users -= 1
            if not place.users:
                place.closing = threading.Timer(IDLE_SECONDS, _close_idle, (shipment.ident,))
                place.closing.daemon = True
                place.closing.start()


def _close_idle(ident: str) -> None:
    with _lock:
        place = _places.get(ident)
        if place is None or place.users:  # another timer was faster, or somebody came just then
            return
        del _places[ident]
    place.close()
