"""Whether a model-based study's model was right: what it predicted of each trial against what was seen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mlflow_tune.report.figures.scales import BAND, legend_below, plain_ticks
from mlflow_tune.report.figures.style import (
    BLUE,
    GREY,
    MANY,
    VERMILLION,
    clean,
    finish,
    headline,
    in_house_style,
    sheet,
)
from mlflow_tune.report.places import limits, within_reach
from mlflow_tune.report.subject import Subject, scored, value_of
from mlflow_tune.trial import Trial

LEAST = 3


@dataclass(frozen=True)
class Forecast:
    """A trial's value, and the mean and standard deviation that the model had predicted of it."""

    number: int
    mean: float
    std: float
    value: float

    @property
    def inside(self) -> bool:
        """Whether the value lies in the band of 95 %."""
        return abs(self.value - self.mean) <= BAND * self.std


def forecasts(trials: Sequence[Trial]) -> list[Forecast]:
    """Return what was predicted of the trials that a model chose and that have a value, by number."""
    found = [
        Forecast(trial.number, trial.metrics["predicted_mean"], trial.metrics["predicted_std"], value_of(trial))
        for trial in scored(trials)
        if {"predicted_mean", "predicted_std"} <= trial.metrics.keys()
    ]
    return [each for each in found if math.isfinite(each.mean) and math.isfinite(each.std) and each.std >= 0]


def calibration_words(found: Sequence[Forecast]) -> str:
    """Return in words how many of the values lie inside the predicted band."""
    inside = sum(each.inside for each in found)
    share = f"{100 * inside / len(found):.0f} %"
    return f"{inside} of {len(found)} values ({share}) lie inside the predicted 95 % band"


@in_house_style
def calibration_figure(subject: Subject, trials: Sequence[Trial]) -> Figure | None:
    """Draw the observed value against the predicted mean, with bars of 1.96 standard deviations around the mean.

    On the diagonal the prediction was right. None with fewer than three trials that a model chose and that have a
    value.
    """
    found = forecasts(trials)
    if len(found) < LEAST:
        return None
    figure = sheet(4.6)
    axes = figure.add_subplot()
    ends = limits([number for each in found for number in (each.mean, each.value)], subject.goal)
    axes.plot(ends, ends, color=GREY, linestyle="--", linewidth=1, label="as predicted")
    for inside, colour, marker in ((True, BLUE, "o"), (False, VERMILLION, "D")):
        chosen = [each for each in found if each.inside is inside]
        _bars(axes, chosen, colour, marker, "inside its band" if inside else "outside")
    wide = limits([number for each in found for number in (each.mean - BAND * each.std, each.mean + BAND * each.std)])
    spread = ends[1] - ends[0]
    axes.set_xlim(max(min(wide[0], ends[0]), ends[0] - spread), min(max(wide[1], ends[1]), ends[1] + spread))
    axes.set_ylim(*ends)
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    metric = clean(subject.metric, 20)
    axes.set(xlabel=f"predicted {metric}, ± 1.96 standard deviations", ylabel=f"observed {metric}")
    headline(figure, f"Was the model right? {calibration_words(found)}")
    legend_below(figure, axes)
    return finish(figure, f"Observed against predicted {subject.metric}: {calibration_words(found)}.")


def _bars(axes: Axes, chosen: Sequence[Forecast], colour: str, marker: str, label: str) -> None:
    if chosen:
        axes.errorbar(
            [within_reach(each.mean) for each in chosen],
            [within_reach(each.value) for each in chosen],
            xerr=[within_reach(BAND * each.std) for each in chosen],
            fmt=marker,
            color=colour,
            markersize=5,
            elinewidth=0.9,
            alpha=0.8,
            label=label,
            rasterized=len(chosen) > MANY,
        )
