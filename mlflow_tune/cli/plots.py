"""Learning curves on a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlflow_tune.trial import Curve, is_finite

if TYPE_CHECKING:
    from rich.text import Text

HEIGHT = 14
MARKERS = ("braille", "•", "+", "x")
COLOURS = ("cyan", "orange", "green", "magenta")


def curves_text(curves: Mapping[str, Curve], width: int, height: int = HEIGHT) -> Text:
    """Return a plot of the curves by name, `width` characters wide; points that are not finite are left out.

    Curves are told apart by colour and by marker.
    """
    import plotext
    from rich.text import Text

    plotext.clear_figure()
    plotext.theme("clear")
    plotext.plot_size(width, height)
    drawn = 0
    for index, (name, curve) in enumerate(curves.items()):
        points = [(step, value) for step, value in curve if math.isfinite(value) and is_finite(value)]
        if points:
            marker = MARKERS[index % len(MARKERS)] if len(points) > 1 else "•"
            steps, values = map(list, zip(*points, strict=True))
            plotext.plot(steps, values, marker=marker, color=COLOURS[index % len(COLOURS)], label=_plain(name))
            drawn += 1
    return Text.from_ansi(plotext.build()) if drawn else Text("no point yet")


def _plain(text: str) -> str:
    return "".join(char for char in text if char.isprintable())[:60]
