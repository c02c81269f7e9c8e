"""Learning curves on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from mlflow_tune.text import short
from mlflow_tune.trial import Curve, finite_points

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
        points = finite_points(curve)
        if points:
            marker = MARKERS[index % len(MARKERS)] if len(points) > 1 else "•"
            steps, values = map(list, zip(*points, strict=True))
            plotext.plot(steps, values, marker=marker, color=COLOURS[index % len(COLOURS)], label=short(name, 60))
            drawn += 1
    return Text.from_ansi(plotext.build()) if drawn else Text("no point yet")
