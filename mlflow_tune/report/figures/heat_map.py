"""The heat map of a grid over two parameters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from mlflow_tune.report.figures.scales import metric_label, shades, shading
from mlflow_tune.report.figures.style import GREY, INK, VERMILLION, clean, finish, headline, in_house_style, sheet
from mlflow_tune.report.places import Array, places
from mlflow_tune.report.subject import Subject, param_words, scored, value_of, without_value
from mlflow_tune.space import Choice, Dimension
from mlflow_tune.text import rounded, tick_text, value_text
from mlflow_tune.trial import Trial

MOST_CELLS = 400
WRITTEN_CELLS = 150
MOST_PARAMETERS = 12
FULL = 0.8  # of a lattice's cells, so many must have been tried


@dataclass(frozen=True)
class Lattice:
    """The trials of two parameters by cell: `cells[row][column]` holds those with value `ys[row]` and `xs[column]`."""

    names: tuple[str, str]
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    cells: tuple[tuple[tuple[Trial, ...], ...], ...]


def lattice_of(subject: Subject, trials: Sequence[Trial], pair: tuple[str, str]) -> Lattice | None:
    """Return the lattice that the ended trials form over two parameters.

    None unless each has two or more values, the lattice at most 400 cells, and four fifths of these a trial.
    """
    ended = [trial for trial in trials if trial.done]
    return _lattice(ended, pair, [places(subject.space[name], name, ended) for name in pair])


def _lattice(ended: Sequence[Trial], pair: tuple[str, str], known: Sequence[Array]) -> Lattice | None:
    """Return the lattice of trials that stand at the `known` places (n,) of the two parameters."""
    sides = [np.unique(column[~np.isnan(column)]) for column in known]
    if min(map(len, sides)) < 2 or len(sides[0]) * len(sides[1]) > MOST_CELLS:
        return None
    found: dict[tuple[float, float], list[Trial]] = {}
    for x, y, trial in zip(known[0].tolist(), known[1].tolist(), ended, strict=True):
        if not math.isnan(x) and not math.isnan(y):
            found.setdefault((x, y), []).append(trial)
    if len(found) < FULL * len(sides[0]) * len(sides[1]):
        return None
    xs, ys = tuple(sides[0].tolist()), tuple(sides[1].tolist())
    return Lattice(pair, xs, ys, tuple(tuple(tuple(found.get((x, y), ())) for x in xs) for y in ys))


@in_house_style
def heat_map_figure(subject: Subject, trials: Sequence[Trial]) -> Figure | None:
    """Draw the lattice of two parameters, the metric as colour and number in each cell, and the best one marked.

    A cell of several trials has the best of them, over the other parameters. Of several lattices the one with the
    most cells is drawn. None when there is none, as with a random search, or when no trial has a value.
    """
    ended, names = [trial for trial in trials if trial.done], list(subject.space)[:MOST_PARAMETERS]
    known = {name: places(subject.space[name], name, ended) for name in names}
    pairs = [_lattice(ended, (a, b), (known[a], known[b])) for a, b in combinations(names, 2)]
    lattices = [lattice for lattice in pairs if lattice is not None]
    if not lattices or not scored(trials):
        return None
    lattice = max(lattices, key=lambda each: len(each.xs) * len(each.ys))
    bests = [[subject.best(cell) for cell in row] for row in lattice.cells]
    values = np.array([[value_of(best) if best else math.nan for best in row] for row in bests])
    figure = sheet(1.6 + min(0.42 * max(len(lattice.ys), 4), 6.0))
    axes = figure.add_subplot()
    norm, colours = shading(subject, values.ravel()), shades(subject)
    shown = axes.imshow(np.ma.masked_invalid(values), cmap=colours, norm=norm, origin="lower", aspect="auto")
    figure.colorbar(shown, ax=axes, label=metric_label(subject))
    _cells(axes, lattice, values, norm, colours)
    _cell_ticks(axes, subject, lattice)
    best = subject.best([trial for row in lattice.cells for cell in row for trial in cell])
    _frame_best(axes, bests, best)
    over = f", the best over {len(subject.space) - 2} more" if len(subject.space) > 2 else ""
    headline(
        figure, f"{clean(subject.metric)} over {clean(lattice.names[0], 16)} and {clean(lattice.names[1], 16)}{over}"
    )
    return finish(figure, _lattice_words(subject, lattice, best, over))


def _cells(axes: Axes, lattice: Lattice, values: Array, norm: Normalize, colours: Colormap) -> None:
    small = len(lattice.xs) > 8
    for (row, column), value in np.ndenumerate(values):
        if math.isnan(value):
            failed = without_value(lattice.cells[row][column])
            label, colour = ("failed" if failed else "", INK)
            axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, hatch="////", edgecolor=GREY, lw=0))
        else:
            light = float(np.dot(colours(float(norm(value)))[:3], [0.299, 0.587, 0.114]))
            label, colour = f"{value:.3g}", "white" if light < 0.55 else INK
        if values.size <= WRITTEN_CELLS:
            box = {"facecolor": "white", "edgecolor": "none", "pad": 1} if math.isnan(value) and label else None
            axes.text(column, row, label, ha="center", va="center", color=colour, fontsize=7 if small else 9, bbox=box)


def _cell_ticks(axes: Axes, subject: Subject, lattice: Lattice) -> None:
    for axis, name, places_ in ((axes.xaxis, lattice.names[0], lattice.xs), (axes.yaxis, lattice.names[1], lattice.ys)):
        dimension = subject.space[name]
        words = [_tick_words(dimension, at) for at in places_]
        axis.set_ticks(range(len(words)), labels=words)
        axis.set_label_text(clean(name, 24))
    if len(lattice.xs) > 6:
        axes.tick_params(axis="x", rotation=45)
    axes.tick_params(length=0)
    axes.grid(visible=False)


def _tick_words(dimension: Dimension, at: float) -> str:
    if isinstance(dimension, Choice):
        return clean(value_text(dimension.values[int(at)]), 12)
    return tick_text(rounded(at, 3))


def _frame_best(axes: Axes, bests: Sequence[Sequence[Trial | None]], best: Trial | None) -> None:
    for row, found in enumerate(bests):
        for column, trial in enumerate(found):
            if best is not None and trial is best:
                look: dict[str, Any] = {"fill": False, "edgecolor": VERMILLION, "linewidth": 3, "zorder": 4}
                axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, clip_on=False, label="best", **look))


def _lattice_words(subject: Subject, lattice: Lattice, best: Trial | None, over: str) -> str:
    across, up = lattice.names
    size = f"{len(lattice.xs)} by {len(lattice.ys)} values"
    words = f"Heat map of {subject.metric} over {across} and {up}, {size}{over}."
    if best is None:
        return words
    where = f"{param_words(best, across)}, {param_words(best, up)}"
    return f"{words} The best cell is {where} with {value_of(best):.6g}, trial {best.number}."
