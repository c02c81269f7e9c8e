"""The connection to a tracking server: which one, how requests are sent, what their failures mean.

MLflow's own client repeats every request up to seven times without a word, also those that create a run. Here its
repeats are off: a request is sent again by `Client.send`, which says what it waits for, never waits longer than
a few seconds at a time (a little longer when the server asks for it by Retry-After), and gives up after `patience`.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from mlflow_tune.errors import AccessRefused, InputError, StudyNotFound, TrackingError
from mlflow_tune.settings import patience_seconds
from mlflow_tune.text.redaction import without_credentials
from mlflow_tune.tracking.address import absolute, check_address, local_file, near_words
from mlflow_tune.tracking.local_store import make_sqlite_store
from mlflow_tune.tracking.retries import (
    Outages,
    asked_wait,
    check_answer,
    is_cut,
    is_nonsense,
    is_permanent,
    is_refusal,
    is_transient,
)

logger = logging.getLogger(__name__)

ARTIFACT_PATIENCE = 30.0  # an artifact store may be broken for good, and a study can do without
PROBES = 5  # looks at a server that breaks connections off
PROBE_PAUSE = 0.2  # seconds
LONGEST_WAIT = 5.0  # seconds between two attempts, so that a server that is back is soon found
LONGEST_ASKED = 8.0  # what of a longer Retry-After is heeded
_SETTINGS: dict[str, int | bool] = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": 0,
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": True,
}
_REFUSED = {"UNAUTHENTICATED", "PERMISSION_DENIED", "CUSTOMER_UNAUTHORIZED"}
_READS = ("get_", "search_", "list_", "download_")
_SAYS_BY_ITSELF = "mlflow.store.db.utils"  # MLflow's logger of a database's errors, each with its traceback
_DBAPI = re.compile(r"^(?:[A-Z_]+: )?\([\w.]+\) ")  # "(sqlite3.OperationalError) ", before what a database says
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

        _set_for_requests()
        self.uri = absolute(uri or get_tracking_uri())
        check_address(self.uri)
        self.patience = patience_seconds() if patience is None else patience
        self.guard: Callable[[], None] | None = None
        self.abandoned = threading.Event()
        self.outages = Outages()
        self._artifacts_away = False  # then each further file is tried once
        self._sound: set[bool] = set()  # whether a read (True) and a write (False) have had a sound answer
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
            with _marked():
                found = again(self._client) if sent and again else None
                if self.guard is not None and not method.startswith(_READS):
                    self.guard()
                sent = True
                with self._noted(method):
                    return self._asked(method, *args, **options) if found is None else found

        try:
            answer = self._retrying(method, patience)(attempt)
        except Exception as error:
            self._artifacts_away |= method in _ARTIFACTS
            raise self._translated(method, error, patience) from error
        self._artifacts_away &= method not in _ARTIFACTS
        return answer

    def once(self, method: str, *args: Any) -> Any:
        """Return the answer of this method of MlflowClient; a request that fails is not sent again."""
        try:
            with _marked(), self._noted(method):
                return self._asked(method, *args)
        except Exception as error:
            raise self._translated(method, error, 0.0) from error

    def _asked(self, method: str, *args: Any, **options: Any) -> Any:
        answer = getattr(self._client, method)(*args, **options)
        check_answer(method, args, answer)
        self._sound.add(method.startswith(_READS))
        return answer

    def _may_succeed(self, method: str, error: BaseException) -> bool:
        """Whether the same request may be answered later.

        A page in place of an answer is waited for where such requests were answered before; else it is what stands
        there, a login or another server, and waiting does not mend that. What is cut short was an answer.
        """
        if is_nonsense(error):
            return is_cut(error) or method.startswith(_READS) in self._sound
        return is_transient(error)

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
            if self._may_succeed(method, error):
                if method not in _ARTIFACTS:
                    self.outages.failed()
                raise
            self._say_answered(method)
            raise
        self._say_answered(method)

    def _say_answered(self, method: str) -> None:
        if method not in _ARTIFACTS and (seconds := self.outages.answered()) is not None:
            logger.info("the tracking server %s answers again, after %.0f s", public_uri(self.uri), seconds)

    def _retrying(self, method: str, patience: float) -> Any:
        import tenacity

        paced = tenacity.wait_random_exponential(multiplier=0.2, max=LONGEST_WAIT)
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: self._may_succeed(method, error)),
            wait=lambda state: max(paced(state), _asked_wait(state)),
            stop=tenacity.stop_any(tenacity.stop_after_delay(patience), tenacity.stop_when_event_set(self.abandoned)),
            sleep=tenacity.sleep_using_event(self.abandoned),
            before_sleep=None if method in _ARTIFACTS else self._say_waiting,
            reraise=True,
        )

    def _say_waiting(self, state: Any) -> None:
        level = logging.WARNING if state.attempt_number > 1 and self.outages.tell() else logging.DEBUG
        reason = first_line(state.outcome.exception())
        logger.log(level, "waiting for the tracking server %s: %s", public_uri(self.uri), reason)

    def _translated(self, method: str, error: Exception, patience: float) -> Exception:
        code = getattr(error, "error_code", "")
        if "Invalid Host header" in str(error):
            host = urlsplit(self.uri).netloc.rpartition("@")[2]
            return AccessRefused(f"the tracking server refuses the host name; start it with --allowed-hosts {host}")
        if code in _REFUSED or (code and is_refusal(error)):
            return AccessRefused(f"the tracking server {public_uri(self.uri)} refuses access: {first_line(error)}")
        uri = public_uri(self.uri)
        if self._may_succeed(method, error):
            waited = "until the wait was broken off" if self.abandoned.is_set() else f"for {patience:.0f} s"
            return TrackingError(f"no answer from the tracking server {uri} {waited}: {first_line(error)}")
        if is_nonsense(error):
            return TrackingError(f"no MLflow server answers at {uri}, or a login stands before it: {first_line(error)}")
        if is_permanent(error):
            return TrackingError(f"the tracking store {uri} is broken: {first_line(error)}")
        return TrackingError(f"the tracking server refused a request: {first_line(error)}") if code else error


def _asked_wait(state: Any) -> float:
    return min(asked_wait(state.outcome.exception()), LONGEST_ASKED)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message without credentials that a URL in it may hold.

    Of what a database says the words alone are left, without the name that its driver gives to such errors.
    """
    text = str(getattr(error, "message", error)).strip().splitlines() or [type(error).__name__]
    return without_credentials(_DBAPI.sub("", text[0]))[:500]


def public_uri(uri: str) -> str:
    """Return the URI without user name and password, also when it is malformed."""
    scheme, slashes, rest = uri.partition("://")
    authority, slash, path = rest.partition("/")
    if "@" in authority:
        return f"{scheme}{slashes}{authority.rpartition('@')[2]}{slash}{path}"
    # A slash within a password makes the user name a host, and the password's beginning its port.
    torn = "@" in path and re.fullmatch(r"[^:]*:\d*[^\d\]][^\]]*", authority)
    return f"{scheme}{slashes}{path.rpartition('@')[2]}" if torn else uri


_sending = threading.local()


def _is_told(_: logging.LogRecord) -> bool:
    # What MLflow logs of a database's errors while a request of ours is sent is told in our words.
    return not getattr(_sending, "depth", 0)


logging.getLogger(_SAYS_BY_ITSELF).addFilter(_is_told)


@contextlib.contextmanager
def _marked() -> Iterator[None]:
    """Mark this thread as one that sends a request of ours."""
    _sending.depth = getattr(_sending, "depth", 0) + 1
    try:
        yield
    finally:
        _sending.depth -= 1


def _set_for_requests() -> None:
    """Let MLflow's settings have our values in a thread that sends a request of ours, and nowhere else.

    The environment stays as it is: training code in this process keeps MLflow's own retries, and whatever walks through
    `os.environ`, as requests does, meets no variable that goes away.
    """
    from mlflow import environment_variables

    for name, value in _SETTINGS.items():
        variable = getattr(environment_variables, name)
        variable.get = functools.partial(_setting, variable, value)


def _setting(variable: Any, ours: int | bool) -> Any:
    return ours if getattr(_sending, "depth", 0) else type(variable).get(variable)


def _probe(uri: str) -> None:
    import requests

    if urlsplit(uri).scheme not in ("http", "https"):
        return
    from mlflow.environment_variables import MLFLOW_TRACKING_INSECURE_TLS

    for left in reversed(range(PROBES)):
        try:
            requests.get(f"{uri.rstrip('/')}/health", timeout=10, verify=not MLFLOW_TRACKING_INSECURE_TLS.get())
        except (requests.RequestException, ValueError) as error:
            if left and _is_broken_off(error):  # somebody is there
                time.sleep(PROBE_PAUSE)
                continue
            cause = type(error).__name__
            raise TrackingError(f"no tracking server answers at {public_uri(uri)} ({cause}); is it running?") from None
        return


def _is_broken_off(error: Exception) -> bool:
    """Whether a connection was made, and ended without a whole answer."""
    from urllib3.exceptions import ProtocolError

    return any(isinstance(each, ProtocolError) for each in error.args)


def _have_sqlite_store(uri: str, only_read: bool) -> None:
    path = local_file(uri)
    if path is None or (only_read and path.exists()):
        return
    if only_read:
        raise StudyNotFound(f"there is no study yet: the store {public_uri(uri)} does not exist{near_words(uri)}")
    make_sqlite_store(path)
