"""Failed requests: whether the same one may succeed later, when the server wants it again, when it was away."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

AWAY_BEFORE = 5.0  # seconds for which the server was away before we noticed
AWAY_AFTER = 10.0  # seconds after it is back within which whoever gave up meanwhile has ended
KEPT_OUTAGES = 100
QUIET = 60.0  # seconds between two lines about outages
_TRANSIENT = {
    "ABORTED",
    "DEADLINE_EXCEEDED",
    "INTERNAL_ERROR",
    "REQUEST_LIMIT_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "TEMPORARILY_UNAVAILABLE",
}
_REFUSALS = (401, 403)
_NO_JSON = "not in a valid JSON format"
_BODY = "Response body: '"
# What a database says that no waiting mends; a disk that is full, or a lock, may be free again.
_PERMANENT = ("readonly database", "no such table", "no such column", "is not a database", "disk image is malformed")
_RUNS = ("get_run", "create_run")
_EXPERIMENTS = ("get_experiment", "get_experiment_by_name")


class Unsound(Exception):
    """An answer that can be read, and is none to what was asked."""


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later: the server is away, busy or broken for now.

    What MLflow's client finds wrong by itself is an INTERNAL_ERROR too, but waiting mends it no more than a gateway's
    "forbidden" in words of its own. Of a page in place of an answer `is_nonsense` tells.
    """
    from mlflow.exceptions import MlflowException, RestException

    if not isinstance(error, MlflowException) or is_nonsense(error) or is_permanent(error):
        return False
    if "IntegrityError" in str(error):  # another writer wrote the same row at the same moment: now it is there
        return bool(error.error_code == "BAD_REQUEST")
    if error.error_code == "INTERNAL_ERROR" and not isinstance(error, RestException):
        return error.__context__ is not None or str(error).startswith("API request to")
    return error.error_code in _TRANSIENT and not is_refusal(error)


def is_nonsense(error: BaseException) -> bool:
    """Whether something answered "200 OK" with what is no answer: one cut short, a login, another server's page."""
    from google.protobuf.json_format import ParseError

    return isinstance(error, Unsound | ParseError) or _NO_JSON in str(error)


def is_cut(error: BaseException) -> bool:
    """Whether what came in place of an answer is the beginning of one."""
    return str(error).partition(_BODY)[2].startswith("{")


def is_permanent(error: BaseException) -> bool:
    """Whether a database says that it cannot do what was asked, now or later."""
    return "Error) " in str(error) and any(words in str(error) for words in _PERMANENT)


def check_answer(method: str, args: Sequence[Any], answer: Any) -> None:
    """Raise Unsound when the answer is not of what was asked: MLflow's client reads an empty one without complaint."""
    if method in _RUNS:
        found = answer.info.run_id
        sound = found == args[0] if method == "get_run" else found
    elif method in _EXPERIMENTS:
        sound = answer is None or answer.experiment_id
    else:
        sound = method != "create_experiment" or answer
    if not sound:
        raise Unsound(f"the answer to {method} is empty, or of something else")


def is_refusal(error: BaseException) -> bool:
    """Whether the server, or a gateway before it, answered that we may not (401, 403)."""
    return any(getattr(answer, "status_code", None) in _REFUSALS for answer in _answers(error))


def asked_wait(error: BaseException) -> float:
    """Return the seconds that the server asked to wait for (Retry-After: RFC 9110, 10.2.3), 0 when it did not."""
    asked = (answer.headers.get("Retry-After") for answer in _answers(error))
    return max((_wait_seconds(text) for text in asked if text), default=0.0)


def _wait_seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return 0.0
        seconds = (moment.replace(tzinfo=moment.tzinfo or timezone.utc) - datetime.now(timezone.utc)).total_seconds()
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def _answers(error: BaseException) -> Iterator[Any]:
    """Yield the HTTP answers behind an error.

    Neither MLflow nor urllib3 puts them into what they raise. They stand, as `response`, in the frames that raised.
    """
    link: BaseException | None = error
    for _ in range(10):
        if link is None:
            return
        trace = link.__traceback__
        while trace is not None:
            answer = trace.tb_frame.f_locals.get("response")
            if hasattr(answer, "headers"):
                yield answer
            trace = trace.tb_next
        link = link.__cause__ or link.__context__


class Outages:
    """The stretches of time between the first request that failed and the next that was answered.

    Moments are seconds of `time.monotonic()`. All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None
        self._told = False
        self._told_at = -math.inf
        self._past: deque[tuple[float, float]] = deque(maxlen=KEPT_OUTAGES)

    def failed(self) -> None:
        """Note that a request found no server."""
        with self._lock:
            if self._since is None:
                self._since = time.monotonic()
                self._told = False

    def answered(self) -> float | None:
        """Note that a request was answered; return how long the outage was that a person was told of and that ends."""
        if self._since is None:  # the way of nearly every request
            return None
        with self._lock:
            if self._since is None:
                return None
            since = self._since
            until = time.monotonic()
            self._past.append((since, until))
            self._since = None
            return until - since if self._told else None

    def tell(self) -> bool:
        """Return whether a person has still to be told of this outage: once of each, and of at most one a minute."""
        with self._lock:
            moment = time.monotonic()
            due = not self._told and moment - self._told_at >= QUIET
            if due:
                self._told = True
                self._told_at = moment
            return due

    def near(self, moment: float) -> bool:
        """Return whether the server was away at this moment, or so shortly before or after that it may be the cause."""
        with self._lock:
            stretches = [*self._past, *([] if self._since is None else [(self._since, time.monotonic())])]
        return any(since - AWAY_BEFORE <= moment <= until + AWAY_AFTER for since, until in stretches)
