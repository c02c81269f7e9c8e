"""Figures of where good values lie: every parameter by itself, and all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlflow_tune.report.figures.scales import (
    legend_below,
    metric_axis,
    parameter_axis,
    shades,
    shading,
    trial_marks,
    unit_ticks,
)
from mlflow_tune.report.figures.style import (
    GREY,
    MANY,
    VERMILLION,
    WIDTH,
    clean,
    finish,
    headline,
    in_house_style,
    sheet,
)
from mlflow_tune.report.places import Array, jitter, places, unit_places
from mlflow_tune.report.subject import Subject, param_words, scored, value_of
from mlflow_tune.space import Categorical, Choice, Dimension
from mlflow_tune.text import tick_text, value_text
from mlflow_tune.trial import Trial

MOST_PANELS = 24
MOST_LINES = 12
MOST_DRAWN = 1000


@in_house_style
def parameters_figure(subject: Subject, trials: Sequence[Trial]) -> Figure | None:
    """Draw the metric against every parameter, a panel each, on the parameter's own scale; categories as strips.

    The first 24 parameters. None while no trial has a value.
    """
    if not scored(trials):
        return None
    names = list(subject.space)[:MOST_PANELS]
    columns = min(2, len(names))
    rows = -(-len(names) // columns)
    figure = sheet(0.9 + 2.3 * rows)
    grid = figure.subplots(rows, columns, squeeze=False)
    for index, axes in enumerate(grid.flat):
        if index < len(names):
            _parameter_panel(axes, subject, trials, names[index], label=index % columns == 0)
        else:
            axes.set_axis_off()
    left_out = len(subject.space) - len(names)
    more = f" (the first {len(names)} of {len(subject.space)} parameters)" if left_out else ""
    headline(figure, f"{clean(subject.metric)} against every parameter{more}")
    legend_below(figure, *grid.flat)
    best = subject.best(trials)
    at = ", ".join(param_words(best, name) for name in names) if best else ""
    words = f"{subject.metric} against each of {', '.join(names)}; {len(scored(trials))} trials{more}."
    return finish(figure, f"{words} The best, trial {best.number}, has {at}." if best else words)


def _parameter_panel(axes: Axes, subject: Subject, trials: Sequence[Trial], name: str, label: bool) -> None:
    dimension = subject.space[name]
    ends = metric_axis(axes, subject, trials, label=False)
    if label:
        axes.set_ylabel(clean(subject.metric, 20))
    parameter_axis(axes, "x", name, dimension, most=4)
    xs = places(dimension, name, trials)
    if isinstance(dimension, Categorical):
        xs = xs + jitter(trials, 0.5)
    if isinstance(dimension, Choice) and sum(min(len(value_text(value)), 12) for value in dimension.values) > 20:
        axes.tick_params(axis="x", rotation=30)
    trial_marks(axes, subject, trials, xs, ends)


@in_house_style
def parallel_figure(subject: Subject, trials: Sequence[Trial]) -> Figure | None:
    """Draw every trial as a line across the parameters, the darker the better by the metric, the best thick and orange.

    Each parameter has its own scale; a line has a gap where a trial lacks a value. The first 12 parameters. Of more
    than 1,000 trials a part is drawn, evenly from the worst to the best. None with fewer than two parameters or than
    two trials with a value.
    """
    found, names = subject.ranked(trials), list(subject.space)[:MOST_LINES]
    if len(names) < 2 or len(found) < 2:
        return None
    drawn = subject.spread(trials, MOST_DRAWN)
    figure = sheet(4.2, max(WIDTH, 1.5 + 1.0 * len(names)))
    axes = figure.add_subplot()
    norm, colours = shading(subject, [value_of(trial) for trial in found]), shades(subject)
    values = np.array([value_of(trial) for trial in drawn])
    heights = [_height(subject.space[name], name, drawn) for name in names]
    lines = np.stack([*heights, np.asarray(norm(values), dtype=float)], axis=1)
    _lines(axes, lines, colours(norm(values)))
    for index, name in enumerate(names):
        _upright(axes, index, name, subject.space[name])
    _metric_strip(axes, len(names), subject, norm, colours)
    best = found[0]
    count = f"{len(drawn)} of {len(found)}" if len(drawn) < len(found) else f"{len(found)}"
    part = f" ({count} trials)" if len(drawn) < len(found) else ""
    headline(figure, f"Parallel coordinates: the thick orange line is the best, trial {best.number}{part}")
    ranges = ", ".join(param_words(best, name) for name in names)
    words = f"Parallel coordinates of {count} trials over {', '.join(names)}, coloured by {subject.metric}."
    return finish(figure, f"{words} The best, trial {best.number} with {value_of(best):.6g}, runs through {ranges}.")


def _height(dimension: Dimension, name: str, trials: Sequence[Trial]) -> Array:
    found = unit_places(dimension, name, trials)
    return found + jitter(trials, 0.4 / len(dimension.values)) if isinstance(dimension, Categorical) else found


def _lines(axes: Axes, heights: Array, colours: Array) -> None:
    xs = np.broadcast_to(np.arange(heights.shape[1], dtype=float), heights.shape)
    lines = np.stack([xs, heights], axis=2)
    many = len(lines) > MANY
    look: dict[str, Any] = {"linewidths": 0.6 if many else 1.1, "alpha": min(max(150 / len(lines), 0.1), 0.8)}
    axes.add_collection(LineCollection(list(lines[:-1]), colors=colours[:-1], zorder=2, rasterized=many, **look))
    axes.add_collection(LineCollection(list(lines[-1:]), colors=VERMILLION, linewidths=2.6, zorder=4))


def _upright(axes: Axes, x: int, name: str, dimension: Dimension) -> None:
    axes.axvline(x, color=GREY, linewidth=1, zorder=3)
    axes.text(x, 1.05, clean(name, 16), ha="center", va="bottom", fontsize=9, rotation=0 if len(name) < 10 else 12)
    for height, label in unit_ticks(dimension):
        box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6}
        axes.text(x - 0.03, height, label, ha="right", va="center", fontsize=7.5, zorder=5, bbox=box)


def _metric_strip(axes: Axes, x: int, subject: Subject, norm: Normalize, colours: Colormap) -> None:
    axes.imshow(
        np.linspace(0, 1, 256)[:, None],
        cmap=colours,
        extent=(x, x + 0.12, 0, 1),
        origin="lower",
        aspect="auto",
        zorder=3,
    )
    axes.text(x, 1.05, clean(subject.metric, 16), ha="center", va="bottom", fontsize=9, fontweight="bold")
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 0.0)
    for tick in MaxNLocator(5).tick_values(low, high) if low < high else [low]:
        if low <= tick <= high:
            axes.text(x + 0.16, float(norm(tick)), tick_text(tick), ha="left", va="center", fontsize=8)
    axes.set(xlim=(-0.45, x + 0.55), ylim=(-0.04, 1.04))
    axes.set_axis_off()
