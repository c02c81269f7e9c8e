"""Text of other people's making, fit to be shown: on a terminal, in a page or figure, in Markdown, in a tag."""

from __future__ import annotations

_SPECIAL = set("&<>\"'|`*_[]\\$~#!")  # what Markdown or HTML would act on


def printable(text: str, kept: str = "\n") -> str:
    """Return the text with a sign in place of what has no shape or turns the reading direction; `kept` stays."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char in kept else "\N{REPLACEMENT CHARACTER}" for char in text)


def escaped(text: str) -> str:
    """Return the text with what would break its line, or colour a terminal, as escapes: nothing of it is hidden."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def cut(text: str, longest: int) -> str:
    """Return the text, cut at its end to `longest` characters, the last of them `…`."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def cut_start(text: str, longest: int) -> str:
    """Return the text, cut at its beginning to `longest` characters, the first of them `…`."""
    return text if len(text) <= longest else f"…{text[len(text) + 1 - longest :]}"


def one_line(text: object) -> str:
    """Return the text on one line, each run of white space a blank, printable."""
    return printable(" ".join(str(text).split()))


def short(text: object, longest: int = 300) -> str:
    """Return the text on one line, printable, cut to `longest` characters."""
    return cut(one_line(text), longest)


def markdown(text: object) -> str:
    """Return the text so that Markdown and HTML show it as it is, on one line, also within a table."""
    return "".join(f"&#{ord(char)};" if char in _SPECIAL else char for char in one_line(text))


def encodable(text: str) -> str:
    """Return the text as UTF-8 can hold it: half a surrogate pair, which JSON may hold, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()
