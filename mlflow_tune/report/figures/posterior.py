"""What a model believed of one parameter before it chose a trial: the picture of Bayesian optimisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from mlflow_tune.report.figures.scales import BAND, legend_below, log_ticks, parameter_axis, plain_ticks
from mlflow_tune.report.figures.style import BLUE, clean, finish, headline, in_house_style, sheet
from mlflow_tune.report.places import Array
from mlflow_tune.report.posterior import PosteriorSlice
from mlflow_tune.space import Choice, Dimension

RED = "#D00000"
MOST = 24
COLUMNS = 4


@in_house_style
def posterior_figure(posterior: PosteriorSlice) -> Figure | None:
    """Draw the posterior, and below it the acquisition with the chosen next point. None without places or a trial.

    Trials are black points, the predicted mean a black line, the band of 95 % grey, the true function red dots, the
    acquisition (or the uncertainty) blue.
    """
    if not posterior.xs or not posterior.observed_x:
        return None
    figure = sheet(4.6)
    above, below = _two_panels(figure)
    _belief(above, posterior, _range([posterior]))
    _choice(below, posterior)
    name = clean(posterior.parameter, 24)
    headline(figure, f"What the model believed before trial {posterior.number}")
    above.set_ylabel(clean(posterior.metric, 20))
    below.set_xlabel(f"{name} (log scale)" if posterior.log else name)
    below.set_ylabel(clean(posterior.acquisition_name, 12), color=BLUE)
    legend_below(figure, above, below)
    return finish(figure, _words(posterior))


@in_house_style
def prior_figure(metric: str, name: str, dimension: Dimension, reference: Sequence[float] = ()) -> Figure:
    """Draw what is known of one parameter before the first trial: its range, and the true function where it is given.

    `reference` are that function's values, evenly over the parameter's scale.
    """
    figure = sheet(4.6)
    axes = figure.add_subplot()
    parameter_axis(axes, "x", name, dimension)
    if reference and not isinstance(dimension, Choice):
        xs = [float(dimension.from_unit(unit)) for unit in np.linspace(0, 1, len(reference))]
        axes.plot(xs, reference, color=RED, linestyle=":", linewidth=1.8, label="true function")
        plain_ticks(axes.yaxis)
    else:
        axes.set_yticks([])
    axes.text(0.5, 0.5, "no trial yet:\nthe model knows nothing", ha="center", va="center", transform=axes.transAxes)
    axes.set_ylabel(clean(metric, 20))
    headline(figure, "Before the first trial")
    legend_below(figure, axes)
    return finish(figure, f"Before the first trial nothing is known of {metric} over the range of {name}.")


@in_house_style
def posterior_grid(posteriors: Sequence[PosteriorSlice]) -> Figure | None:
    """Draw all posteriors in one picture, in rows of four, on one vertical scale. None when none can be drawn.

    Of more than 24 the first 12 and the last 12 are drawn.
    """
    known = [each for each in posteriors if each.xs and each.observed_x]
    drawn = known if len(known) <= MOST else [*known[: MOST // 2], *known[-MOST // 2 :]]
    if not drawn:
        return None
    columns = min(COLUMNS, len(drawn))
    rows = -(-len(drawn) // columns)
    figure = sheet(0.9 + 2.6 * rows, max(3.0 * columns, 5.0))
    parts = np.atleast_1d(figure.subfigures(rows, columns, squeeze=False)).ravel()
    ends = _range(drawn)
    for part, each in zip(parts, drawn, strict=False):
        above, below = _two_panels(part)
        _belief(above, each, ends)
        _choice(below, each)
        above.set_title(f"before trial {each.number}", fontsize=10)
    legend_below(figure, above, below)
    first = drawn[0]
    title = (
        f"{clean(first.metric, 24)} against {clean(first.parameter)}; below in blue: {clean(first.acquisition_name)}"
    )
    left_out = len(known) - len(drawn)
    headline(figure, f"{title} ({left_out} in the middle left out)" if left_out else title)
    return finish(figure, f"{len(drawn)} pictures of the model, a trial each. " + " ".join(map(_words, drawn)))


def _two_panels(figure: Figure | SubFigure) -> tuple[Axes, Axes]:
    above, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    return above, below


def _belief(axes: Axes, posterior: PosteriorSlice, ends: tuple[float, float]) -> None:
    xs, mean, std = (np.asarray(each, dtype=float) for each in (posterior.xs, posterior.mean, posterior.std))
    axes.fill_between(xs, mean - BAND * std, mean + BAND * std, color="#BDBDBD", alpha=0.6, lw=0, label="95 % band")
    axes.plot(xs, mean, color="black", linewidth=1.5, label="predicted mean")
    if posterior.reference is not None:
        axes.plot(xs, posterior.reference, color=RED, linestyle=":", linewidth=1.8, label="true function")
    axes.plot(posterior.observed_x, posterior.observed_y, "o", color="black", markersize=5, label="trial", zorder=4)
    axes.axvline(posterior.next_x, color=BLUE, linestyle="--", linewidth=0.9)
    axes.set_ylim(*ends)
    plain_ticks(axes.yaxis)
    axes.yaxis.set_major_locator(MaxNLocator(5))


def _choice(axes: Axes, posterior: PosteriorSlice) -> None:
    xs, height = np.asarray(posterior.xs, dtype=float), np.asarray(posterior.acquisition, dtype=float)
    axes.plot(xs, height, color=BLUE, linewidth=1.4)
    chosen = float(height[int(np.abs(_scaled(xs, posterior.log) - _scaled(posterior.next_x, posterior.log)).argmin())])
    axes.axvline(posterior.next_x, color=BLUE, linestyle="--", linewidth=0.9)
    axes.plot([posterior.next_x], [chosen], "v", color=BLUE, markersize=8, label="next point", zorder=4, clip_on=False)
    low, high = float(np.nanmin(height)), float(np.nanmax(height))
    margin = 0.15 * (high - low) or 0.1 * abs(high) or 0.5
    axes.set_ylim(low - margin, high + 1.6 * margin)
    axes.yaxis.set_major_locator(MaxNLocator(2))
    plain_ticks(axes.yaxis)
    if posterior.log:
        axes.set_xscale("log")
        log_ticks(axes.xaxis, math.log(float(xs[-1]) / float(xs[0])))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5))
        plain_ticks(axes.xaxis)


def _scaled(xs: Any, log: bool) -> Array:
    return np.asarray(np.log(xs) if log else xs, dtype=float)


def _range(posteriors: Sequence[PosteriorSlice]) -> tuple[float, float]:
    """Return the ends of the vertical axis: all means, trials and the true function, and a part of the bands."""
    seen = [
        value for each in posteriors for part in (each.mean, each.observed_y, each.reference or ()) for value in part
    ]
    low, high = float(np.nanmin(seen)), float(np.nanmax(seen))
    reach = 0.35 * (high - low) or 0.1 * abs(low) or 0.5
    bands = [
        (np.asarray(each.mean) - BAND * np.asarray(each.std), np.asarray(each.mean) + BAND * np.asarray(each.std))
        for each in posteriors
    ]
    lowest = min(float(np.nanmin(under)) for under, _ in bands)
    highest = max(float(np.nanmax(over)) for _, over in bands)
    margin = 0.06 * reach
    return max(low - reach, min(lowest, low)) - margin, min(high + reach, max(highest, high)) + margin


def _words(posterior: PosteriorSlice) -> str:
    best = max(range(len(posterior.xs)), key=lambda index: posterior.std[index])
    return (
        f"Before trial {posterior.number} the model saw {len(posterior.observed_x)} trials of {posterior.parameter}, "
        f"was least sure at {posterior.xs[best]:.4g} (standard deviation {posterior.std[best]:.3g}) and by "
        f"{posterior.acquisition_name} chose {posterior.next_x:.6g}."
    )
