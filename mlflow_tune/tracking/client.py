"""The connection to a tracking server: which one, how requests are sent, what their failures mean.

MLflow's own client repeats every request up to seven times without a word, also those that create a run. Here its
repeats are off: a request is sent again by `Client.send`, which says what it waits for, never waits longer than
a few seconds at a time (a little longer when the server asks for it by Retry-After), and gives up after `patience`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from mlflow_tune.errors import AccessRefused, InputError, StudyNotFound, TrackingError
from mlflow_tune.settings import patience_seconds
from mlflow_tune.text.redaction import without_credentials
from mlflow_tune.tracking.address import SQLITE, absolute, check_address, local_file, near_words
from mlflow_tune.tracking.retries import Outages, asked_wait, is_refusal, is_transient

logger = logging.getLogger(__name__)

ARTIFACT_PATIENCE = 30.0  # an artifact store may be broken for good, and a study can do without
LONGEST_WAIT = 5.0  # seconds between two attempts, so that a server that is back is soon found
LONGEST_ASKED = 8.0  # what of a longer Retry-After is heeded
_SETTINGS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0", "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true"}
_REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED"}
_READS = ("get_", "search_", "list_", "download_")
_ARTIFACTS = ("log_artifact", "log_artifacts", "log_image", "list_artifacts")


class Client:
    """A tracking store, by its URI; the default is MLflow's own (MLFLOW_TRACKING_URI, else ./mlflow.db).

    A local SQLite store that does not exist is made, but not where one wants to `only_read`. What stands as `guard` is
    called before each writing request, and may raise to hold it back. A server that is away is waited for, `patience`
    seconds (MLFLOW_TUNE_PATIENCE), and `outages` tells when that was. Raises InputError for a URI that MLflow cannot
    use, StudyNotFound when there is no store to read, and TrackingError when the server does not answer.
    """

    def __init__(self, uri: str | None = None, patience: float | None = None, only_read: bool = False) -> None:
        from mlflow import MlflowClient, get_tracking_uri

        self.uri = absolute(uri or get_tracking_uri())
        check_address(self.uri)
        self.patience = patience_seconds() if patience is None else patience
        self.guard: Callable[[], None] | None = None
        self.abandoned = threading.Event()
        self.outages = Outages()
        self._artifacts_away = False  # then each further file is tried once
        _probe(self.uri)
        _have_sqlite_store(self.uri, only_read)
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
        patience = self._patience(method)

        def attempt() -> Any:
            nonlocal sent
            with _settings():
                found = again(self._client) if sent and again else None
                if self.guard is not None and not method.startswith(_READS):
                    self.guard()
                sent = True
                with self._noted(method):
                    return getattr(self._client, method)(*args, **options) if found is None else found

        try:
            answer = self._retrying(patience, told=method not in _ARTIFACTS)(attempt)
        except Exception as error:
            self._artifacts_away |= method in _ARTIFACTS
            raise self._translated(error, patience) from error
        self._artifacts_away &= method not in _ARTIFACTS
        return answer

    def once(self, method: str, *args: Any) -> Any:
        """Return the answer of this method of MlflowClient; a request that fails is not sent again."""
        try:
            with _settings(), self._noted(method):
                return getattr(self._client, method)(*args)
        except Exception as error:
            raise self._translated(error, 0.0) from error

    def _patience(self, method: str) -> float:
        if method not in _ARTIFACTS:
            return self.patience
        return 0.0 if self._artifacts_away else min(self.patience, ARTIFACT_PATIENCE)

    @contextlib.contextmanager
    def _noted(self, method: str) -> Iterator[None]:
        """Note whether the server answers; what an artifact store does is told apart from it."""
        try:
            yield
        except Exception as error:
            if is_transient(error):
                if method not in _ARTIFACTS:
                    self.outages.failed()
                raise
            self._say_answered(method)
            raise
        self._say_answered(method)

    def _say_answered(self, method: str) -> None:
        if method not in _ARTIFACTS and (seconds := self.outages.answered()) is not None:
            logger.info("the tracking server %s answers again, after %.0f s", public_uri(self.uri), seconds)

    def _retrying(self, patience: float, told: bool) -> Any:
        import tenacity

        paced = tenacity.wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT)
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(is_transient),
            wait=lambda state: max(paced(state), _asked(state)),
            stop=tenacity.stop_any(tenacity.stop_after_delay(patience), tenacity.stop_when_event_set(self.abandoned)),
            sleep=tenacity.sleep_using_event(self.abandoned),
            before_sleep=self._say_waiting if told else None,
            reraise=True,
        )

    def _say_waiting(self, state: Any) -> None:
        level = logging.WARNING if state.attempt_number == 2 and self.outages.tell() else logging.DEBUG
        reason = first_line(state.outcome.exception())
        logger.log(level, "waiting for the tracking server %s: %s", public_uri(self.uri), reason)

    def _translated(self, error: Exception, patience: float) -> Exception:
        code = getattr(error, "error_code", "")
        if "Invalid Host header" in str(error):
            host = urlsplit(self.uri).netloc.rpartition("@")[2]
            return AccessRefused(f"the tracking server refuses the host name; start it with --allowed-hosts {host}")
        if code in _REFUSED or (code and is_refusal(error)):
            return AccessRefused(f"the tracking server {public_uri(self.uri)} refuses access: {first_line(error)}")
        if is_transient(error):
            waited = "until the wait was broken off" if self.abandoned.is_set() else f"for {patience:.0f} s"
            uri = public_uri(self.uri)
            return TrackingError(f"no answer from the tracking server {uri} {waited}: {first_line(error)}")
        return TrackingError(f"the tracking server refused a request: {first_line(error)}") if code else error


def _asked(state: Any) -> float:
    return min(asked_wait(state.outcome.exception()), LONGEST_ASKED)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message without credentials that a URL in it may hold."""
    text = str(getattr(error, "message", error)).strip().splitlines() or [type(error).__name__]
    return without_credentials(text[0])[:500]


def public_uri(uri: str) -> str:
    """Return the URI without user name and password, also when it is malformed."""
    scheme, slashes, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"
    # A slash within a password makes the user name a host, and the password's beginning its port.
    torn = "@" in path and re.fullmatch(r"[^:]*:\d*[^\d\]][^\]]*", authority)
    return f"{scheme}{slashes}{path.rpartition('@')[2]}" if torn else uri


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


def _have_sqlite_store(uri: str, only_read: bool) -> None:
    path = local_file(uri)
    if path is None or path.exists():
        return
    if only_read:
        raise StudyNotFound(f"there is no study yet: the store {public_uri(uri)} does not exist{near_words(uri)}")
    _make_sqlite_store(path)


def _make_sqlite_store(path: Path) -> None:
    # MLflow migrates a new store step by step, and a kill in the middle ruins the file for good: so it is
    # made elsewhere and linked into place, which also lets one of several makers win.
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    logger.info("making the local store %s", path)
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.WARNING)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".mlflow-new-") as folder:
            fresh = Path(folder) / path.name
            store = SqlAlchemyStore(f"{SQLITE}{fresh}", str(path.parent / "mlruns"))
            store.engine.dispose()
            try:
                os.link(fresh, path)
            except OSError:  # another maker was faster, or the file system has no hard links
                if not path.exists():
                    fresh.rename(path)
    except OSError as error:
        raise InputError(f"the local store {path} cannot be made: {error.strerror}") from error
