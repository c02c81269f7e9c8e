"""What a failed request means: whether the same one may succeed later, and when the server wants it again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import Any

_TRANSIENT = {
    "TEMPORARILY_UNAVAILABLE", "INTERNAL_ERROR", "REQUEST_LIMIT_EXCEEDED", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED",
    "ABORTED",
}  # fmt: skip
_REFUSALS = (401, 403)


def is_transient(error: BaseException) -> bool:
    """Whether the same request may succeed later: the server is away, busy or broken for now.

    What MLflow's client finds wrong by itself is an INTERNAL_ERROR too, but waiting mends it no more than a page in
    place of JSON, which comes from a login or another server, or a gateway's "forbidden" in words of its own.
    """
    from mlflow.exceptions import MlflowException, RestException

    if not isinstance(error, MlflowException) or "not in a valid JSON format" in str(error):
        return False
    if error.error_code == "INTERNAL_ERROR" and not isinstance(error, RestException):
        return error.__context__ is not None or str(error).startswith("API request to")
    return error.error_code in _TRANSIENT and not is_refusal(error)


def is_refusal(error: BaseException) -> bool:
    """Whether the server, or a gateway before it, answered that we may not (401, 403)."""
    return any(getattr(answer, "status_code", None) in _REFUSALS for answer in _answers(error))


def asked_wait(error: BaseException) -> float:
    """Return the seconds that the server asked to wait for (Retry-After: RFC 9110, 10.2.3), 0 when it did not."""
    asked = (answer.headers.get("Retry-After") for answer in _answers(error))
    return max((_seconds(text) for text in asked if text), default=0.0)


def _seconds(text: str) -> float:
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
