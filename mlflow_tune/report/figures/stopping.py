"""A figure of the trials that were stopped: all curves, what the rule asked for, and the steps that this has saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from statistics import median
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from mlflow_tune.diagnosis.stopping import Course
from mlflow_tune.report.figures.progress import numbered
from mlflow_tune.report.figures.scales import legend_below, plain_ticks
from mlflow_tune.report.figures.style import (
    BLUE,
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
from mlflow_tune.report.places import limits, within_reach
from mlflow_tune.report.stopping import Stopping
from mlflow_tune.report.subject import Subject
from mlflow_tune.text import counted
from mlflow_tune.trial import Trial, is_finite

MOST_DRAWN = 1000  # curves


@in_house_style
def stopping_figure(subject: Subject, trials: Sequence[Trial], stopping: Stopping | None) -> Figure | None:
    """Draw all curves, the stopped ones with a mark where they ended, and below the steps that each trial took.

    Dashes are the values that the rule asked for when it stopped a trial; a line goes through their medians, step by
    step. A stopped trial is taken to have saved what it lacked of the median of the complete ones. Of more than 1,000
    curves a part is drawn, evenly over the study. None for a study that stops no trials, and while it has no curve of
    two steps.
    """
    if stopping is None or max(map(len, stopping.courses.values()), default=0) < 2:
        return None
    figure = sheet(6.2)
    above, below = figure.subplots(2, 1, height_ratios=(3, 2))
    drawn = _part(list(stopping.courses.values()))
    best = subject.best([trial for trial in trials if trial.number in stopping.courses])
    _curves(above, drawn, stopping.stopped, best)
    _bars(above, stopping)
    _axes(above, drawn, stopping)
    _steps(below, stopping)
    used, saved = sum(stopping.used.values()), sum(stopping.saved.values())
    part = f", {len(drawn)} of {len(stopping.courses)} curves" if len(drawn) < len(stopping.courses) else ""
    share = f": {saved / (used + saved):.0%} of the steps saved" if saved else ""
    headline(figure, f"{counted(len(stopping.saved), 'trial')} stopped{share}{part}")
    legend_below(figure, above, below, columns=3)
    return finish(figure, _words(stopping, best, used, saved))


def _part(courses: Sequence[Course]) -> list[Course]:
    return list(courses[:: -(-len(courses) // MOST_DRAWN)])


def _curves(axes: Axes, courses: Sequence[Course], stopped: frozenset[int], best: Trial | None) -> None:
    looks: dict[str, dict[str, Any]] = {
        "trained to its end": {"colors": BLUE, "linewidths": 0.9, "alpha": 0.4, "zorder": 2},
        "stopped": {"colors": ORANGE, "linewidths": 1.1, "alpha": 0.85, "zorder": 3},
    }
    for label, look in looks.items():
        chosen = [course for course in courses if (course.number in stopped) == (label == "stopped")]
        if lines := [_line(course) for course in chosen]:
            axes.add_collection(LineCollection(lines, label=label, rasterized=len(lines) > MANY, **look))
    ends = np.array([_line(course)[-1] for course in courses if course.number in stopped]).reshape(-1, 2)
    size = 26 if len(ends) <= MANY else 8
    axes.scatter(ends[:, 0], ends[:, 1], s=size, marker="s", color=ORANGE, edgecolors="white", linewidths=0.5, zorder=5)
    if best is not None and (lines := [_line(course) for course in courses if course.number == best.number]):
        axes.plot(*lines[0].T, color=VERMILLION, linewidth=2.6, zorder=4, label=f"best (trial {best.number})")


def _line(course: Course) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the points of a curve (n, 2), step and value; what is no finite number leaves a gap."""
    values = [within_reach(value) if is_finite(value) else np.nan for value in course.values]
    return np.column_stack([np.arange(1, len(values) + 1), values])


def _bars(axes: Axes, stopping: Stopping) -> None:
    by_step: defaultdict[int, list[float]] = defaultdict(list)
    for step, value in stopping.bars.values():
        by_step[step].append(within_reach(value))
    if not by_step:
        return
    xs, ys = zip(*[(step, value) for step, values in by_step.items() for value in values], strict=True)
    axes.scatter(xs, ys, s=70, marker="_", color=INK, linewidths=1.4, zorder=6, label="asked for by the rule")
    middles = sorted((step, median(values)) for step, values in by_step.items())
    axes.plot(*zip(*middles, strict=True), color=INK, linewidth=0.9, linestyle="--", zorder=6)


def _axes(axes: Axes, courses: Sequence[Course], stopping: Stopping) -> None:
    values = [value for course in courses for value in course.values if is_finite(value)]
    goal, metric = courses[0].goal, courses[0].metric
    low, high = limits([*values, *(value for _, value in stopping.bars.values())], goal)
    longest = max(map(len, courses))
    margin = max(0.03 * longest, 0.2)
    axes.set(xlim=(1 - margin, longest + margin), ylim=(low, high), xlabel="step")
    axes.set_ylabel(f"{clean(metric, 16)} ({'lower' if goal == 'minimize' else 'higher'} is better)")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    plain_ticks(axes.yaxis)


def _steps(axes: Axes, stopping: Stopping) -> None:
    """Draw the steps of each trial, on top of them those that it would have taken besides."""
    first, last = min(stopping.courses), max(stopping.courses)
    numbers = range(first, last + 1)
    edges = np.arange(first, last + 2) - 0.5
    used = np.array([stopping.used.get(number, 0) for number in numbers], dtype=float)
    whole = used + [stopping.saved.get(number, 0) for number in numbers]
    axes.stairs(used, edges, fill=True, color=BLUE, alpha=0.6, label="steps used")
    axes.stairs(whole, edges, baseline=used, fill=True, color=ORANGE, alpha=0.35, label="steps saved")
    axes.set(xlim=(edges[0], edges[-1]), ylim=(0, 1.06 * max(whole)), xlabel="trial", ylabel="steps")
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def _words(stopping: Stopping, best: Trial | None, used: int, saved: int) -> str:
    stopped = f"Stopped: {numbered(sorted(stopping.saved))}." if stopping.saved else "None was stopped."
    spent = f"{counted(used, 'step')} used"
    spent += f" and {saved} saved, where a complete trial takes {stopping.usual}." if stopping.usual else "."
    words = f"Learning curves of {counted(len(stopping.courses), 'trial')}. {stopped} {spent}"
    return f"{words} The best is trial {best.number}." if best else words
