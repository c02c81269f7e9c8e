"""Tracking URIs: what is wrong with one that is misspelt, which local store is meant, and what others lie near."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from urllib.parse import urlsplit

from mlflow_tune.errors import InputError
from mlflow_tune.text.reading import nearest
from mlflow_tune.text.redaction import without_credentials
from mlflow_tune.tracking.local_store import SQLITE

SERVERS = ("http", "https")
DATABASES = ("sqlite", "mysql", "postgresql", "mssql")
OTHERS = ("file", "databricks", "databricks-uc", "uc")
STORE = "mlflow.db"  # the file that MLflow makes where nobody names a store
_SERVER = re.compile(r"(https?)(?::/?|/+)(?=[^/])", re.IGNORECASE)
_HOST = re.compile(r"(localhost|[\w-]+(\.[\w-]+)+):\d{1,5}(/|$)")


def check_address(uri: str) -> None:
    """Raise InputError, with the address that is probably meant, for a tracking URI of a kind that nothing reads."""
    if (wrong := _wrong(uri)) is not None:
        raise InputError(f"the tracking URI {without_credentials(uri)!r} {without_credentials(wrong)}")


def _wrong(uri: str) -> str | None:
    scheme, separator, rest = uri.partition("://")
    kind = scheme.partition("+")[0].lower()
    if (match := _SERVER.match(uri)) and kind not in SERVERS:
        return f"is no address: did you mean {match[1].lower()}://{uri[match.end() :]}?"
    if not separator and _HOST.match(uri):
        return f"does not begin with http:// or https://: did you mean http://{uri}?"
    if kind == "sqlite" and not rest.startswith("/"):
        return f"names no file: three slashes lead to one, as in {SQLITE}{rest or STORE}"
    if not separator and uri.endswith(".db"):
        return f"is a path: did you mean {SQLITE}{uri}?"
    known = (*SERVERS, *DATABASES, *OTHERS, *(each.name for each in entry_points(group="mlflow.tracking_store")))
    if not separator or kind in known:
        return _without_host(kind, rest)
    guess = nearest(kind, known)
    hint = f"did you mean {guess}://{rest}?" if guess else f"known are {', '.join((*SERVERS, *DATABASES))}"
    return f"begins with {scheme}://, which MLflow does not know: {hint}"


def _without_host(kind: str, rest: str) -> str | None:
    return "names no host, as http://localhost:5000 does" if kind in SERVERS and not rest.strip("/") else None


def absolute(uri: str) -> str:
    """Return the URI of a local SQLite store with the whole path, any other as it is."""
    if uri.startswith(SQLITE) and not uri.startswith(f"{SQLITE}/") and uri != f"{SQLITE}:memory:":
        return f"{SQLITE}{Path(uri.removeprefix(SQLITE)).resolve()}"
    return uri


def local_file(uri: str) -> Path | None:
    """Return the file of a local SQLite store, None for any other store; `uri` is absolute."""
    return Path(uri.removeprefix(SQLITE)) if uri.startswith(f"{SQLITE}/") else None


def is_local(uri: str) -> bool:
    """Whether nobody on another machine reads the store under this URI: a file, on SQLite or without."""
    return not urlsplit(uri).scheme or uri.startswith(("sqlite:", "file:"))


def nearby(uri: str) -> list[str]:
    """Return other stores that may be meant: that of the environment, and local ones here and in the folders above."""
    meant = os.environ.get("MLFLOW_TRACKING_URI", "")
    here = Path.cwd()
    files = (folder / STORE for folder in (here, *here.parents))
    found = [absolute(meant)] if meant else []
    found += [f"{SQLITE}{file}" for file in files if _is_file(file)]
    return list(_apart(uri, found))


def near_words(uri: str) -> str:
    """Return in words, to stand behind a sentence, which other stores may be meant; empty where none is near."""
    found = nearby(uri)
    return f"; also near: {', '.join(f'--tracking-uri {each}' for each in found)}" if found else ""


def _apart(uri: str, found: list[str]) -> Iterator[str]:
    yield from (without_credentials(each) for each in dict.fromkeys(found) if each != uri)


def _is_file(file: Path) -> bool:
    try:
        return file.is_file()
    except OSError:  # a folder above that may not be looked into
        return False
