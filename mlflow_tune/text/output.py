"""The one way out of text to a terminal, a pipe or a file: nothing in it acts, and what cannot be written ends nothing.

Names, reasons and notes that a tracking server holds are other people's. `safe_streams` stands around a whole command,
so no place where something is printed has to think of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from mlflow_tune.text.safe import printable

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

_BREAKS = re.compile(r"[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_UNSEEN = re.compile(r"[^ -~\n]")


def inert(text: str) -> str:
    """Return the text with a sign in place of whatever a terminal may act on; newlines and tabs stay."""
    return printable(text, "\n\t")


def one_printed_line(text: str) -> str:
    """Return a text that is to be one line, with line breaks within it as escapes; those before it stay."""
    begin = len(text) - len(text.lstrip("\n"))
    return text[:begin] + _BREAKS.sub(lambda found: found[0].encode("unicode_escape").decode(), text[begin:])


def json_text(form: Mapping[str, Any], encoding: str = "utf-8") -> str:
    """Return the form as JSON in which nothing acts on a terminal, and which the encoding can hold: by escapes."""
    text = json.dumps(form, ensure_ascii=False, indent=2)
    text = _UNSEEN.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return json.dumps(form, indent=2)
    return text


class SteadyStream:
    """A text stream that raises nothing: what its encoding lacks it writes as escapes.

    Once writing has failed, as on a full disk or a pipe that nobody reads, what follows is dropped: `lost` is the
    error, which `tell` is called with.
    """

    def __init__(self, stream: TextIO, tell: Callable[[Exception], None] = lambda _: None) -> None:
        self._stream = stream
        self._tell = tell
        self.lost: Exception | None = None
        if reconfigure := getattr(stream, "reconfigure", None):
            with contextlib.suppress(OSError, ValueError):
                reconfigure(errors="backslashreplace")

    def write(self, text: str) -> int:
        """Write the text, if that is possible."""
        if not isinstance(text, str):
            raise TypeError(f"must be text, but got {type(text).__name__}")
        self._try(lambda: self._stream.write(text))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered, if that is possible."""
        self._try(self._stream.flush)

    def _try(self, write: Callable[[], object]) -> None:
        if self.lost is not None:
            return
        try:
            write()
        except (OSError, ValueError) as error:  # ValueError: it is closed
            self.lost = error
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nowhere:  # noqa: PTH123
                # else Python's end would try again what is buffered
                os.dup2(nowhere.fileno(), self._stream.fileno())
            self._tell(error)

    def __getattr__(self, name: str) -> Any:
        if name == "buffer":  # so that whoever wants to write bytes does not get past this
            raise AttributeError(name)
        return getattr(self._stream, name)


class SafeStream(SteadyStream):
    """A steady stream whose text is made inert; `steady` writes to the same place what is so already."""

    def __init__(self, stream: TextIO, tell: Callable[[Exception], None] = lambda _: None) -> None:
        super().__init__(stream, tell)
        self.steady = SteadyStream(stream, tell)

    def write(self, text: str) -> int:
        """Write the text, inert, if that is possible."""
        return super().write(inert(text) if isinstance(text, str) else text)

    @property
    def failed(self) -> Exception | None:
        """Why something could not be written, None where nothing was lost."""
        return self.lost or self.steady.lost


@contextlib.contextmanager
def safe_streams() -> Iterator[SafeStream]:
    """Make standard output and standard error safe; give the output. What is lost of it is said on standard error."""
    output, errors = sys.stdout, sys.stderr
    safe_errors = SafeStream(errors)

    def tell(error: Exception) -> None:
        if not isinstance(error, BrokenPipeError):  # whoever read along has left (`| head`): that is no fault
            words = getattr(error, "strerror", None) or str(error)
            safe_errors.write(f"Warning: standard output cannot be written: {words}\n")

    safe_output = SafeStream(output, tell)
    sys.stdout, sys.stderr = safe_output, safe_errors
    try:
        yield safe_output
    finally:
        safe_output.flush()
        safe_errors.flush()
        sys.stdout, sys.stderr = output, errors


def safe_console(stream: TextIO) -> Console:
    """Return a console on the stream. What it prints is inert but for its own colours and moves, a text one line."""
    from rich.console import Console
    from rich.segment import Segment as Piece

    class Safe(Console):
        def print(self, *objects: Any, **options: Any) -> None:
            super().print(*(one_printed_line(each) if isinstance(each, str) else each for each in objects), **options)

        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for piece in super().render(renderable, options):
                own = piece.control or piece.text.isprintable()
                yield piece if own else Piece(inert(piece.text), piece.style)

    steady = stream.steady if isinstance(stream, SafeStream) else SteadyStream(stream)
    return Safe(file=steady, highlight=False, markup=False, emoji=False)  # type: ignore[arg-type]
