"""How a page is made: a template filled, numbers and links as a page shows them, figures put in.

A page has no outside resource, and no script but what its policy names. Importing this loads no matplotlib.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow_tune.text import encodable, number_text, printable, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 6.5  # inches: a wider picture scrolls in its own box on a small screen
MOST_BALANCED = 12  # pictures: their orders are tried out


def filled(template: str, contents: Mapping[str, Any]) -> str:
    """Return the page, in UTF-8 when encoded: the template of this folder with the contents, escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return encodable(environment.get_template(template).render(contents))


def number(value: object) -> str:
    """Return a value as a table shows it: numbers in at most six significant digits, an empty text for none."""
    return short(number_text(value))


def is_link(link: str) -> bool:
    """Return whether a link leads somewhere from a page that lies anywhere."""
    return link.startswith(("http://", "https://"))


def in_columns(pictures: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pictures in the order in which two columns of a page, filled one after the other, end least apart.

    The first stays the first; a wide one goes over both columns, and each stretch between such is a page of its own.
    """
    ordered: list[dict[str, Any]] = []
    for wide, stretch in itertools.groupby(pictures, lambda each: bool(each["wide"])):
        found = [*stretch]
        ordered += found if wide else _balanced(found)
    return ordered


def _balanced(pictures: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pictures of the left column, then those of the right, each in the order given."""
    if not 2 < len(pictures) <= MOST_BALANCED:
        return pictures
    heights = [each["height"] / each["width"] for each in pictures]
    places = range(1, len(pictures))
    chosen = [{0, *left} for count in range(len(pictures) - 1) for left in itertools.combinations(places, count)]

    def longer(left: set[int]) -> tuple[float, int]:
        column = sum(heights[place] for place in left)
        return round(max(column, sum(heights) - column), 1), sum(left)  # of equally good ones the least moved

    best = min(chosen, key=longer)
    return [pictures[place] for place in (*sorted(best), *(place for place in places if place not in best))]


def picture(figure: Figure) -> dict[str, Any]:
    """Return what a template needs of a figure: the image itself, its alternative in words, its size in pixels."""
    from mlflow_tune.report.figures.style import render, words_of

    width, height = figure.get_size_inches()
    return {
        "image": f"data:image/svg+xml;base64,{base64.b64encode(render(figure, 'svg')).decode()}",
        "words": printable(words_of(figure)),
        "width": round(float(width) * 96),
        "height": round(float(height) * 96),
        "wide": bool(width > WIDE),
    }
