"""The learning curves of two trials in one figure. Importing this loads matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlflow_tune.report.difference.difference import Difference, Two
from mlflow_tune.report.figures.scales import legend_below, log_ticks, plain_ticks
from mlflow_tune.report.figures.style import BLUE, MANY, VERMILLION, clean, finish, headline, in_house_style, sheet
from mlflow_tune.report.places import limits, within_reach
from mlflow_tune.trial import Curve, finite_points

DECADES = 30  # the ratio of its values from which on a loss is drawn on a log scale
# Told apart by colour, by line and by mark: also in a print without colours.
LOOKS: Two[dict[str, Any]] = (
    {"color": BLUE, "linestyle": "-", "marker": "o"},
    {"color": VERMILLION, "linestyle": "--", "marker": "s"},
)


def curve_figures(difference: Difference) -> dict[str, Figure]:
    """Return a figure a metric that has a finite point in one of the trials."""
    drawn = {name: curves_figure(difference, name) for name in difference.curves}
    return {name: figure for name, figure in drawn.items() if figure is not None}


@in_house_style
def curves_figure(difference: Difference, metric: str) -> Figure | None:
    """Draw a metric against the step for both trials; points that are not finite are left out. None without a point."""
    curves = [_drawable(curve) for curve in difference.curves[metric]]
    if not any(curves):
        return None
    figure = sheet(3.4)
    axes = figure.add_subplot()
    for curve, label, look in zip(curves, difference.labels, LOOKS, strict=True):
        _draw(axes, curve, label, look)
    falls = difference.direction.falls(metric)
    _value_axis(axes, [value for curve in curves for _, value in curve], bool(falls))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    sense = "" if falls is None else f" ({'lower' if falls else 'higher'} is better)"
    axes.set(xlabel="step", ylabel=f"{clean(metric, 16)}{sense}")
    headline(figure, clean(metric, 60))
    legend_below(figure, axes)
    told = [f"Trial {label}: {_words(curve)}." for label, curve in zip(difference.labels, curves, strict=True)]
    return finish(figure, " ".join([f"{metric} against the step.", *told]))


def _drawable(curve: Curve) -> list[tuple[int, float]]:
    return [(step, within_reach(value)) for step, value in finite_points(curve)]


def _draw(axes: Axes, curve: Curve, label: str, look: dict[str, Any]) -> None:
    if curve:
        steps, values = np.array(curve, dtype=float).T
        size = 3.5 if len(curve) <= 40 else 0.0
        axes.plot(steps, values, label=label, linewidth=1.6, markersize=size, rasterized=len(curve) > MANY, **look)


def _value_axis(axes: Axes, values: Sequence[float], falls: bool) -> None:
    """Show every value: of a metric that falls by decades on a log scale, on which its end is seen, too."""
    low, high = min(values), max(values)
    if falls and low > 0 and high / low >= DECADES:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.2, high * 1.2)
        log_ticks(axes.yaxis, math.log(high / low))
    else:
        axes.set_ylim(*limits(values))
        plain_ticks(axes.yaxis)


def _words(curve: Curve) -> str:
    if not curve:
        return "no point"
    values = [value for _, value in curve]
    if len(curve) == 1:
        return f"{values[0]:.6g} at step {curve[0][0]}"
    ends = f"{len(curve)} points, from {values[0]:.6g} (step {curve[0][0]}) to {values[-1]:.6g} (step {curve[-1][0]})"
    return f"{ends}, between {min(values):.6g} and {max(values):.6g}"
