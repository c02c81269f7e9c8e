"""How the metric depends on each parameter and each pair: partial dependence, with the trials that were run.

After Friedman, 2001, https://doi.org/10.1214/aos/1013203451. skopt.plots draws it as well, but took two minutes for
forty trials over four parameters, wants a live optimiser's models and draws through pyplot: so a forest is fitted to
the trials, and its predictions are averaged here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure

from mlflow_tune.report.figures.scales import plain_ticks, shades, unit_ticks
from mlflow_tune.report.figures.style import BLUE, INK, MANY, VERMILLION, clean, finish, headline, in_house_style, sheet
from mlflow_tune.report.forest import Forests
from mlflow_tune.report.places import Array
from mlflow_tune.report.subject import Subject, param_words
from mlflow_tune.space import Categorical, Choice, Dimension
from mlflow_tune.trial import Trial

MOST_PANELS = 4
RESOLUTION = 16
AVERAGED = 100


@dataclass(frozen=True, eq=False)
class Side:
    """One parameter: its column of the unit cube, and the units (k,) at which it is held."""

    name: str
    dimension: Dimension
    column: int
    units: Array


@dataclass(frozen=True, eq=False)
class Dependence:
    """The sides, and the average prediction by pair of sides (row, column): along one side (k,), over two (k, m)."""

    sides: tuple[Side, ...]
    along: dict[int, Array]
    over: dict[tuple[int, int], Array]


def dependence_of(subject: Subject, trials: Sequence[Trial], forests: Forests | None = None) -> Dependence | None:
    """Return the partial dependence on the parameters that the forests split by most, at most four.

    Values far on the worse side count as the end of the axis. None with one parameter, and with fewer than
    `forest.least_trials` trials that have a value. `forests` are those that are fitted to these trials already.
    """
    forests = forests or Forests(subject, trials)
    if len(subject.space) < 2 or not forests.enough:
        return None
    first = np.argsort(-forests.splits, kind="stable")[:MOST_PANELS]
    names = list(subject.space)
    sides = tuple(_side(names[column], subject.space[names[column]], int(column)) for column in first)
    sample = forests.rows[:: -(-len(forests.rows) // AVERAGED)]
    along = {index: _average(forests, sample, (side,)) for index, side in enumerate(sides)}
    over = {
        (row, column): _average(forests, sample, (sides[row], sides[column]))
        for row, column in product(range(len(sides)), repeat=2)
        if column < row
    }
    return Dependence(sides, along, over)


def _side(name: str, dimension: Dimension, column: int) -> Side:
    count = min(len(dimension.values), 4 * RESOLUTION) if isinstance(dimension, Choice) else RESOLUTION
    return Side(name, dimension, column, (np.arange(count) + 0.5) / count)


def _average(forests: Forests, sample: Array, sides: tuple[Side, ...]) -> Array:
    """Return the mean prediction over the sample with the sides held at each of their units: (k,) or (k, m)."""
    held = np.array(list(product(*(side.units for side in sides))))
    points = np.tile(sample, (len(held), 1))
    for index, side in enumerate(sides):
        points[:, side.column] = np.repeat(held[:, index], len(sample))
    means = forests.predict(points).reshape(len(held), len(sample)).mean(axis=1)
    return np.reshape(means, [len(side.units) for side in sides])


@in_house_style
def dependence_figure(subject: Subject, trials: Sequence[Trial], forests: Forests | None = None) -> Figure | None:
    """Draw the partial dependence: along each parameter on the diagonal, over each pair below it, with the trials.

    None as `dependence_of`.
    """
    forests = forests or Forests(subject, trials)
    found = dependence_of(subject, trials, forests)
    if found is None:
        return None
    count = len(found.sides)
    figure = sheet(0.9 + 1.8 * count, 0.9 + 1.95 * count)
    grid = figure.subplots(count, count, squeeze=False)
    used, rows = forests.used, forests.rows
    best = subject.best(used)
    star = None if best is None else rows[[trial.number for trial in used].index(best.number)]
    drawn = np.concatenate([each.ravel() for each in (*found.along.values(), *found.over.values())])
    norm = Normalize(float(drawn.min()), float(drawn.max()))
    for (row, column), axes in np.ndenumerate(grid):
        if column > row:
            axes.set_axis_off()
            continue
        if column == row:
            _along(axes, found, row, rows, norm)
        else:
            _over(axes, found, (row, column), rows, norm, shades(subject))
        _mark(axes, found, (row, column), star)
        _ticks(axes, found, (row, column))
    _colour_bar(grid[0, -1], subject, norm)
    headline(figure, f"Partial dependence of {clean(subject.metric)}; dots are trials, the star is the best")
    return finish(figure, _words(subject, found, best, forests.words))


def _along(axes: Axes, found: Dependence, index: int, rows: Array, norm: Normalize) -> None:
    side, means = found.sides[index], found.along[index]
    if isinstance(side.dimension, Categorical):
        axes.plot(side.units, means, "o", color=BLUE)
    elif isinstance(side.dimension, Choice):
        axes.plot(side.units, means, "o-", color=BLUE, linewidth=1.8)
    else:
        axes.plot(side.units, means, color=BLUE, linewidth=1.8)
    low, high = float(norm.vmin or 0.0), float(norm.vmax or 0.0)
    margin = 0.1 * (high - low) or 0.5
    axes.set(xlim=(0, 1), ylim=(low - margin, high + margin))
    plain_ticks(axes.yaxis)
    axes.scatter(
        rows[:, side.column],
        np.full(len(rows), low - margin),
        marker="|",
        s=30,
        color=INK,
        linewidths=1,
        alpha=0.5,
        rasterized=len(rows) > MANY,
    )


def _over(
    axes: Axes, found: Dependence, cell: tuple[int, int], rows: Array, norm: Normalize, colours: Colormap
) -> None:
    look: dict[str, Any] = {"origin": "lower", "aspect": "auto", "extent": (0, 1, 0, 1), "interpolation": "nearest"}
    axes.imshow(found.over[cell], cmap=colours, norm=norm, **look)
    y, x = (found.sides[index].column for index in cell)
    axes.scatter(
        rows[:, x],
        rows[:, y],
        s=9,
        color=INK,
        edgecolors="white",
        linewidths=0.4,
        clip_on=False,
        zorder=3,
        rasterized=len(rows) > MANY,
    )
    axes.grid(visible=False)


def _colour_bar(axes: Axes, subject: Subject, norm: Normalize) -> None:
    """Draw the scale of the colours into the corner where no panel is."""
    if (figure := axes.get_figure(root=True)) is not None:
        bar = figure.colorbar(ScalarMappable(norm, shades(subject)), cax=axes.inset_axes((0.45, 0.0, 0.1, 1.0)))
        bar.set_label(clean(subject.metric, 20))
        bar.ax.tick_params(labelsize=8)


def _mark(axes: Axes, found: Dependence, cell: tuple[int, int], star: Array | None) -> None:
    if star is None:
        return
    y, x = (float(star[found.sides[index].column]) for index in cell)
    if cell[0] == cell[1]:
        axes.axvline(x, color=VERMILLION, linestyle="--", linewidth=1.2)
    else:
        axes.scatter([x], [y], s=130, marker="*", color=VERMILLION, edgecolors="white", zorder=4, clip_on=False)


def _ticks(axes: Axes, found: Dependence, cell: tuple[int, int]) -> None:
    row, column = cell
    places, labels = zip(*unit_ticks(found.sides[column].dimension, most=5), strict=True)
    bottom = row == len(found.sides) - 1
    axes.set_xticks(places, labels if bottom else [], rotation=30, fontsize=8)
    if bottom:
        axes.set_xlabel(clean(found.sides[column].name, 18))
    if row == column:
        axes.yaxis.tick_right()
        axes.tick_params(axis="y", labelsize=8)
        return
    places, labels = zip(*unit_ticks(found.sides[row].dimension, most=5), strict=True)
    axes.set_yticks(places, labels if column == 0 else [], fontsize=8)
    if column == 0:
        axes.set_ylabel(clean(found.sides[row].name, 18))


def _words(subject: Subject, found: Dependence, best: Trial | None, fitted: str) -> str:
    parts = []
    for index, side in enumerate(found.sides):
        low, high = float(found.along[index].min()), float(found.along[index].max())
        parts.append(f"{side.name} moves it from {low:.4g} to {high:.4g}")
    words = f"Partial dependence of {subject.metric}, by random forests on {fitted}: {', '.join(parts)}."
    if best is None:
        return words
    at = ", ".join(param_words(best, side.name) for side in found.sides)
    return f"{words} The best trial, {best.number}, is at {at}."
