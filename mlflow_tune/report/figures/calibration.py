"""Whether a model-based study's model was right: what it predicted of each trial against what was seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
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
from mlflow_tune.report.posterior import JUDGED, forecast_trials
from mlflow_tune.report.subject import Subject, value_of
from mlflow_tune.strategies import Band
from mlflow_tune.trial import Trial

LEAST = 3
LEVELS = (0.5, 0.8, 0.95)  # of the bands that are counted


@dataclass(frozen=True)
class Forecast:
    """A trial's value, the mean that the model had predicted of it, and the ends of the band of 95 %.

    `level` is that of the narrowest central band which holds the value, counted where the model's errors are alike.
    """

    number: int
    mean: float
    low: float
    high: float
    value: float
    level: float

    @property
    def inside(self) -> bool:
        """Whether the value lies in the band of 95 %."""
        return self.level <= LEVELS[-1]


def forecasts(trials: Sequence[Trial], bands: Mapping[int, Band]) -> list[Forecast]:
    """Return what was predicted of the last trials that a model chose and that have a value, by number.

    `bands` has how the predictions came out, by trial number; for those without, the prediction is taken for normal in
    the metric's own units.
    """
    found = [
        _forecast(trial, trial.metrics["predicted_mean"], trial.metrics["predicted_std"], bands.get(trial.number))
        for trial in forecast_trials(trials)
    ]
    return [each for each in found if math.isfinite(each.mean) and math.isfinite(each.high) and each.low <= each.high]


def _forecast(trial: Trial, mean: float, std: float, band: Band | None) -> Forecast:
    value = value_of(trial)
    if band is None:
        away = abs(value - mean) / std if std > 0 else 0.0 if value == mean else math.inf
        band = Band(math.erf(away / math.sqrt(2)), mean - BAND * std, mean + BAND * std)
    return Forecast(trial.number, mean, band.low, band.high, value, band.level)


def calibration_words(found: Sequence[Forecast]) -> str:
    """Return in words how many of the values lie inside the predicted bands of 95, 80 and 50 %."""
    inside = {level: sum(each.level <= level for each in found) for level in LEVELS}
    shares = {level: f"{100 * count / len(found):.0f} %" for level, count in inside.items()}
    last = "the last " if len(found) == JUDGED else ""
    return (
        f"{inside[0.95]} of {last}{len(found)} values ({shares[0.95]}) lie inside the predicted 95 % band, "
        f"{shares[0.8]} inside that of 80 %, {shares[0.5]} inside that of 50 %"
    )


@in_house_style
def calibration_figure(subject: Subject, trials: Sequence[Trial], bands: Mapping[int, Band]) -> Figure | None:
    """Draw the observed value against the predicted mean, with the predicted band of 95 %.

    On the diagonal the prediction was right. `bands` has how the predictions came out, by trial number. None with fewer
    than three trials that a model chose and that have a value.
    """
    found = forecasts(trials, bands)
    if len(found) < LEAST:
        return None
    figure = sheet(4.6)
    axes = figure.add_subplot()
    ends = limits([number for each in found for number in (each.mean, each.value)], subject.goal)
    axes.plot(ends, ends, color=GREY, linestyle="--", linewidth=1, label="as predicted")
    for inside, colour, marker in ((True, BLUE, "o"), (False, VERMILLION, "D")):
        chosen = [each for each in found if each.inside is inside]
        _bars(axes, chosen, colour, marker, "inside its band" if inside else "outside")
    wide = limits([number for each in found for number in (each.low, each.high)])
    spread = ends[1] - ends[0]
    axes.set_xlim(max(min(wide[0], ends[0]), ends[0] - spread), min(max(wide[1], ends[1]), ends[1] + spread))
    axes.set_ylim(*ends)
    plain_ticks(axes.xaxis)
    plain_ticks(axes.yaxis)
    metric = clean(subject.metric, 20)
    axes.set(xlabel=f"predicted {metric}, and its 95 % band", ylabel=f"observed {metric}")
    headline(figure, f"Was the model right? {calibration_words(found)}")
    legend_below(figure, axes)
    return finish(figure, f"Observed against predicted {subject.metric}: {calibration_words(found)}.")


def _bars(axes: Axes, chosen: Sequence[Forecast], colour: str, marker: str, label: str) -> None:
    if chosen:
        axes.errorbar(
            [within_reach(each.mean) for each in chosen],
            [within_reach(each.value) for each in chosen],
            xerr=[
                [within_reach(max(each.mean - each.low, 0.0)) for each in chosen],
                [within_reach(max(each.high - each.mean, 0.0)) for each in chosen],
            ],
            fmt=marker,
            color=colour,
            markersize=5,
            elinewidth=0.9,
            alpha=0.8,
            label=label,
            rasterized=len(chosen) > MANY,
        )
