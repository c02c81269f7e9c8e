"""Text of other people's making, fit to be shown: in a figure, a page, a description."""

from __future__ import annotations


def printable(text: str) -> str:
    """Return the text with a sign in place of what has no shape, or turns the reading direction; newlines stay."""
    return "".join(char if char.isprintable() or char == "\n" else "\N{REPLACEMENT CHARACTER}" for char in text)


def short(text: object, longest: int = 300) -> str:
    """Return the text on one line, cut to `longest` characters."""
    line = " ".join(str(text).split())
    return printable(line if len(line) <= longest else f"{line[: longest - 1]}…")
