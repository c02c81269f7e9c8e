"""Files and images of a run."""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_tune.errors import InputError, TrackingError, TuneError
from mlflow_tune.tracking.address import is_local
from mlflow_tune.tracking.client import Client, first_line

# MLflow names an image's file `<key>%step%<number>%timestamp%...`, with `+` for `%` where that is not allowed.
_STEP = re.compile(r"[%+]step[%+](\d+)[%+]")
_STAMP = re.compile(r"[%+]timestamp[%+]\d+[%+][0-9a-f-]{36}")
_PROGRESS_BAR = "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"


@dataclass(frozen=True)
class Entry:
    """A file of a run, or a folder; `size` is in bytes, None for a folder and where the store does not tell it."""

    path: str
    size: int | None = None
    is_folder: bool = False


def shown_name(path: str) -> str:
    """Return an artifact's path without what differs from run to run by itself: `images/map+step+3.png`.

    That is the time and the random id in the names that `mlflow.log_image` makes of a key and a step.
    """
    return _STAMP.sub("", path)


def is_artifact_path(path: str) -> bool:
    """Return whether this is a path within a run's artifacts: relative, plain names between slashes, no `..`."""
    return all(_is_plain(name) for name in path.split("/"))


def _is_plain(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & {"\\", "\0"}


@dataclass(frozen=True)
class Artifacts:
    """The artifacts of one run. When writing, whatever an artifact store raises passes through."""

    client: Client
    run_id: str

    def folder(self) -> Path | None:
        """Return the folder of this machine that they lie in, None where a server has them or another machine."""
        from mlflow.utils.file_utils import local_file_uri_to_path

        uri = self.client.send("get_run", self.run_id).info.artifact_uri
        return folder if is_local(uri) and (folder := Path(local_file_uri_to_path(uri))).is_dir() else None

    def log_text(self, name: str, text: str) -> None:
        """Log a text as a file."""
        self.log_bytes(name, text.encode("utf-8"))

    def log_table(self, name: str, columns: Mapping[str, Sequence[Any]]) -> None:
        """Log columns of equal length as what MLflow shows by "View as table", in place of what was there.

        MLflow's own `log_table` would append to it.
        """
        rows = [list(row) for row in zip(*columns.values(), strict=True)]
        self.log_text(name, json.dumps({"columns": list(columns), "data": rows}))
        self.client.send(
            "set_tag", self.run_id, "mlflow.loggedArtifacts", json.dumps([{"path": name, "type": "table"}])
        )

    def log_bytes(self, name: str, content: bytes) -> None:
        """Log bytes as a file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            self.client.send("log_artifact", self.run_id, str(path))

    def log_folder(self, folder: Path) -> None:
        """Log all that a folder holds."""
        self.client.send("log_artifacts", self.run_id, str(folder))

    def log_image(self, key: str, step: int, image: Any) -> None:
        """Log an image (height, width, 3) at a step: the run page shows a card with a slider for each key."""
        self.client.send("log_image", self.run_id, image, key=key, step=step, synchronous=True)

    def image_steps(self, key: str) -> set[int]:
        """Return the steps at which there is an image."""
        files = self.client.send("list_artifacts", self.run_id, "images")
        found = (_STEP.search(file.path) for file in files if Path(file.path).name.startswith(key))
        return {int(match[1]) for match in found if match}

    def entries(self, folder: str = "") -> list[Entry]:
        """Return what a folder of the run holds, by path; nothing when there is no such folder.

        What a store lists that is no child of the folder is left out. Raises TrackingError.
        """
        inside = f"{folder}/" if folder else ""
        with self._in_words(f"the artifacts of the run {self.run_id} cannot be listed"):
            found = self.client.send("list_artifacts", self.run_id, folder or None)
        listed = [Entry(each.path, None if each.is_dir else each.file_size, bool(each.is_dir)) for each in found]
        return [entry for entry in listed if _is_child(entry.path, inside)]

    def files(self, most: int) -> tuple[list[Entry], bool]:
        """Return at most so many files, those of the upper folders first, and whether these are all.

        No more folders than files are looked into, as each is a request. Raises TrackingError.
        """
        found: list[Entry] = []
        folders = deque([""])
        looked_into = 0
        while folders and looked_into <= most and len(found) <= most:
            entries = self.entries(folders.popleft())
            found += [entry for entry in entries if not entry.is_folder]
            folders.extend(entry.path for entry in entries if entry.is_folder)
            looked_into += 1
        return found[:most], not folders and len(found) <= most

    def find(self, path: str) -> Entry | None:
        """Return the file or folder of this path or of this shown name, the newest of several; None for none.

        Raises InputError for a path that leads out of the run's artifacts, and TrackingError.
        """
        self._refuse_ways_out(path)
        siblings = self.entries(path.rpartition("/")[0])
        named = [entry for entry in siblings if shown_name(entry.path) == shown_name(path)]
        return next((entry for entry in named if entry.path == path), named[-1] if named else None)

    def download(self, path: str, folder: Path) -> Path:
        """Download one file into `folder`, which the caller has made for this; return where it lies.

        It is tried once. Raises InputError for a path that leads out of the run's artifacts, and TrackingError.
        """
        self._refuse_ways_out(path)
        with self._in_words(f"the artifact {path!r} of the run {self.run_id} cannot be downloaded"), _quietly():
            local = Path(self.client.once("download_artifacts", self.run_id, path, str(folder)))
        if not local.is_file() or not local.resolve().is_relative_to(folder.resolve()):
            raise TrackingError(f"the artifact {path!r} of the run {self.run_id} is no file")
        return local

    def _refuse_ways_out(self, path: str) -> None:
        if not is_artifact_path(path):
            raise InputError(f"an artifact's path must be relative and without '..', but got {path!r}")

    @contextlib.contextmanager
    def _in_words(self, failed: str) -> Iterator[None]:
        # An artifact store raises what its own library raises: of requests, of boto3, or that there is no such library.
        try:
            yield
        except TuneError as error:
            # Whatever keeps a download from succeeding, MLflow says only that the path may be wrong.
            gone = getattr(error.__cause__, "error_code", "") == "RESOURCE_DOES_NOT_EXIST"
            raise type(error)(f"{failed}: {'the artifact store does not hand it out' if gone else error}") from error
        except Exception as error:
            raise TrackingError(f"{failed}: {first_line(error)}") from error


def _is_child(path: str, inside: str) -> bool:
    return path.startswith(inside) and _is_plain(path[len(inside) :]) and "/" not in path[len(inside) :]


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep MLflow's progress bar away, which it draws for every file."""
    before = os.environ.get(_PROGRESS_BAR)
    os.environ[_PROGRESS_BAR] = "false"
    try:
        yield
    finally:
        os.environ.pop(_PROGRESS_BAR) if before is None else os.environ.__setitem__(_PROGRESS_BAR, before)
