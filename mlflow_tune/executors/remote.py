"""The training code of a study on its way to workers elsewhere, which share neither files nor memory with the driver.

It travels as bytes: a pickled function, or the packed files of a folder.
"""

from __future__ import annotations

import io
import logging
import subprocess
import tarfile
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.executors.dask import within_dask
from mlflow_tune.executors.factory import launcher_of
from mlflow_tune.executors.slots import devices_here
from mlflow_tune.launchers import Launcher, ProjectLauncher
from mlflow_tune.launchers.function import pickled
from mlflow_tune.provenance import git_commit
from mlflow_tune.spec.run import RunSpec
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.text import escaped, some_of
from mlflow_tune.text.sizes import size_words
from mlflow_tune.trial import Job, Outcome

logger = logging.getLogger(__name__)
IDLE_SECONDS = 60.0  # for so long a place without trials is kept
LIMIT = 8 * 2**20  # bytes, packed: they travel with each trial
MOST_LISTED = 10
MOST_UNPACKED = 10 * LIMIT  # bytes before that: more is not even tried
_LEFT_OUT = {"__pycache__", "mlruns", "mlartifacts", "node_modules"}
_STORES = (".db", ".db-wal", ".db-shm", ".db-journal", ".pyc")


@dataclass(frozen=True)
class Shipment:
    """Runs trials of one study wherever it is called; it is pickled for the way there.

    `run` says what a trial runs, in a folder made of `archive`, or the function `objective` (cloudpickle's bytes). On
    arrival it is unpacked once a process, and run by the launchers that run trials on the driver's machine. With a
    `share` each trial is given so many of the worker's own devices.
    """

    run: RunSpec
    metric: str
    objective: bytes | None = field(default=None, repr=False)
    archive: bytes | None = field(default=None, repr=False)
    ident: str = field(default_factory=lambda: uuid.uuid4().hex)
    share: float | None = None

    def __call__(self, job: Job) -> Outcome:
        """Run one trial to its end."""
        with _unpacked(self) as launcher, within_dask(partial(launcher.prune, job.run_id, 0)):
            if self.share is None:
                return launcher(job)
            with devices_here(self.share) as devices:
                return replace(launcher(replace(job, devices=devices)), devices=devices)


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


def packed(folder: Path, key: str) -> bytes:
    """Return the folder's files as a compressed archive, without what git ignores, hidden files, stores and runs.

    What lies behind links to folders or out of the folder, and submodules, stay out too; of the former a warning tells.
    Raises InputError, with this key, when that takes more than `LIMIT` bytes.
    """
    files = {path: folder / path for path in sorted(_files_to_pack(folder))}
    if sum(path.stat().st_size for path in files.values()) > MOST_UNPACKED:
        raise InputError(_too_large(folder, files.values()), key)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", dereference=True) as archive:
        for name, path in files.items():
            archive.add(path, arcname=str(name), recursive=False)
    if buffer.tell() > LIMIT:
        raise InputError(_too_large(folder, files.values()), key)
    return buffer.getvalue()


def unpack(archive: bytes, folder: Path) -> None:
    """Write the files of an archive below the folder."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        # Python up to 3.10.11, and 3.11 up to 3.11.3, have no filters, and extractall() no such argument.
        opened.extraction_filter = getattr(tarfile, "data_filter", None)
        opened.extractall(folder)  # noqa: S202 - the filter stands above


def _files_to_pack(folder: Path) -> Iterator[Path]:
    """Yield the files to pack, relative to the folder."""
    # A repository around the folder that ignores it lists nothing.
    found = _known_to_git(folder) or (path.relative_to(folder) for path in _walk(folder))
    wanted = [path for path in found if _is_wanted(path) and (folder / path).is_file()]
    outside = [path for path in wanted if not (folder / path).resolve().is_relative_to(folder.resolve())]
    if outside:
        listed = some_of([escaped(str(path)) for path in outside], MOST_LISTED)
        logger.warning("not sent to the workers, for they are links that lead out of %s: %s", folder, listed)
    return (path for path in wanted if path not in outside)


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if not path.is_dir():
            yield path
        elif _is_wanted(Path(path.name)) and not path.is_symlink() and not (path / "pyvenv.cfg").exists():
            yield from _walk(path)


def _is_wanted(path: Path) -> bool:
    hidden = any(part.startswith(".") or part in _LEFT_OUT for part in path.parts)
    return not hidden and not path.name.endswith(_STORES)


def _known_to_git(folder: Path) -> list[Path]:
    """Return the files that git tracks or would offer to track, none outside of a repository."""
    command = ["git", "-C", str(folder), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return []
    return [Path(name) for name in listed.decode(errors="surrogateescape").split("\0") if name]


def _too_large(folder: Path, files: Iterable[Path]) -> str:
    sizes = sorted(((path.stat().st_size, path) for path in files), reverse=True)
    largest = ", ".join(f"{path.relative_to(folder)} ({size_words(size)})" for size, path in sizes[:3])
    return (
        f"{folder} is sent to the workers, and more than {size_words(LIMIT)} is too much; the largest files are "
        f"{largest}: keep data elsewhere, add it to .gitignore, or name the project by its git URI"
    )


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
