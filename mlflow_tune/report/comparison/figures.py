"""The figures of a comparison: best so far against trials and against hours, and the trials to the target.

Importing this loads matplotlib.
"""

from __future__ import annotations

from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlflow_tune.report.comparison.comparison import Comparison, Group, MeanCurve
from mlflow_tune.report.comparison.words import mean_text, target_text, value_text
from mlflow_tune.report.figures.scales import legend_below, plain_ticks
from mlflow_tune.report.figures.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILLION,
    clean,
    finish,
    headline,
    in_house_style,
    sheet,
)
from mlflow_tune.report.places import limits, within_reach
from mlflow_tune.text import apart, count_text

COLOURS = (BLUE, VERMILLION, GREEN, ORANGE)
LINES: tuple[Any, ...] = ("-", (0, (5, 1.6)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))
MARKERS = ("o", "D", "s", "^")
MOST_GROUPS = 12
MOST_CELLS = 40  # of single studies, behind the means
NEAR = 3.0  # times its length: so far an axis is stretched to show where a line begins
EVEN = 20  # places at which the curves are looked at for the ends of the axis
SECOND, MINUTE = 1 / 3600, 1 / 60


def comparison_figures(comparison: Comparison) -> dict[str, Figure]:
    """Return the figures that the studies give, by the name of their files; of many groups the first twelve."""
    drawn = {
        "best_by_trials": curve_figure(comparison, "trials"),
        "best_by_hours": curve_figure(comparison, "hours"),
        "trials_to_target": target_figure(comparison),
    }
    return {name: figure for name, figure in drawn.items() if figure is not None}


@in_house_style
def curve_figure(comparison: Comparison, against: Literal["trials", "hours"]) -> Figure | None:
    """Draw the best value so far against the number of trials, or the time that they ran.

    A bold line a group: the mean over its studies, from where all of them have a value, with the interval of the mean
    as a band; thin lines are the single studies. None when no study has a value, or took no time.
    """
    groups = [group for group in comparison.groups if comparison.best(group).known][:MOST_GROUPS]
    end = max(float(getattr(entrant.course, against)) for entrant in comparison.entrants)
    if not groups or end <= 0:
        return None
    unit, name = (1.0, "trials") if against == "trials" else _unit(end)
    figure = sheet(3.7 + 0.11 * (len(groups) + 1))
    axes = figure.add_subplot()
    for index, group in enumerate(comparison.groups[:MOST_GROUPS]):
        _studies(axes, group, against, unit, index)
        _mean(axes, comparison, group, against, unit, index)
    axes.set_ylim(*(ends := _value_limits(comparison, against)))
    _mark_hidden(axes, comparison, against, unit, ends)
    axes.set_xlim(0, 1.02 * end / unit)
    plain_ticks(axes.yaxis)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=against == "trials"))
    axes.set(xlabel=name if against == "trials" else f"time that trials ran ({name})", ylabel=_metric_label(comparison))
    if comparison.target is not None:
        axes.axhline(within_reach(comparison.target), color=GREY, linewidth=1, linestyle=":", label="target")
    cost = "number of trials" if against == "trials" else "time that trials ran"
    headline(figure, f"Best {clean(comparison.metric)} so far, by the {cost}")
    legend_below(figure, axes, columns=2)
    return finish(figure, _curve_words(comparison, against, groups))


@in_house_style
def target_figure(comparison: Comparison) -> Figure | None:
    """Draw after how many trials each study reached the target, with the mean of each group and its interval.

    A hollow triangle stands where a study ended that did not reach it. None without a target.
    """
    if comparison.target is None:
        return None
    groups = comparison.groups[:MOST_GROUPS]
    figure = sheet(1.7 + 0.42 * len(groups))
    axes = figure.add_subplot()
    for index, group in enumerate(groups):
        _reached(axes, comparison, group, index)
    shown = apart([group.called for group in groups], 24)
    axes.set_yticks(range(len(groups)), [clean(shown[group.called], 24) for group in groups])
    axes.set_ylim(len(groups) - 0.4, -0.6)
    axes.grid(visible=False, axis="y")
    axes.set_xlim(0, 1.06 * max(1, *(entrant.course.trials for entrant in comparison.entrants)))
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_xlabel("trials")
    headline(figure, f"Trials to {clean(target_text(comparison), 60)}")
    legend_below(figure, axes, columns=2)
    return finish(figure, _target_words(comparison))


def _look(index: int) -> dict[str, Any]:
    """Return a colour and a kind of line: of sixteen groups no two are alike."""
    return {"color": COLOURS[index % 4], "linestyle": LINES[(index + index // 4) % 4]}


def _studies(axes: Axes, group: Group, against: Literal["trials", "hours"], unit: float, index: int) -> None:
    if len(group.members) == 1:
        return
    for member in group.members[:MOST_CELLS]:
        course = member.course
        steps = course.by_trial if against == "trials" else course.by_hour
        if steps:
            xs = [*(x / unit for x, _ in steps), float(getattr(course, against)) / unit]
            ys = [within_reach(value) for _, value in (*steps, steps[-1])]
            axes.step(xs, ys, where="post", linewidth=0.7, alpha=0.45, zorder=2, **_look(index))


def _mean(
    axes: Axes, comparison: Comparison, group: Group, against: Literal["trials", "hours"], unit: float, index: int
) -> None:
    curve = comparison.curve(group, against)
    several = len(group.members) > 1
    shown = apart([each.called for each in comparison.groups], 20)[group.called]
    label = clean(shown, 20) + (f" (mean of {len(group.members)})" if several else "")
    xs = [x / unit for x, _ in curve]
    ys = [within_reach(sample.mean or 0.0) for _, sample in curve]
    axes.step(xs, ys, where="post", linewidth=2.2, zorder=4, label=label, **_look(index))
    bands = [(x / unit, sample.interval) for x, sample in curve]
    known = [(x, within_reach(band[0]), within_reach(band[1])) for x, band in bands if band is not None]
    if known:
        at, lows, highs = (list(each) for each in zip(*known, strict=True))
        axes.fill_between(at, lows, highs, step="post", color=COLOURS[index % 4], alpha=0.16, linewidth=0, zorder=1)


def _value_limits(comparison: Comparison, against: Literal["trials", "hours"]) -> tuple[float, float]:
    """Return the ends of the axis: far-out beginnings do not squash the rest, and the ends and the target are shown."""
    curves = [curve for group in comparison.groups[:MOST_GROUPS] if (curve := comparison.curve(group, against))]
    known = [within_reach(entrant.best) for entrant in comparison.entrants if entrant.best is not None]
    known += [] if comparison.target is None else [within_reach(comparison.target)]
    end = max(float(getattr(entrant.course, against)) for entrant in comparison.entrants)
    even = [end * (at + 1) / EVEN for at in range(EVEN)]
    means = [mean for curve in curves for x in even if (mean := _mean_at(curve, x)) is not None]
    low, high = limits([*means, *known], comparison.goal)
    seen = known + [value for _, value, _ in _beginnings(comparison, against) if _is_near(value, low, high)]
    margin = 0.04 * (max(seen) - min(seen))
    return min(low, min(seen) - margin), max(high, max(seen) + margin)


def _is_near(value: float, low: float, high: float) -> bool:
    """Whether an axis that also shows the value is not much longer than the one from `low` to `high`."""
    return max(high, value) - min(low, value) <= NEAR * (high - low)


def _beginnings(comparison: Comparison, against: Literal["trials", "hours"]) -> list[tuple[float, float, int]]:
    """Return where each line begins that is drawn: its x, its value, and the index of its group."""
    found = []
    for index, group in enumerate(comparison.groups[:MOST_GROUPS]):
        curve = comparison.curve(group, against)
        found += [(x, within_reach(sample.mean or 0.0), index) for x, sample in curve[:1]]
        for member in group.members[:MOST_CELLS] if len(group.members) > 1 else ():
            steps = member.course.by_trial if against == "trials" else member.course.by_hour
            found += [(x, within_reach(value), index) for x, value in steps[:1]]
    return found


def _mark_hidden(
    axes: Axes, comparison: Comparison, against: Literal["trials", "hours"], unit: float, ends: tuple[float, float]
) -> None:
    """Draw a triangle at the edge beyond which a line begins."""
    hidden = [each for each in _beginnings(comparison, against) if not ends[0] <= each[1] <= ends[1]]
    if not hidden:
        return
    worse, marker = (ends[1], "^") if comparison.goal == "minimize" else (ends[0], "v")
    colours = [COLOURS[index % 4] for _, _, index in hidden]
    look: dict[str, Any] = {"s": 34, "marker": marker, "color": colours, "zorder": 5, "clip_on": False}
    axes.scatter([x / unit for x, _, _ in hidden], [worse] * len(hidden), label="begins beyond the edge", **look)


def _mean_at(curve: MeanCurve, x: float) -> float | None:
    return next((sample.mean for at, sample in reversed(curve) if at <= x), None)


def _reached(axes: Axes, comparison: Comparison, group: Group, index: int) -> None:
    sample = comparison.to_target(group)
    count = len(group.members)
    shifts = [0.0 if count == 1 else 0.36 * (at / (count - 1) - 0.5) for at in range(count)]
    pairs = list(zip(group.members, sample.values, shifts, strict=True))
    colour = COLOURS[index % 4]
    there = [(value, index + shift) for _, value, shift in pairs if value is not None]
    if there:
        xs, ys = zip(*there, strict=True)
        axes.scatter(xs, ys, s=26, color=colour, marker=MARKERS[index % 4], alpha=0.75, zorder=3)
    missed = [(member.course.trials, index + shift) for member, value, shift in pairs if value is None]
    if missed:
        look: dict[str, Any] = {"facecolors": "white", "edgecolors": INK, "marker": ">", "zorder": 3, "clip_on": False}
        ends, ys = zip(*missed, strict=True)
        axes.scatter(ends, ys, s=34, label="ended without reaching it", **look)
    if count > 1 and len(there) == count and sample.mean is not None:
        low, high = sample.interval or (sample.mean, sample.mean)
        around = [[sample.mean - low], [high - sample.mean]]
        look = {"color": INK, "fmt": "|", "markersize": 16, "markeredgewidth": 2, "capsize": 4, "zorder": 5}
        axes.errorbar([sample.mean], [index], xerr=around, label="mean, with its 95 % interval", **look)


def _unit(hours: float) -> tuple[float, str]:
    """Return the unit, in hours, in which so long a time is read well, and its name."""
    if hours < 3 * MINUTE:
        return SECOND, "seconds"
    return (MINUTE, "minutes") if hours < 3 else (1.0, "hours")


def _metric_label(comparison: Comparison) -> str:
    return f"{clean(comparison.metric, 16)} ({'lower' if comparison.goal == 'minimize' else 'higher'} is better)"


def _curve_words(comparison: Comparison, against: str, groups: list[Group]) -> str:
    ends = "; ".join(f"{group.label}: {mean_text(comparison.best(group), value_text)}" for group in groups)
    axis = "the number of trials" if against == "trials" else "the time that trials ran"
    return f"Best {comparison.metric} so far against {axis}, the mean of each group. They end at: {ends}."


def _target_words(comparison: Comparison) -> str:
    told = []
    for group in comparison.groups[:MOST_GROUPS]:
        sample = comparison.to_target(group)
        whole = len(sample.known) == len(sample.values)
        mean = f", after {mean_text(sample, count_text)} trials on average" if whole else ""
        told.append(f"{group.label}: {len(sample.known)} of {len(sample.values)} studies{mean}")
    return f"How many trials it took to reach {target_text(comparison)}. {'; '.join(told)}."
