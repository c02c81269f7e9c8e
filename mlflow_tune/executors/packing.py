"""Folders as bytes, for workers that share no file system with the driver."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlflow_tune.errors import InputError
from mlflow_tune.text.sizes import size_words

LIMIT = 8 * 2**20  # bytes, packed: they travel with each trial
MOST = 10 * LIMIT  # bytes before that: more is not even tried
_LEFT_OUT = {"__pycache__", "mlruns", "mlartifacts", "node_modules"}
_STORES = (".db", ".db-wal", ".db-shm", ".db-journal", ".pyc")


def packed(folder: Path, key: str) -> bytes:
    """Return the folder's files as a compressed archive, without what git ignores, hidden files, stores and runs.

    What lies behind links to folders, and submodules, stay out too. Raises InputError, with this key, when that takes
    more than `LIMIT` bytes.
    """
    files = {path: folder / path for path in sorted(_files(folder))}
    if sum(path.stat().st_size for path in files.values()) > MOST:
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
        opened.extractall(folder, filter="data")


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files to pack, relative to the folder."""
    # A repository around the folder that ignores it lists nothing.
    found = _known_to_git(folder) or (path.relative_to(folder) for path in _walk(folder))
    return (path for path in found if _is_wanted(path) and (folder / path).is_file())


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
