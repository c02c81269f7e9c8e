"""Made-up trials, and what is read back from a figure that was drawn."""

from __future__ import annotations

import numpy as np
from matplotlib.collections import PathCollection
from matplotlib.text import Text

from mlflow_tune.report.figures.study import study_figures
from mlflow_tune.report.figures.style import house_style, words_of
from mlflow_tune.report.subject import Subject
from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.trial import Trial

SPACE = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True),
        "dropout": Float(0, 0.5),
        "act": Categorical(["relu", "tanh", "gelu"]),
        "units": Int(8, 256, log=True),
    }
)
SUBJECT = Subject("val_loss", "minimize", SPACE)
HOSTILE = "<script>alert('x')</script> $x^{$ $\\frac$ `rm -rf` {{ 7*7 }} $(touch x)\n\x00\u202e\ud800 % 漢字"


def made(count, space=SPACE, seed=0, failed=0.0, **metrics):
    """Return trials at random points, whose value depends on the first parameter alone."""
    draws = np.random.default_rng(seed)
    trials = []
    for number in range(1, count + 1):
        units = draws.random(len(space)).tolist()
        bad = draws.random() < failed
        value = None if bad else (units[0] - 0.4) ** 2 + 0.1
        trials.append(
            Trial(number, space.from_unit(units), "failed" if bad else "ok", value, metrics=metrics, end_time=number)
        )
    return trials


def marks(axes, label):
    """Return how many marks the axes have under this label of the legend."""
    found = [each for each in axes.collections if isinstance(each, PathCollection) and each.get_label() == label]
    return sum(len(each.get_offsets()) for each in found)


def all_figures(subject, trials, curves=None, constraint=None, bracket=None):
    found = study_figures(subject, trials, curves, constraint, bracket)
    assert all(words_of(figure) for figure in found.values())
    return found


def clipped(figure):
    """Return the texts that do not lie within the figure."""
    with house_style():
        figure.draw_without_rendering()
    ticks = [tick for axes in figure.axes for axis in (axes.xaxis, axes.yaxis) for tick in unseen_ticks(axis)]
    unseen = {id(label) for tick in ticks for label in (tick.label1, tick.label2)}
    width, height = figure.bbox.width, figure.bbox.height
    found = []
    for text in figure.findobj(Text):
        if text.get_visible() and text.get_text().strip() and id(text) not in unseen:
            box = text.get_window_extent()
            if box.x0 < -2 or box.y0 < -2 or box.x1 > width + 2 or box.y1 > height + 2:
                found.append(text.get_text())
    return found


def unseen_ticks(axis):
    low, high = sorted(axis.get_view_interval())
    return [tick for tick in axis.get_major_ticks() if not low <= tick.get_loc() <= high]
