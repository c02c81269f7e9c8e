"""The paper and the pens: how every figure looks, and how it becomes a file. Importing this loads matplotlib.

Only matplotlib's object API is used: no pyplot, no state that outlives a call, and a person's own matplotlibrc changes
nothing. A figure carries its alternative in words as its label (`words_of`).
"""

from __future__ import annotations

import functools
import io
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from matplotlib import style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray
from PIL import Image

from mlflow_tune.errors import InternalError
from mlflow_tune.text import short

P = ParamSpec("P")
T = TypeVar("T")

# Okabe and Ito's colours, https://jfly.uni-koeln.de/color/: told apart with every kind of colour vision.
BLUE, VERMILLION, GREEN, ORANGE = "#0072B2", "#D55E00", "#009E73", "#E69F00"
INK, GREY, PALE = "#222222", "#767676", "#E4E4E4"
WIDTH = 5.4  # inches: narrow, so that the letters stay readable when a phone shrinks the picture to its screen
DPI = 170
MANY = 500  # from so many marks on, an SVG holds them as pixels, as its size would grow with them
COARSE_DPI = 100  # dots per inch of those pixels
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.titlesize": 11,
    "font.size": 10,
    "grid.color": PALE,
    "legend.columnspacing": 1.2,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handletextpad": 0.4,
    "legend.labelcolor": "#5A5A5A",
    "svg.fonttype": "path",
    "svg.hashsalt": "mlflow-tune",
    "text.color": INK,
    "xtick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.color": GREY,
    "ytick.labelcolor": INK,
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style, whatever a person's matplotlibrc says, and without words on missing letters."""
    with style.context(["default", STYLE]), warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        # A name in a script that the font lacks is drawn as boxes: no reason to disturb a study.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support .* natively")
        yield


def in_house_style(draw: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function that draws, so that it does so in the house style."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        with house_style():
            return draw(*args, **kwargs)

    return drawn


def sheet(height: float, width: float = WIDTH) -> Figure:
    """Return an empty figure of this size in inches."""
    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.08, h_pad=0.08))
    FigureCanvasAgg(figure)
    return figure


def headline(figure: Figure, title: str) -> None:
    """Write the title of the figure, at the left, on as many lines as it needs."""
    lines = textwrap.wrap(title, int(10.5 * figure.get_size_inches()[0]), break_long_words=False)
    figure.suptitle("\n".join(lines), fontsize=11, x=0.015, horizontalalignment="left")


def clean(text: object, longest: int = 32) -> str:
    """Return text that matplotlib shows as it is: one line, cut, without formulas between dollar signs."""
    return short(text, longest).replace("$", r"\$")


def words_of(figure: Figure) -> str:
    """Return what the figure shows, in words: the alternative text of its image."""
    return str(figure.get_label())


def finish(figure: Figure, words: str) -> Figure:
    """Give the figure its alternative in words and its final layout; return it."""
    figure.set_label(short(words.replace(r"\$", "$"), 2000))
    # A layout starts from the one before: laid out at every drawing, a second file would differ from the first.
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    return figure


_rendered: WeakKeyDictionary[Figure, dict[str, bytes]] = WeakKeyDictionary()  # a report needs each file twice


def render(figure: Figure, form: Literal["png", "svg"] = "png") -> bytes:
    """Return the image file of a finished figure, which is drawn once.

    The same figure gives the same bytes with one version of matplotlib.
    """
    known = _rendered.setdefault(figure, {})
    if form not in known:
        known[form] = _drawn(figure, form)
    return known[form]


def _drawn(figure: Figure, form: Literal["png", "svg"]) -> bytes:
    metadata = {"Software": None} if form == "png" else {"Date": None, "Description": words_of(figure)}
    dpi = DPI if form == "png" else COARSE_DPI
    file = io.BytesIO()
    with house_style():
        figure.savefig(file, format=form, dpi=dpi, metadata=metadata, facecolor="white")
    return file.getvalue()


def self_showing(figure: Figure) -> Figure:
    """Return the figure, which a notebook then shows by itself, whether or not pyplot is loaded there."""
    figure._repr_png_ = functools.partial(render, figure)  # type: ignore[attr-defined]
    return figure


def pixels(figure: Figure) -> NDArray[np.uint8]:
    """Return the picture as (height, width, 3) bytes of red, green and blue: what `mlflow.log_image` takes."""
    with Image.open(io.BytesIO(render(figure))) as image:
        return np.array(image.convert("RGB"), dtype=np.uint8)


def save_figures(figures: Mapping[str, Figure], folder: Path | str) -> list[Path]:
    """Write each figure as `<name>.png` and `<name>.svg` into the folder, which is made if need be; return the paths.

    Raises InternalError for a name that is not of letters, digits, `-` and `_`, since it becomes a path.
    """
    folder = Path(folder)
    for name in figures:
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise InternalError(f"a figure's name must be of letters, digits, '-' and '_', but got {name!r}")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure in figures.items():
        for form in ("png", "svg"):
            path = folder / f"{name}.{form}"
            path.write_bytes(render(figure, form))
            paths.append(path)
    return paths
