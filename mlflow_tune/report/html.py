"""How a page is made: a template filled, numbers and links as a page shows them, figures put in.

A page has no script and no outside resource, and says so to the browser. Importing this loads no matplotlib.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlflow_tune.report.text import printable, short
from mlflow_tune.space import Scalar

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 6.5  # inches: a wider picture scrolls in its own box on a small screen


def filled(template: str, contents: Mapping[str, Any]) -> str:
    """Return the page, in UTF-8 when encoded: the template of this folder with the contents, escaped."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    text = environment.get_template(template).render(contents)
    # Half a surrogate pair, which JSON may hold, has no encoding.
    return text.encode("utf-8", "replace").decode()


def number(value: Scalar | None) -> str:
    """Return a value as a table shows it: numbers in at most six significant digits, an empty text for none."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else short(value)


def is_link(link: str) -> bool:
    """Return whether a link leads somewhere from a page that lies anywhere."""
    return link.startswith(("http://", "https://"))


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
