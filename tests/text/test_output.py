"""The one way out of text: nothing in it acts on a terminal, and what cannot be written raises nothing."""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_tune.text.output import (
    SafeStream,
    SteadyStream,
    inert,
    json_text,
    one_printed_line,
    safe_console,
    safe_streams,
)
from tests.support.tiers import FULL

EVIL = "\x1b]52;c;eA==\x07\x1b]8;;http://evil\x1b\\\x9b31m\u202egnp\u2066\r\b\x00\x7f\ud800"
anything = st.text(st.characters(exclude_categories=()))


class Terminal(io.TextIOWrapper):
    """A stream that says of itself that it is a terminal."""

    def isatty(self) -> bool:
        return True


def stream(encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")


def written(to: io.TextIOWrapper) -> str:
    to.flush()
    return to.buffer.getvalue().decode(to.encoding)


@given(anything)
def test_nothing_that_goes_out_acts(text):
    assert all(char.isprintable() or char in "\n\t" for char in inert(text))
    assert inert(inert(text)) == inert(text)


@given(anything)
def test_one_line_stays_one(text):
    shown = inert(one_printed_line(f"a{text}"))
    assert len(shown.splitlines()) == 1
    assert one_printed_line("\n\n  two\nlines") == "\n\n  two\\nlines"


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
@given(st.recursive(anything | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(anything, inner)))
@settings(max_examples=100 if FULL else 25)
def test_json_says_the_same_and_does_not_act(encoding, form):
    text = json_text({"a": form}, encoding)
    assert json.loads(text) == {"a": form}
    assert all(char.isprintable() or char == "\n" for char in text)
    text.encode(encoding)


def test_json_is_read_easily():
    assert json_text({"a": "é漢\n"}) == '{\n  "a": "é漢\\n"\n}'


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "latin-1"])
def test_what_an_encoding_lacks_is_written_as_escapes(encoding):
    below = stream(encoding)
    safe = SafeStream(below)
    safe.write(f"漢 é {EVIL}\n\tend\n")
    safe.flush()
    said = written(below)
    assert said.endswith("\n\tend\n")
    assert (said.startswith("漢 é "), "\\u6f22" in said) == (encoding == "utf-8", encoding != "utf-8")
    assert all(char.isprintable() or char in "\n\t" for char in said)
    assert safe.failed is None


@pytest.mark.parametrize("console", [False, True])
def test_a_full_disk_is_told_once_and_raises_nothing(console):
    told = []
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        steady = SteadyStream(full, told.append)
        for _ in range(3):
            safe_console(steady).print("a") if console else steady.write("a")  # type: ignore[arg-type]
            steady.flush()
        steady.write("a" * 10**6)
        assert os.fstat(full.fileno()).st_rdev == Path(os.devnull).stat().st_rdev, "nothing is tried again at the end"
    assert [str(error) for error in told] == ["[Errno 28] No space left on device"]


def test_a_closed_stream_raises_nothing():
    below = stream()
    below.close()
    safe = SafeStream(below)
    safe.write("a")
    safe.flush()
    assert isinstance(safe.failed, ValueError)


def test_only_text_is_written_and_there_is_no_way_past():
    """click looks for a stream of bytes below one whose encoding is ASCII, and would write to that."""
    safe = SafeStream(stream("ascii"))
    with pytest.raises(TypeError, match="must be text"):
        safe.write(b"\x1b")  # type: ignore[arg-type]
    assert not hasattr(safe, "buffer")
    assert safe.encoding == "ascii"


def test_whatever_prints_within_goes_the_same_way(monkeypatch):
    import click

    output, errors = stream("ascii"), stream()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", errors)
    with safe_streams():
        print(EVIL, "print")
        click.echo(f"{EVIL}echo")
        click.echo(f"{EVIL}echo", err=True)
        safe_console(sys.stdout).print(f"{EVIL}console")
        sys.stderr.write(f"{EVIL}written")
    assert sys.stdout is output
    for said, ends in ((written(output), ("print", "echo", "console")), (written(errors), ("echo", "written"))):
        assert all(end in said for end in ends)
        assert all(char.isprintable() or char in "\n\t" for char in said)


@pytest.mark.slow
def test_a_console_keeps_its_own_colours_and_moves_and_nobody_elses(monkeypatch):
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    monkeypatch.setenv("TERM", "xterm-256color")
    below = Terminal(io.BytesIO(), encoding="utf-8")
    console = safe_console(below)
    table = Table(title=EVIL)
    table.add_column(EVIL)
    table.add_row(EVIL)
    with Live(console=console, auto_refresh=False) as live:
        live.update(table, refresh=True)
        live.update(Text(EVIL, style="bold"), refresh=True)
        console.print(Text(EVIL, style="red"))
        console.print(f"{EVIL}\nFAKED")
    said = written(below)
    assert "\x1b[31m" in said
    assert "\x1b[?25l" in said
    rest = [part.partition("m")[0] for part in said.split("\x1b")[1:]]
    assert all(part[:1] == "[" for part in rest), rest
    for evil in ("\x1b]", "\x9b", "\x07", "\u202e", "\u2066", "\b", "\x00", "\x7f", "\nFAKED"):
        assert evil not in said, repr(evil)
