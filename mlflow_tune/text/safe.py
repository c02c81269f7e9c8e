"""Text of other people's making, fit to be shown: on a terminal, in a page or figure, in Markdown, in a tag."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

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


def apart(texts: Iterable[object], longest: int) -> dict[str, str]:
    """Return for each text how it is shown: as `short`, but two that differ are not cut to the same.

    Of those that are too long and begin alike for half of that or more, the beginning is cut.
    """
    lines = {str(text): one_line(text) for text in texts}
    shown = {text: line for text, line in lines.items() if len(line) <= longest}
    _tell_apart({text: line for text, line in lines.items() if text not in shown}, longest, shown)
    meant: dict[str, str] = {}
    for text, line in lines.items():
        whole, number = shown[text], 1
        while meant.setdefault(shown[text], line) != line:  # the ends of two may be the same, cut at different places
            number += 1
            shown[text] = f"{whole[: longest - 1 - len(str(number))]}~{number}"
    return shown


def _tell_apart(lines: Mapping[str, str], longest: int, shown: dict[str, str], start: int = 0) -> None:
    windows = {text: f"…{line[start + 1 :]}" if start else line for text, line in lines.items()}
    alike: dict[str, dict[str, str]] = {}
    for text, window in windows.items():
        alike.setdefault(window[: longest // 2], {})[text] = lines[text]
    for group in alike.values():
        fit = all(len(windows[text]) <= longest for text in group)
        if fit or len({*group.values()}) == 1:  # one alone, or equal but for white space
            shown.update({text: cut(windows[text], longest) for text in group})
            continue
        # Half of the room for what tells them apart, or less where they end before.
        common = len(os.path.commonprefix([*group.values()]))  # noqa: RUF071  # characters are what it is to compare
        end = max(map(len, group.values()))
        _tell_apart(group, longest, shown, max(start + 1, min(common - longest // 2, end - longest)))


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
