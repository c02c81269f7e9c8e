"""The connection to a tracking server: which one, how requests are sent, what their failures mean.

MLflow's own client repeats every request up to seven times without a word, also those that create a run. Here its
repeats are off: a request is sent again by `Client.send`, which says what it waits for, never waits longer than
a few seconds at a time, and gives up after `patience`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mlflow_tune.errors import AccessRefused, InputError, TrackingError
from mlflow_tune.settings import patience_seconds

logger = logging.getLogger(__name__)

ARTIFACT_PATIENCE = 30.0  # an artifact store may be broken for good, and a study can do without
LONGEST_WAIT = 5.0
_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
_TRANSIENT = {"TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED", "DEADLINE_EXCEEDED", "ABORTED"}
_REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED"}
_SQLITE = "sqlite:///"
_READS = ("get_", "search_", "list_", "download_")
_ARTIFACTS = ("log_artifact", "log_artifacts", "log_image", "list_artifacts")


class Client:
    """A tracking store, by its URI; the default is MLflow's own (MLFLOW_TRACKING_URI, else ./mlflow.db).

    A local SQLite store that does not exist is made. What stands as `guard` is called before each writing request, and
    may raise to hold it back. A server that is away is waited for, `patience` seconds (MLFLOW_TUNE_PATIENCE). Raises
    InputError for a URI that MLflow cannot use and TrackingError when the server does not answer.
    """

    def __init__(self, uri: str | None = None, patience: float | None = None) -> None:
        from mlflow import MlflowClient, get_tracking_uri

        self.uri = _absolute(uri or get_tracking_uri())
        self.patience = patience_seconds() if patience is None else patience
        self.guard: Callable[[], None] | None = None
        self.abandoned = threading.Event()
        _probe(self.uri)
        _make_sqlite_store(self.uri)
        try:
            self._client = MlflowClient(self.uri)
        except Exception as error:  # a database raises its own kinds
            raise InputError(
                f"MLflow cannot use the tracking URI {public_uri(self.uri)}: {first_line(error)}"
            ) from None

    def send(self, method: str, *args: Any, again: Callable[[Any], Any] | None = None, **options: Any) -> Any:
        """Return the answer of this method of MlflowClient, called until its request arrives.

        `again`, where given, looks for the effect of an earlier sending whose answer was lost; what it finds is the
        answer. Raises AccessRefused or TrackingError.
        """
        sent = False
        patience = min(self.patience, ARTIFACT_PATIENCE) if method in _ARTIFACTS else self.patience

        def attempt() -> Any:
            nonlocal sent
            with _settings():
                found = again(self._client) if sent and again else None
                if self.guard is not None and not method.startswith(_READS):
                    self.guard()
                sent = True
                return getattr(self._client, method)(*args, **options) if found is None else found

        try:
            return self._retrying(patience)(attempt)
        except Exception as error:
            raise self._translated(error, patience) from error

    def once(self, method: str, *args: Any) -> Any:
        """Return the answer of this method of MlflowClient; a request that fails is not sent again."""
        try:
            with _settings():
                return getattr(self._client, method)(*args)
        except Exception as error:
            raise self._translated(error, 0.0) from error

    def _retrying(self, patience: float) -> Any:
        import tenacity

        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_transient),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT),
            stop=tenacity.stop_any(tenacity.stop_after_delay(patience), tenacity.stop_when_event_set(self.abandoned)),
            sleep=tenacity.sleep_using_event(self.abandoned),
            before_sleep=self._say_waiting,
            reraise=True,
        )

    def _say_waiting(self, state: Any) -> None:
        level = logging.WARNING if state.attempt_number == 2 else logging.DEBUG
        reason = first_line(state.outcome.exception())
        logger.log(level, "waiting for the tracking server %s: %s", public_uri(self.uri), reason)

    def _translated(self, error: Exception, patience: float) -> Exception:
        code = getattr(error, "error_code", "")
        if "Invalid Host header" in str(error):
            host = urlsplit(self.uri).netloc.rpartition("@")[2]
            return AccessRefused(f"the tracking server refuses the host name; start it with --allowed-hosts {host}")
        if code in _REFUSED:
            return AccessRefused(f"the tracking server {public_uri(self.uri)} refuses access: {first_line(error)}")
        if is_transient(error):
            waited = "until the wait was broken off" if self.abandoned.is_set() else f"for {patience:.0f} s"
            uri = public_uri(self.uri)
            return TrackingError(f"no answer from the tracking server {uri} {waited}: {first_line(error)}")
        return TrackingError(f"the tracking server refused a request: {first_line(error)}") if code else error


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later: the server is away, busy or broken for now.

    What MLflow's client finds wrong by itself is an INTERNAL_ERROR too, but waiting mends it no more than a page in
    place of JSON, which comes from a login or another server.
    """
    from mlflow.exceptions import MlflowException, RestException

    if not isinstance(error, MlflowException) or "not in a valid JSON format" in str(error):
        return False
    if error.error_code == "INTERNAL_ERROR" and not isinstance(error, RestException):
        return error.__context__ is not None or str(error).startswith("API request to")
    return error.error_code in _TRANSIENT


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message without credentials that a URL in it may hold."""
    text = str(getattr(error, "message", error)).strip().splitlines() or [type(error).__name__]
    return " ".join(public_uri(word) if "://" in word else word for word in text[0][:500].split(" "))


def public_uri(uri: str) -> str:
    """Return the URI without user name and password."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return uri
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=host)) if "@" in parts.netloc else uri


_depth = 0
_before: dict[str, str | None] = {}
_lock = threading.Lock()


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    # MLflow reads its settings from the environment at each request. They are put back at once, and only
    # by the last of several threads, because training code in this process keeps MLflow's own retries.
    global _depth  # noqa: PLW0603
    with _lock:
        if _depth == 0:
            _before.update({name: os.environ.get(name) for name in _SETTINGS})
            os.environ.update(_SETTINGS)
        _depth += 1
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                for name, value in _before.items():
                    os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


def _absolute(uri: str) -> str:
    if uri.startswith(_SQLITE) and not uri.startswith(f"{_SQLITE}/") and uri != f"{_SQLITE}:memory:":
        return f"{_SQLITE}{Path(uri.removeprefix(_SQLITE)).resolve()}"
    return uri


def _probe(uri: str) -> None:
    import requests

    if urlsplit(uri).scheme not in ("http", "https"):
        return
    from mlflow.environment_variables import MLFLOW_TRACKING_INSECURE_TLS

    try:
        requests.get(f"{uri.rstrip('/')}/health", timeout=10, verify=not MLFLOW_TRACKING_INSECURE_TLS.get())
    except (requests.RequestException, ValueError) as error:
        cause = type(error).__name__
        raise TrackingError(f"no tracking server answers at {public_uri(uri)} ({cause}); is it running?") from None


def _make_sqlite_store(uri: str) -> None:
    # MLflow migrates a new store step by step, and a kill in the middle ruins the file for good: so it is
    # made elsewhere and linked into place, which also lets one of several makers win.
    path = Path(uri.removeprefix(_SQLITE))
    if not uri.startswith(f"{_SQLITE}/") or path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    logger.info("making the local store %s", path)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".mlflow-new-") as folder:
            fresh = Path(folder) / path.name
            store = SqlAlchemyStore(f"{_SQLITE}{fresh}", str(path.parent / "mlruns"))
            store.engine.dispose()
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
    except OSError as error:
        raise InputError(f"the local store {path} cannot be made: {error.strerror}") from error
