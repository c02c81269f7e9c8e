"""Tables: on a terminal, in Markdown, for a spreadsheet. What stands in a cell is other people's text."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from mlflow_tune.text.safe import encodable, one_line

if TYPE_CHECKING:
    from rich.console import JustifyMethod
    from rich.table import Table

Cell = bool | int | float | str | None
# A spreadsheet takes text that begins so for a formula, https://owasp.org/www-community/attacks/CSV_Injection.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def table_of(
    headings: Sequence[str],
    rows: Iterable[Sequence[str]],
    left: Collection[str],
    words: Collection[str],
    title: str = "",
    bold: Collection[int] = (),
) -> Table:
    """Return a table for a terminal; the columns `left` begin at the left, and those of `words` alone are wrapped.

    The rows with an index in `bold` stand out. Cells are printable, each line by itself.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, title=Text(one_line(title)) if title else None, title_justify="left")
    for heading in headings:
        justify: JustifyMethod = "left" if heading in left else "right"
        wraps = heading in words
        table.add_column(
            Text(one_line(heading)), justify=justify, no_wrap=not wraps, overflow="fold" if wraps else "ellipsis"
        )
    for index, row in enumerate(rows):
        style = "bold" if index in bold else ""
        table.add_row(*(Text(_cell(cell), style=style) for cell in row))
    return table


def markdown_table(headings: Sequence[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a Markdown table: a heading, a rule, a row each. The cells are Markdown already."""
    return [f"| {' | '.join(row)} |" for row in (headings, ["---"] * len(headings), *rows)]


def columns_csv(columns: Mapping[str, Sequence[Cell]]) -> str:
    """Return columns by name as CSV (RFC 4180), numbers in full.

    Text that a spreadsheet would take for a formula has an apostrophe before it.
    """
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(map(_inert, columns))
    for row in zip(*columns.values(), strict=True):
        writer.writerow(map(_inert, row))
    return encodable(file.getvalue())


def _cell(text: str) -> str:
    """Return a cell on one line: blanks at its beginning indent it."""
    return " " * (len(text) - len(text.lstrip(" "))) + one_line(text)


def _inert(cell: Cell) -> Cell:
    if isinstance(cell, str) and cell.lstrip(" ").startswith(_FORMULA):
        return f"'{cell}"
    return cell
