"""What a trial printed and how it ended, in bytes and in words."""

from __future__ import annotations

import re
import signal
from concurrent.futures import Future
from dataclasses import replace

from mlflow_tune.text import cut, cut_start
from mlflow_tune.text.durations import duration_text
from mlflow_tune.text.redaction import masked, masked_bytes
from mlflow_tune.trial import Outcome

TAIL_BYTES = 2**20
MARGIN = 2**16  # bytes that are kept beside it: a secret may lie across the cut
REASON_LENGTH = 500
_ANSI = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_REFUSED_PARAM = re.compile(r"Changing param values is not allowed\.[^\n]{0,300}")


class Tail:
    """The last `TAIL_BYTES` of a stream, its secrets masked; memory stays bounded however long the stream is."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Add what the stream brought."""
        self._kept += data
        if len(self._kept) > 2 * TAIL_BYTES:
            excess = len(self._kept) - TAIL_BYTES - MARGIN
            del self._kept[:excess]
            self._dropped += excess

    def __bytes__(self) -> bytes:
        """Return the tail, after a line that says how many bytes were dropped before it, if any."""
        kept = masked_bytes(bytes(self._kept))
        excess = max(len(kept) - TAIL_BYTES, MARGIN if self._dropped else 0)
        dropped = self._dropped + excess
        note = b"[%d earlier bytes were dropped]\n" % dropped if dropped else b""
        return note + kept[excess:]


def last_lines(output: bytes, count: int = 4, limit: int = 400) -> str:
    """Return the last lines that say something, in one line of at most `limit` characters."""
    joined = " | ".join(_telling_lines(output)[-count:])
    return cut_start(joined, limit)


def _telling_lines(output: bytes) -> list[str]:
    """Return the last lines without those that are blank or only underline the one before, as tracebacks do."""
    text = _ANSI.sub("", output[-16384:].decode(errors="replace"))
    return [line.strip() for line in text.splitlines() if line.strip(" \t^~")]


def last_said(output: bytes, limit: int = 400) -> str:
    """Return the last line, then in brackets the three before it, in at most `limit` characters.

    A traceback ends with the exception: whoever sees the beginning alone must see that.
    """
    *before, last = _telling_lines(output)[-4:] or [""]
    last = cut(last, limit)
    room = limit - len(f"{last} (after: )")
    return f"{last} (after: {cut_start(' | '.join(before), room)})" if before and room > 20 else last


def how_it_ended(returncode: int, output: bytes) -> str:
    """Return in words how a process ended: its exit code or signal, and the last lines that it printed."""
    last = last_said(output)
    said = refused_param(output[-4096:].decode(errors="replace")) or (last and f"last output: {last}")
    return f"{_exit_words(returncode)}; {said or 'it printed nothing'}"


REMEDY = "Log the very value that was given (float32 rounds it), or log it under another name"


def refused_param(text: str) -> str:
    """Return why MLflow refused a param, as the text tells it, and the remedy; "" when it tells of none.

    A param is written once, and the study has logged the searched ones before the code runs. MLflow's own words end
    with advice that is of no use here.
    """
    if not (found := _REFUSED_PARAM.search(text)):
        return ""
    return f"{found[0]} {REMEDY}"


def _exit_words(returncode: int) -> str:
    number = -returncode if returncode < 0 else returncode - 128
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if returncode < 0:
        return f"killed by {name}"
    # a shell reports a command that died by a signal this way
    return f"exit code {returncode}" + (f" ({name})" if name.startswith("SIG") else "")


def without_secrets(outcome: Outcome) -> Outcome:
    """Return the outcome with the secrets masked that the trial printed: credentials, and what secret variables hold.

    MLflow's own client tells the tracking URI as it stands when the server is away, its password included.
    """
    return replace(outcome, reason=masked(outcome.reason), output=masked_bytes(outcome.output))


def too_long(seconds: float) -> str:
    """Return the reason of a timeout: `took longer than 10m`."""
    return f"took longer than {duration_text(seconds)}"


def result_of(future: Future[Outcome]) -> Outcome:
    """Return how a trial ended, as its launcher saw it, without the secrets that it printed."""
    error = future.exception()
    if error is None:
        return without_secrets(future.result())
    if isinstance(error, KeyboardInterrupt):
        return Outcome("interrupted", reason="interrupted by a person")
    return without_secrets(Outcome("failed", reason=f"{type(error).__name__}: {error}"))
