"""Where values stand on an axis: parameters on their own scales, and the metric with its far-out values at the edge."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from mlflow_tune.report.figures.style import BLUE, GREY, INK, MANY, VERMILLION, clean
from mlflow_tune.report.places import Array, limits, within_reach
from mlflow_tune.report.subject import Subject, scored, value_of, without_value
from mlflow_tune.space import Choice, Dimension, Float, Int
from mlflow_tune.text import tick_text, value_text
from mlflow_tune.text.numbers import digits_between
from mlflow_tune.trial import Trial

BAND = 1.96  # standard deviations: 95 % of a normal distribution
MOST_LOG = 705.0  # of what a float holds
MOST_LABELS = 14
TAIL = 0.2  # of the metric's axis, for what lies far on its worse side


def parameter_axis(axes: Axes, which: Literal["x", "y"], name: str, dimension: Dimension, most: int = 6) -> None:
    """Name the x or y axis after the parameter, and give it the parameter's scale, range and about `most` ticks."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    label = clean(name, 20) + (" (log scale)" if dimension.log else "")
    axes.set(**{f"{which}label": label})
    if isinstance(dimension, Choice):
        shown = _thinned(len(dimension.values))
        axes.set(**{f"{which}lim": (-0.6, len(dimension.values) - 0.4)})
        axis.set_ticks(shown, labels=[clean(value_text(dimension.values[index]), 12) for index in shown])
    elif dimension.log:
        low, high = math.log(dimension.low), math.log(dimension.high)
        margin = 0.04 * (high - low) or 0.5
        ends = math.exp(max(low - margin, -MOST_LOG)), math.exp(min(high + margin, MOST_LOG))
        axes.set(**{f"{which}scale": "log", f"{which}lim": ends})
        log_ticks(axis, high - low, most)
    else:
        low, high = within_reach(dimension.low), within_reach(dimension.high)
        margin = 0.04 * (high - low) or 0.1 * abs(low) or 0.5
        axes.set(**{f"{which}lim": (low - margin, high + margin)})
        axis.set_major_locator(MaxNLocator(most - 1, integer=isinstance(dimension, Int)))
        plain_ticks(axis)


def log_ticks(axis: Axis, spread: float, most: int = 6) -> None:
    """Give a log axis few ticks, in plain numbers; `spread` is the natural logarithm of its high over its low."""
    few = spread < math.log(100)
    axis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 5.0) if few else (1.0,), numticks=most))
    axis.set_minor_locator(NullLocator())
    plain_ticks(axis)


def plain_ticks(axis: Axis) -> None:
    """Write the ticks as plain short numbers, which differ from one another."""

    def told(value: float, _: int | None) -> str:
        return tick_text(value, digits_between(*sorted(axis.get_view_interval())))

    axis.set_major_formatter(FuncFormatter(told))


def _thinned(count: int) -> list[int]:
    step = -(-count // MOST_LABELS)
    return list(range(0, count, step))


def unit_ticks(dimension: Dimension, most: int = 6) -> list[tuple[float, str]]:
    """Return about `most` ticks of an axis from 0 to 1 on the dimension's scale: where they stand, and their labels."""
    if isinstance(dimension, Choice):
        step = -(-len(dimension.values) // (most + 4))
        return [(dimension.to_unit(value), clean(value_text(value), 10)) for value in dimension.values[::step]]
    if dimension.size == 1:
        return [(dimension.to_unit(dimension.low), tick_text(dimension.low))]
    locator = LogLocator(10, subs=(1.0,), numticks=most) if dimension.log else MaxNLocator(most - 2)
    ends = (dimension.low, dimension.high) if dimension.log else map(within_reach, (dimension.low, dimension.high))
    inner = [float(tick) for tick in locator.tick_values(*ends)]
    inner = [tick for tick in inner if math.isfinite(tick)]
    kept = inner if isinstance(dimension, Float) else [round(tick) for tick in inner]
    ticks = [tick for tick in kept if dimension.low <= tick <= dimension.high]
    if dimension.size is not None:  # with steps between, a tick stands where there is a value
        ticks = [dimension.at(dimension.nearest(tick)) for tick in ticks]
    spread = [(dimension.to_unit(tick), tick_text(tick)) for tick in dict.fromkeys(ticks)]
    if len(spread) > 1:
        return spread
    return [(dimension.to_unit(end), tick_text(end)) for end in (dimension.low, dimension.high)]


def metric_label(subject: Subject) -> str:
    """Return the metric's name for an axis, with what is better."""
    return f"{clean(subject.metric, 16)} ({subject.sense})"


def metric_axis(axes: Axes, subject: Subject, trials: Sequence[Trial], label: bool = True) -> tuple[float, float]:
    """Give the vertical axis the metric's range, and its name if `label`; return the range.

    Values far on the worse side do not squash the others: beyond a line that says so, the axis is compressed.
    """
    low, high = limits([value_of(trial) for trial in scored(trials)], subject.goal)
    if (best := subject.best(trials)) is not None:
        # Where a constraint holds, the best may lie far from the values that break it.
        margin, value = 0.05 * (high - low), within_reach(value_of(best))
        low, high = min(low, value - margin), max(high, value + margin)
    values = [within_reach(value_of(trial)) for trial in scored(trials) if math.isfinite(value_of(trial))]
    low, high = _with_far_out_values(axes, low, high, [*values, low, high])
    plain_ticks(axes.yaxis)
    if label:
        axes.set_ylabel(metric_label(subject))
    return low, high


def _with_far_out_values(axes: Axes, low: float, high: float, values: Sequence[float]) -> tuple[float, float]:
    """Give the vertical axis these ends, and room for values beyond one of them on a compressed part, which is told.

    Return the ends that hold all values.
    """
    least, most = min(values), max(values)
    if low <= least and most <= high:
        axes.set_ylim(low, high)
        return low, high
    knee, end = (high, most) if most > high else (low, least)
    span, sign = high - low, 1.0 if most > high else -1.0
    room = TAIL * span / math.log1p(abs(end - knee) / span)

    def forward(ys: Any) -> Any:
        beyond = np.maximum(sign * (np.asarray(ys, dtype=float) - knee), 0.0)
        return np.where(beyond > 0, knee + sign * room * np.log1p(beyond / span), ys)

    def inverse(ys: Any) -> Any:
        beyond = np.maximum(sign * (np.asarray(ys, dtype=float) - knee), 0.0)
        return np.where(beyond > 0, knee + sign * span * np.expm1(beyond / room), ys)

    axes.set_yscale("function", functions=(forward, inverse))
    edge = float(inverse(forward(end) + sign * 0.04 * span))
    axes.set_ylim(min(low, edge), max(high, edge))
    ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high]
    axes.set_yticks([*ticks, end])
    axes.yaxis.set_minor_locator(NullLocator())
    axes.axhline(knee, color=GREY, linewidth=0.8, linestyle=":")
    told = f"compressed {'above' if sign > 0 else 'below'} {tick_text(knee)}"
    axes.annotate(
        told,
        xy=(1, knee),
        xytext=(0, 2),
        fontsize=7.5,
        color=GREY,
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        ha="right",
    )
    return min(low, edge), max(high, edge)


def trial_marks(axes: Axes, subject: Subject, trials: Sequence[Trial], xs: Array, ends: tuple[float, float]) -> None:
    """Draw a mark a trial at `xs` (n,): its value, or at the worse edge those that failed.

    The vertical axis ends at `ends`. Trials that break the constraint are hollow; the best one has a star.
    """
    at = {trial.number: float(x) for trial, x in zip(trials, xs, strict=True)}
    worse = ends[1] if subject.goal == "minimize" else ends[0]
    size = 24 if len(at) <= MANY else 8
    looks: dict[str, dict[str, Any]] = {
        "trial": {"s": size, "color": BLUE, "alpha": 0.75, "linewidths": 0},
        "breaks the constraint": {"s": size, "facecolors": "white", "edgecolors": BLUE},
        "without a value": {"s": size, "color": INK, "marker": "x", "linewidths": 1.2, "clip_on": False},
    }
    for label, marks in _by_look(subject, trials).items():
        ys = [min(max(value_of(trial), ends[0]), ends[1]) if trial.value is not None else worse for trial in marks]
        xs = np.array([at[trial.number] for trial in marks])
        axes.scatter(xs, ys, label=label, zorder=3, rasterized=len(marks) > MANY, **looks[label])
    if (best := subject.best(trials)) is not None:
        look: dict[str, Any] = {"s": 170, "marker": "*", "color": VERMILLION, "edgecolors": "white", "zorder": 5}
        axes.scatter([at[best.number]], [value_of(best)], label="best", **look)


def _by_look(subject: Subject, trials: Sequence[Trial]) -> dict[str, list[Trial]]:
    found: dict[str, list[Trial]] = {}
    for trial in [*scored(trials), *without_value(trials)]:
        if trial.value is None:
            look = "without a value"
        else:
            look = "breaks the constraint" if trial.number in subject.unmet else "trial"
        found.setdefault(look, []).append(trial)
    return found


def legend_below(figure: Figure, *panels: Axes, columns: int | None = None) -> None:
    """Put the legend of the panels under the figure, where it hides nothing; what has one name is told once."""
    found: dict[str, Artist] = {}
    for axes in panels:
        handles, labels = axes.get_legend_handles_labels()
        found |= {label: handle for handle, label in zip(handles, labels, strict=True) if label not in found}
    if found:
        columns = columns or (len(found) if len(found) <= 4 else 3)
        figure.legend(list(found.values()), list(found), loc="outside lower center", ncols=columns)


def shades(subject: Subject) -> ListedColormap:
    """Return the colours of the metric: the better the darker, without the yellow that is faint on white."""
    base = colormaps["viridis"](np.linspace(0.0, 0.92, 256))
    return ListedColormap(base if subject.goal == "minimize" else base[::-1])


def shading(subject: Subject, values: Sequence[float] | Array) -> Normalize:
    """Return the scale from values to `shades`; values far on the worse side have the last colour."""
    low, high = limits(values, subject.goal)
    finite = [value for value in values if math.isfinite(value)]
    margin = 0.06 / 1.12 * (high - low) if len(set(finite)) > 1 else 0.0
    return Normalize(low + margin, high - margin, clip=True)
