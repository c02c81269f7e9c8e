"""Figures of how a study went: the best so far, the learning curves, the bracket of a bisection."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlflow_tune.report.figures.scales import (
    legend_below,
    metric_axis,
    metric_label,
    parameter_axis,
    plain_ticks,
    trial_marks,
)
from mlflow_tune.report.figures.style import (
    BLUE,
    GREEN,
    INK,
    MANY,
    ORANGE,
    VERMILLION,
    clean,
    finish,
    headline,
    in_house_style,
    sheet,
)
from mlflow_tune.report.places import limits, places, within_reach
from mlflow_tune.report.subject import Subject, scored, value_of, without_value
from mlflow_tune.space import Categorical, Dimension, Ordinal
from mlflow_tune.strategies import Constraint
from mlflow_tune.text import plural, some_of
from mlflow_tune.trial import Trial, best_so_far

Curves = Mapping[int, Sequence[tuple[int, float]]]


@in_house_style
def best_so_far_figure(subject: Subject, trials: Sequence[Trial]) -> Figure | None:
    """Draw every trial's value against its number, and the best so far as a line; failed ones at the worse edge.

    None while no trial has a value.
    """
    found = scored(trials)
    if not found:
        return None
    figure = sheet(3.8)
    axes = figure.add_subplot()
    ends = metric_axis(axes, subject, trials)
    numbers = np.array([trial.number for trial in trials], dtype=float)
    trial_marks(axes, subject, trials, numbers, ends)
    steps = best_so_far([trial for trial in found if trial.number not in subject.unmet], subject.goal)
    _step_line(axes, steps, int(numbers.max()))
    _trial_number_axis(axes, numbers)
    headline(figure, f"Best {clean(subject.metric)} so far")
    legend_below(figure, axes)
    return finish(figure, f"{_found_words(subject, steps, len(found))} {_failed_words(trials)}")


def _step_line(axes: Axes, steps: Sequence[Trial], last: int) -> None:
    if steps:
        xs = [*(trial.number for trial in steps), last]
        ys = [within_reach(value_of(trial)) for trial in (*steps, steps[-1])]
        axes.step(xs, ys, where="post", color=VERMILLION, linewidth=1.6, zorder=4, label="best so far")


def _trial_number_axis(
    axes: Axes, numbers: Sequence[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]
) -> None:
    low, high = float(min(numbers)), float(max(numbers))
    margin = max(0.03 * (high - low), 0.5)
    axes.set_xlim(low - margin, high + margin)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_xlabel("trial")


def _found_words(subject: Subject, steps: Sequence[Trial], count: int) -> str:
    words = f"Best {subject.metric} so far against the trial's number, {count} trials with a value."
    if not steps:
        return f"{words} None of them meets the constraint."
    first, last = steps[0], steps[-1]
    if first is last:
        return f"{words} The best is {value_of(last):.6g}, of trial {last.number}."
    return (
        f"{words} The best goes from {value_of(first):.6g} (trial {first.number}) to {value_of(last):.6g} "
        f"(trial {last.number}) in {len(steps) - 1} improvements."
    )


def _failed_words(trials: Sequence[Trial]) -> str:
    failed = [trial.number for trial in without_value(trials)]
    return f"Without a value ended {numbered(failed)}." if failed else ""


def numbered(numbers: Sequence[int], most: int = 10) -> str:
    """Return trials in words: `trials 3, 7, 9`, at most so many of them by number."""
    return f"{plural('trial', len(numbers))} {some_of(numbers, most)}"


@in_house_style
def learning_curves_figure(subject: Subject, trials: Sequence[Trial], curves: Curves) -> Figure | None:
    """Draw the metric against the step for every trial that logged it more than once, the best one bold.

    `curves` are (step, value) by trial number. A curve of a trial that failed, or was stopped, ends in a cross. None
    without such a curve.
    """
    known = {trial.number: trial for trial in trials}
    drawn = {number: _finite(curve) for number, curve in sorted(curves.items()) if number in known}
    drawn = {number: curve for number, curve in drawn.items() if len(curve) > 1}
    if not drawn:
        return None
    figure = sheet(3.8)
    axes = figure.add_subplot()
    best = subject.best([trial for number, trial in known.items() if number in drawn])
    for number, curve in drawn.items():
        _curve(axes, curve, known[number], best is not None and number == best.number)
    axes.set_ylim(*limits([value for curve in drawn.values() for _, value in curve], subject.goal))
    plain_ticks(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set(xlabel="step", ylabel=metric_label(subject))
    headline(figure, "Learning curves")
    legend_below(figure, axes)
    words = f"Learning curves: {subject.metric} against the step, {len(drawn)} trials."
    bold = f" The best, trial {best.number}, ends at {drawn[best.number][-1][1]:.6g}." if best else ""
    return finish(figure, f"{words}{bold} {_failed_words([known[number] for number in drawn])}")


def _finite(curve: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    return sorted((step, within_reach(value)) for step, value in curve if math.isfinite(value))


def _curve(axes: Axes, curve: Sequence[tuple[int, float]], trial: Trial, best: bool) -> None:
    steps, values = zip(*curve, strict=True)
    if best:
        axes.plot(steps, values, color=VERMILLION, linewidth=2.6, zorder=4, label=f"best (trial {trial.number})")
    elif trial.done and trial.value is None:
        colour, label = (ORANGE, "stopped") if trial.outcome == "pruned" else (INK, "failed")
        axes.plot(steps, values, color=colour, linewidth=1.0, alpha=0.7, zorder=3, label=label)
        axes.plot(steps[-1:], values[-1:], color=colour, marker="x", zorder=3)
    else:
        axes.plot(steps, values, color=BLUE, linewidth=0.9, alpha=0.35, zorder=2, label="trial")


@in_house_style
def bracket_figure(
    subject: Subject,
    trials: Sequence[Trial],
    constraint: Constraint | None = None,
    last: tuple[float, float] | None = None,
) -> Figure | None:
    """Draw how a bisection closed in: above, the bracket and the points by trial; below, what was seen at them.

    `constraint` is that of a boundary search: points are then coloured by whether they meet it. `last` is the
    bracket that the trials leave. None unless the space has one parameter with an order and a trial logged its bracket.
    """
    found = [trial for trial in sorted(trials, key=lambda trial: trial.number) if _has_bracket(trial)]
    name, dimension = next(iter(subject.space.items()))
    if not found or len(subject.space) != 1 or isinstance(dimension, Categorical):
        return None
    figure = sheet(6.0)
    above, below = figure.subplots(2, 1)
    _bracket_band(above, found, last, dimension)
    parameter_axis(above, "y", name, dimension)
    known = places(dimension, name, trials)
    numbers = np.array([trial.number for trial in trials], dtype=float)
    _closing_points(above, trials, numbers, known, constraint)
    _trial_number_axis(above, [*numbers, numbers.max() + (last is not None)])
    headline(figure, f"The bracket of {clean(name)}, trial by trial")
    parameter_axis(below, "x", name, dimension)
    _seen(below, subject, trials, known, constraint)
    legend_below(figure, above, below)
    return finish(figure, _bracket_words(name, found, constraint, last))


def _has_bracket(trial: Trial) -> bool:
    return all(math.isfinite(trial.metrics.get(key, math.nan)) for key in ("bracket_low", "bracket_high"))


def _bracket_band(axes: Axes, found: Sequence[Trial], last: tuple[float, float] | None, dimension: Dimension) -> None:
    xs = [trial.number - 0.5 for trial in found]
    lows = [trial.metrics["bracket_low"] for trial in found]
    highs = [trial.metrics["bracket_high"] for trial in found]
    xs.append(xs[-1] + 1)
    for edge, at in ((lows, 0), (highs, 1)):
        edge.append(edge[-1] if last is None else last[at])
    if last is not None:
        xs, lows, highs = [*xs, xs[-1] + 1], [*lows, last[0]], [*highs, last[1]]
    low, high = (_on_axis(dimension, edge) for edge in (lows, highs))
    axes.fill_between(xs, low, high, step="post", color=ORANGE, alpha=0.3, linewidth=0, label="bracket")


def _on_axis(dimension: Dimension, numbers: Sequence[float]) -> list[float]:
    """Return where the numbers stand on the parameter's axis: of listed ones that is the index."""
    if not isinstance(dimension, Ordinal):
        return [*numbers]
    at = {float(number): float(index) for index, number in enumerate(dimension.numbers or ())}
    return [at.get(number, math.nan) for number in numbers]


def _closing_points(axes: Axes, trials: Sequence[Trial], xs: object, ys: object, constraint: Constraint | None) -> None:
    """Draw the points (n,), coloured by whether they meet the constraint, or all alike; crosses for failed ones."""
    groups: dict[str, list[int]] = {}
    for index, trial in enumerate(trials):
        if trial.done:
            seen = "trial" if constraint is None else "meets it" if constraint.is_met(trial) else "does not meet it"
            groups.setdefault("without a value" if trial.value is None else seen, []).append(index)
    looks = {"trial": (BLUE, "o"), "meets it": (GREEN, "o"), "does not meet it": (VERMILLION, "D")}
    for label, chosen in groups.items():
        colour, marker = looks.get(label, (INK, "x"))
        x, y = np.asarray(xs, dtype=float)[chosen], np.asarray(ys, dtype=float)[chosen]
        axes.scatter(x, y, color=colour, marker=marker, s=30, zorder=3, label=label, rasterized=len(x) > MANY)


def _seen(axes: Axes, subject: Subject, trials: Sequence[Trial], xs: object, constraint: Constraint | None) -> None:
    metric = subject.metric if constraint is None else constraint.metric
    ys = [value_of(trial) if constraint is None else constraint.value(trial) for trial in trials]
    low, high = limits(ys, subject.goal if constraint is None else None)
    if constraint is not None:
        low, high = min(low, constraint.bound), max(high, constraint.bound)
        axes.axhline(constraint.bound, color=INK, linestyle="--", linewidth=1.2)
        axes.annotate(
            f"{clean(metric, 20)} {constraint.sense} {constraint.bound:.4g}",
            xy=(0.99, constraint.bound),
            xytext=(0, 3),
            fontsize=9,
            xycoords=("axes fraction", "data"),
            textcoords="offset points",
            ha="right",
        )
    axes.set_ylim(low - 0.03 * (high - low), high + 0.06 * (high - low))
    plain_ticks(axes.yaxis)
    _closing_points(axes, trials, xs, np.clip(ys, low, high), constraint)
    axes.set_ylabel(clean(metric, 20) if constraint else metric_label(subject))


def _bracket_words(
    name: str, found: Sequence[Trial], constraint: Constraint | None, last: tuple[float, float] | None
) -> str:
    first, final = found[0].metrics, found[-1].metrics
    low, high = last or (final["bracket_low"], final["bracket_high"])
    asked = f", which asks for {constraint.metric} {constraint.sense} {constraint.bound:.6g}," if constraint else ""
    return (
        f"The bracket of {name}{asked} closes from {first['bracket_low']:.6g} to {first['bracket_high']:.6g} "
        f"(trial {found[0].number}) down to {low:.6g} to {high:.6g} (after trial {found[-1].number})."
    )
