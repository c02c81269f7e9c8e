"""Charts that a person brushes and hovers over: parallel coordinates and a scatter matrix of the same trials.

Bokeh draws them in the browser, on a canvas without WebGL. Importing this loads Bokeh and matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from bokeh.embed import json_item
from bokeh.layouts import column, gridplot
from bokeh.models import BoxSelectTool, ColumnDataSource, FixedTicker, HoverTool, NoOverlap, PlainText
from bokeh.plotting import figure as new_canvas
from matplotlib.colors import to_hex
from matplotlib.ticker import MaxNLocator

from mlflow_tune.report.figures.scales import shades, shading, unit_ticks
from mlflow_tune.report.figures.style import GREY, INK, PALE, VERMILLION
from mlflow_tune.report.places import Array, jitter, unit_places
from mlflow_tune.report.subject import Subject, value_of
from mlflow_tune.space import Categorical
from mlflow_tune.text import number_text, param_of, short, tick_text
from mlflow_tune.trial import Trial

SOURCE = "trials"  # the name by which the page finds the data
MOST_DRAWN = 1000  # trials
MOST_AXES, MOST_SQUARED = 12, 5  # parameters that have an axis, and a row of the matrix
HEIGHT, SQUARE, LABELS = 380, 125, 45  # pixels; the last of an axis with its labels
AXIS_WIDTH, SQUARE_WIDTH = 64, 96  # pixels: with less room the charts scroll in a box of their own
FAINT = 0.06  # opacity of trials that are not kept
LONGEST = 60  # characters of a value or a name under the pointer
DIGITS = 4  # of a place on an axis


@dataclass(frozen=True)
class _Axis:
    """One axis from 0 to 1: its name, where the trials stand on it (n,), their values as text, its ticks.

    `key` tells its columns of the data apart: names are other people's text.
    """

    key: str
    name: str
    units: Array
    texts: Sequence[str]
    ticks: Sequence[tuple[float, str]]

    @property
    def place(self) -> str:
        """The name of the column of places."""
        return f"place of {self.key}"

    @property
    def text(self) -> str:
        """The name of the column of values."""
        return f"text of {self.key}"


def interactive_charts(subject: Subject, trials: Sequence[Trial], names: Sequence[str] = ()) -> dict[str, Any] | None:
    """Return the charts as what BokehJS embeds: parallel coordinates, and the matrix of what matters most below.

    Kept in one of them, trials are kept in both. `names` are the parameters in the order in which they matter, where
    that is known. Of more than 1,000 trials a part is drawn, evenly from the worst to the best. None with fewer than
    two parameters or than two trials with a value.
    """
    drawn = subject.spread(trials, MOST_DRAWN)
    if len(subject.space) < 2 or len(drawn) < 2:
        return None
    axes = {name: _parameter_axis(subject, drawn, name, index) for index, name in enumerate(subject.space)}
    metric = _metric_axis(subject, drawn)
    across = [*list(axes.values())[:MOST_AXES], metric]
    squared = [*[axes[name] for name in (names or axes) if name in axes][:MOST_SQUARED], metric]
    source = _source(subject, drawn, across, squared)
    # BokehJS takes neither these names nor the values in the columns for markup.
    told = [
        ("trial", "@number"),
        *((short(axis.name, LONGEST), f"@{{{axis.text}}}") for axis in (metric, *across[:-1])),
    ]
    charts = column(_parallel(source, told, across), _matrix(source, told, squared), sizing_mode="stretch_width")
    return dict(json_item(charts))


def _parameter_axis(subject: Subject, trials: Sequence[Trial], name: str, index: int) -> _Axis:
    dimension = subject.space[name]
    units = unit_places(dimension, name, trials)
    if isinstance(dimension, Categorical):
        units = units + jitter(trials, 0.4 / len(dimension.values))
    texts = [short(param_of(trial.params, name), LONGEST) for trial in trials]
    # In these labels a dollar sign is marked for matplotlib, which would take it for the start of a formula.
    ticks = [(at, label.replace(r"\$", "$")) for at, label in unit_ticks(dimension)]
    return _Axis(str(index), name, units, texts, ticks)


def _metric_axis(subject: Subject, trials: Sequence[Trial]) -> _Axis:
    values = [value_of(trial) for trial in trials]
    scale = shading(subject, values)
    low, high = float(scale.vmin or 0.0), float(scale.vmax or 0.0)
    ticks = [tick for tick in MaxNLocator(5).tick_values(low, high) if low <= tick <= high] if low < high else [low]
    labels = [(float(scale(tick)), tick_text(tick)) for tick in ticks]
    texts = [number_text(value) for value in values]
    return _Axis("the metric", subject.metric, np.asarray(scale(values), dtype=float), texts, labels)


def _source(
    subject: Subject, trials: Sequence[Trial], across: Sequence[_Axis], squared: Sequence[_Axis]
) -> ColumnDataSource:
    """Return the data, a row a trial; the best one is the last, and lies on top."""
    others, rows = len(trials) - 1, np.stack([axis.units for axis in across], axis=1)
    colours = [to_hex(colour) for colour in shades(subject)(rows[:-1, -1])]
    columns: dict[str, Any] = {
        "number": [trial.number for trial in trials],
        "across": [[*range(len(across))]] * len(trials),
        "up": [[round(float(unit), DIGITS) for unit in row] for row in rows],
        "colour": [*colours, VERMILLION],
        "width": [1.2] * others + [3.0],
        "size": [6.0] * others + [11.0],
        "opacity": [0.6] * others + [1.0],
    }
    columns |= {axis.place: axis.units.astype(np.float32) for axis in (*across, *squared)}
    return ColumnDataSource(columns | {axis.text: axis.texts for axis in across}, name=SOURCE)


# --- parallel coordinates --------------------------------------------------------------------------------------------


def _parallel(source: ColumnDataSource, told: Sequence[tuple[str, str]], axes: Sequence[_Axis]) -> Any:
    count = len(axes)
    ranges = {"x_range": (-0.6, count - 0.4), "y_range": (-0.05, 1.14)}
    canvas = _canvas(HEIGHT, {}, name="parallel", min_width=AXIS_WIDTH * count, **ranges)
    canvas.segment(x0=[*range(count)], x1=[*range(count)], y0=[0.0] * count, y1=[1.0] * count, line_color=GREY)
    look = {"line_color": "colour", "line_width": "width", "line_alpha": "opacity"}
    kept = {"selection_line_alpha": 0.9, "nonselection_line_alpha": FAINT, "hover_line_color": INK}
    lines = canvas.multi_line("across", "up", source=source, **look, **kept, hover_line_alpha=1.0)
    canvas.add_tools(HoverTool(renderers=[lines], tooltips=told))
    for at, axis in enumerate(axes):
        # The brush finds points: these are not seen.
        canvas.scatter(at, axis.place, source=source, alpha=0, selection_alpha=0, nonselection_alpha=0)
        heights, labels = zip(*axis.ticks, strict=True)
        canvas.text([at] * len(labels), [*heights], [*labels], **_words("left", "middle"), x_offset=5)
    names = [short(axis.name, 12) for axis in axes]
    canvas.text([*range(count)], [1.05] * count, names, **_words("center", "bottom"), text_font_style="bold")
    return canvas


def _words(align: str, baseline: str) -> dict[str, Any]:
    return {"text_align": align, "text_baseline": baseline, "text_font_size": "11px", "text_color": INK}


# --- scatter matrix --------------------------------------------------------------------------------------------------


def _matrix(source: ColumnDataSource, told: Sequence[tuple[str, str]], axes: Sequence[_Axis]) -> Any:
    rows: list[list[Any]] = []
    for row, up in enumerate(axes[1:]):
        bottom = row == len(axes) - 2
        squares = [_square(source, told, across, up, at == 0, bottom) for at, across in enumerate(axes[: row + 1])]
        rows.append([*squares, *[None] * (len(axes) - 2 - row)])
    return gridplot(rows, toolbar_location=None, sizing_mode="stretch_width", merge_tools=False)


def _square(
    source: ColumnDataSource, told: Sequence[tuple[str, str]], across: _Axis, up: _Axis, left: bool, bottom: bool
) -> Any:
    ranges = {"x_range": (-0.08, 1.08), "y_range": (-0.08, 1.08)}
    wide, high = LABELS * left, LABELS * bottom
    shown = {**({"x": across} if bottom else {}), **({"y": up} if left else {})}
    canvas = _canvas(SQUARE + high, shown, name=f"{across.key}/{up.key}", min_width=SQUARE_WIDTH + wide, **ranges)
    canvas.outline_line_color = PALE
    look = {"fill_color": "colour", "size": "size", "line_color": None, "fill_alpha": "opacity"}
    kept = {"selection_fill_alpha": 0.9, "nonselection_fill_alpha": FAINT, "hover_fill_color": INK}
    points = canvas.scatter(across.place, up.place, source=source, **look, **kept, hover_fill_alpha=1.0)
    canvas.add_tools(HoverTool(renderers=[points], tooltips=told))
    return canvas


def _label(line: Any, axis: _Axis) -> None:
    line.ticker = FixedTicker(ticks=[at for at, _ in axis.ticks])
    line.major_label_overrides = {at: PlainText(text=label) for at, label in axis.ticks}
    line.major_label_policy = NoOverlap()
    line.axis_label = PlainText(text=short(axis.name, 16))
    line.axis_label_text_font_style = "bold"
    line.axis_line_color = line.major_tick_line_color = PALE


# --- both ------------------------------------------------------------------------------------------------------------


def _canvas(height: int, shown: Mapping[str, _Axis], **options: Any) -> Any:
    """Return an empty canvas that is brushed by dragging, with these axes, of which each takes time to make."""
    brush = BoxSelectTool()
    # Without a colour of its own a canvas that is drawn again keeps the rims of what was there.
    look = {"outline_line_color": None, "background_fill_color": "white", "border_fill_color": "white"}
    kinds = {f"{side}_axis_type": "linear" if side in shown else None for side in ("x", "y")}
    canvas = new_canvas(
        height=height, sizing_mode="stretch_width", tools=[brush], toolbar_location=None, **look, **kinds, **options
    )
    canvas.toolbar.active_drag = brush
    canvas.grid.visible = False
    for side, axis in shown.items():
        _label(getattr(canvas, f"{side}axis"), axis)
    return canvas
