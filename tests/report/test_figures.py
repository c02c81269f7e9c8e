"""The figures: what is drawn is counted among the axes' artists; what cannot be drawn is None."""

from __future__ import annotations

import dataclasses
import io
import math
import sys
import time
from collections import Counter

import matplotlib
import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection
from PIL import Image

from mlflow_tune.diagnosis.stopping import Course
from mlflow_tune.errors import InternalError
from mlflow_tune.report.figures.heat_map import heat_map_figure
from mlflow_tune.report.figures.importance import importance_figure
from mlflow_tune.report.figures.parameters import parallel_figure, parameters_figure
from mlflow_tune.report.figures.progress import best_so_far_figure, bracket_figure, learning_curves_figure
from mlflow_tune.report.figures.scales import unit_ticks
from mlflow_tune.report.figures.stopping import stopping_figure
from mlflow_tune.report.figures.study import study_figures
from mlflow_tune.report.figures.style import clean, pixels, render, save_figures, words_of
from mlflow_tune.report.places import limits, places
from mlflow_tune.report.stopping import Stopping
from mlflow_tune.report.subject import Subject
from mlflow_tune.space import Categorical, Float, Int, Ordinal, Space
from mlflow_tune.strategies import Bisection, Constraint
from mlflow_tune.trial import Trial
from tests.support.drawn import HOSTILE, SPACE, SUBJECT, all_figures, clipped, made, marks

# --- what every figure keeps -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_no_pyplot_and_no_settings_are_left_behind():
    before, loaded = dict(matplotlib.rcParams), "matplotlib.pyplot" in sys.modules
    for draw in (best_so_far_figure, importance_figure):
        assert render(draw(SUBJECT, made(30)))
    assert dict(matplotlib.rcParams) == before
    assert ("matplotlib.pyplot" in sys.modules) == loaded


@pytest.mark.slow
def test_a_persons_own_settings_change_no_picture():
    trials = made(10)
    plain = render(best_so_far_figure(SUBJECT, trials), "svg")
    with matplotlib.rc_context(
        {"axes.facecolor": "black", "font.size": 30, "svg.hashsalt": None, "lines.linewidth": 9}
    ):
        assert render(best_so_far_figure(SUBJECT, trials), "svg") == plain


@pytest.mark.long
def test_equal_trials_give_equal_files():
    trials = made(30, predicted_mean=0.2, predicted_std=0.1)
    first, second = study_figures(SUBJECT, trials), study_figures(SUBJECT, list(reversed(trials)))
    assert first.keys() == second.keys() >= {"best_so_far", "parameters", "parallel_coordinates", "calibration"}
    for name in first:
        assert render(first[name], "svg") == render(second[name], "svg"), name
    again = render(first["parameters"], "svg")
    assert again == render(first["parameters"], "svg")
    assert b"<dc:date>" not in again
    assert render(first["parameters"]) == render(second["parameters"])


def test_without_trials_nothing_is_drawn():
    assert study_figures(SUBJECT, []) == {}
    assert study_figures(SUBJECT, [Trial(1, made(1)[0].params)]) == {}


def test_when_all_failed_nothing_is_drawn():
    assert study_figures(SUBJECT, made(30, failed=1.0)) == {}


@pytest.mark.slow
def test_one_trial():
    assert set(all_figures(SUBJECT, made(1))) == {"best_so_far", "parameters"}


@pytest.mark.slow
def test_constants_are_drawn():
    trials = [dataclasses.replace(each, value=0.5) for each in made(30)]
    assert set(all_figures(SUBJECT, trials)) == {
        "best_so_far", "parameters", "parallel_coordinates", "partial_dependence",
    }  # fmt: skip
    same = [dataclasses.replace(each, params=trials[0].params) for each in made(30)]
    assert "parameters" in all_figures(SUBJECT, same)


@pytest.mark.slow
def test_categories_alone():
    space = Space(
        {"act": Categorical(["relu", "tanh"]), "norm": Categorical([True, False]), "seed": Categorical([1, 2])}
    )
    found = all_figures(Subject("acc", "maximize", space), made(40, space))
    assert set(found) == {
        "best_so_far", "parameters", "parallel_coordinates", "heat_map", "importance", "partial_dependence",
    }  # fmt: skip


@pytest.mark.slow
def test_null_lists_orders_steps_and_fixed_ranges():
    space = Space(
        {
            "batch": Ordinal([16, 32, 64, 128]),
            "hidden": Categorical([None, [64], [64, 32], 1, True, 1.0]),
            "drop": Float(0, 1, step=0.25),
            "lr": Float(0.1, 0.1, log=True),
            "n": Int(3, 3),
            "f": Float(0, 0),
        }
    )
    found = all_figures(Subject("loss", "minimize", space), made(60, space))
    assert {"parameters", "parallel_coordinates", "heat_map", "importance", "partial_dependence"} <= found.keys()
    shown = dict(zip(space, found["parameters"].axes, strict=True))
    labels = {name: [label.get_text() for label in axes.get_xticklabels()] for name, axes in shown.items()}
    assert labels["batch"] == ["16", "32", "64", "128"]
    assert labels["hidden"] == ["null", "[64]", "[64, 32]", "1", "True", "1.0"]
    assert all(marks(axes, "trial") == 60 for axes in shown.values())
    drawn = np.concatenate([each.get_offsets()[:, 0] for each in shown["batch"].collections])
    assert set(drawn) == {0, 1, 2, 3}, "what has an order is not jittered"
    assert unit_ticks(space["drop"]) == [(0.1, "0"), (0.3, "0.25"), (0.5, "0.5"), (0.7, "0.75"), (0.9, "1")]
    assert unit_ticks(space["n"]) == [(0.5, "3")]


def test_trials_stand_apart_by_type_and_value():
    dimension = Categorical([1, True, 1.0, [1], None])
    trials = [Trial(number, {"c": value}) for number, value in enumerate(dimension.values)]
    found = places(dimension, "c", [*trials, Trial(9, {}), Trial(10, {"c": 2})])
    assert found[:5].tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(found[5:]).all()


@pytest.mark.slow
def test_a_single_parameter():
    space = Space({"x": Float(0, 1)})
    assert set(all_figures(Subject("loss", "minimize", space), made(40, space))) == {"best_so_far", "parameters"}


@pytest.mark.slow
def test_a_space_that_has_changed_leaves_gaps():
    trials = made(30)
    trials[3] = dataclasses.replace(trials[3], params={"lr": "banana", "dropout": 7.0, "act": "swish"})
    trials[4] = dataclasses.replace(trials[4], params={})
    trials[5] = dataclasses.replace(trials[5], params={"lr": -1.0, "dropout": math.nan, "act": 3, "units": 8.5})
    found = all_figures(SUBJECT, trials)
    shown = found["best_so_far"].axes[0]
    assert marks(shown, "trial") == 30
    panels = [marks(axes, "trial") for axes in found["parameters"].axes]
    assert panels == [30] * 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("value", "goal"),
    [pytest.param(1.7e308, "minimize", marks=pytest.mark.long), (-1.7e308, "minimize"), (math.inf, "maximize")],
)
def test_extreme_values_are_survived(value, goal):
    trials = made(30, predicted_mean=1e300, predicted_std=1e305)
    trials[7] = dataclasses.replace(trials[7], value=value)
    curves = {each.number: [(step, value if step == 3 else 1.0 / step) for step in range(1, 6)] for each in trials}
    found = all_figures(dataclasses.replace(SUBJECT, goal=goal), trials, curves)
    assert {"best_so_far", "parameters", "learning_curves"} <= found.keys()


@pytest.mark.slow
def test_extreme_ranges_are_survived():
    space = Space(
        {
            "a": Float(-8e307, 8e307),
            "b": Float(1e-300, 1e300, log=True),
            "c": Int(-(10**12), 10**12),
            "d": Float(5, 5.001),
        }
    )
    found = all_figures(Subject("loss", "minimize", space), made(30, space))
    assert {"best_so_far", "parameters", "parallel_coordinates"} <= found.keys()


@pytest.mark.slow
def test_hostile_text_is_drawn_as_it_is():
    name = "abcdefghij " * 20 + "k"
    space = Space({name: Categorical([HOSTILE, "=1+1", "$x$", "x" * 500]), "p/q.r": Float(0, 1), "漢 字": Int(1, 9)})
    trials = made(40, space, failed=0.1, predicted_mean=0.1, predicted_std=0.1)
    trials = [dataclasses.replace(each, reason=HOSTILE) for each in trials]
    subject = Subject("mean_average_precision " * 8 + "n", "minimize", space)
    curves = {each.number: [(1, 1.0), (2, 0.5)] for each in trials}
    for figure in all_figures(subject, trials, curves).values():
        assert not clipped(figure)
        assert b"<script" not in render(figure, "svg")


@pytest.mark.slow
def test_no_title_is_clipped():
    trials = made(60, failed=0.1, predicted_mean=0.1, predicted_std=0.1)
    unmet = frozenset(range(1, 20))
    curves = {each.number: [(1, 1.0), (2, 0.5)] for each in trials}
    subject = dataclasses.replace(SUBJECT, metric="validation/mean_average_precision_at_50", unmet=unmet)
    for name, figure in study_figures(subject, trials, curves).items():
        assert not clipped(figure), name


def test_clean_text():
    assert clean("a$b") == r"a\$b"
    assert clean("x\ny\x00") == "x y\ufffd"
    assert len(clean("x" * 99, 12)) == 12


@pytest.mark.long
def test_two_thousand_trials_are_fast_and_their_files_small():
    trials = made(2000, failed=0.05, predicted_mean=0.1, predicted_std=0.1)
    curves = {number: [(step, 1.0 / step) for step in range(1, 11)] for number in range(1, 201)}
    start = time.process_time()
    found = all_figures(SUBJECT, trials, curves)
    assert time.process_time() - start < 60
    shown = found["best_so_far"].axes[0]
    ended = sum(each.value is not None for each in trials)
    assert marks(shown, "trial") == ended
    for name, figure in found.items():
        assert len(render(figure, "svg")) < 900_000, name


@pytest.mark.slow
def test_files_are_png_and_svg(tmp_path):
    paths = save_figures({"best_so_far": best_so_far_figure(SUBJECT, made(5))}, tmp_path / "figures")
    assert [path.name for path in paths] == ["best_so_far.png", "best_so_far.svg"]
    with Image.open(paths[0]) as image:
        assert image.size[0] > 800
    assert b"val_loss" in paths[1].read_bytes()


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a b", "x\n"])
def test_a_name_that_is_no_plain_file_is_refused(name, tmp_path):
    with pytest.raises(InternalError, match="a figure's name"):
        save_figures({name: best_so_far_figure(SUBJECT, made(5))}, tmp_path)
    assert not list(tmp_path.iterdir())


def test_pixels_are_those_of_the_file():
    figure = best_so_far_figure(SUBJECT, made(5))
    found = pixels(figure)
    with Image.open(io.BytesIO(render(figure))) as image:
        assert found.shape == (image.size[1], image.size[0], 3)
    assert found.dtype == np.uint8


# --- progress --------------------------------------------------------------------------------------------------------


def test_best_so_far_draws_every_trial_and_the_step_line():
    trials = made(40, failed=0.2)
    failed = sum(each.value is None for each in trials)
    figure = best_so_far_figure(SUBJECT, trials)
    axes = figure.axes[0]
    assert marks(axes, "trial") == 40 - failed
    assert marks(axes, "without a value") == failed > 0
    (line,) = [each for each in axes.lines if each.get_label() == "best so far"]
    heights = line.get_ydata()
    assert (np.diff(heights) <= 0).all()
    assert heights[-1] == min(each.value for each in trials if each.value is not None)
    assert f"{heights[-1]:.6g}" in words_of(figure)


def test_a_diverged_trial_does_not_squash_the_others():
    trials = [*made(20), Trial(21, {}, "ok", 1e9)]
    axes = best_so_far_figure(SUBJECT, trials).axes[0]
    heights = axes.transData.transform([(1, each.value) for each in trials])[:, 1]
    top, bottom = axes.bbox.y1, axes.bbox.y0
    assert bottom <= heights.min() and heights.max() <= top + 1, "nobody is beyond the edge"
    assert heights[:-1].max() - heights[:-1].min() > 0.5 * (top - bottom)
    assert marks(axes, "beyond the edge") == 0
    assert any("compressed " in text.get_text() for text in axes.texts)
    assert limits([1.0, 2.0, 3.0, -1e9], "maximize")[0] > -20
    assert limits([1.0, 1.0, 1.0, 9.0], "minimize")[1] > 9


@pytest.mark.slow
def test_trials_that_break_the_constraint_are_hollow_and_never_best():
    trials = made(20)
    ranked = SUBJECT.ranked(trials)
    subject = dataclasses.replace(SUBJECT, unmet=frozenset({ranked[0].number}))
    figure = best_so_far_figure(subject, trials)
    assert marks(figure.axes[0], "breaks the constraint") == 1
    assert f"trial {ranked[1].number})" in words_of(figure)
    assert subject.best(trials) is ranked[1]
    nothing = dataclasses.replace(SUBJECT, unmet=frozenset(range(1, 21)))
    assert "None of them meets the constraint" in words_of(best_so_far_figure(nothing, trials))
    all_figures(nothing, trials)


def test_learning_curves_are_overlaid_and_the_best_is_bold():
    trials = made(12, failed=0.3)
    curves = {each.number: [(step, 1 / step + (each.value or 2)) for step in range(1, 9)] for each in trials}
    curves[99] = [(1, 1.0), (2, 0.5)]
    curves[1] = [(1, math.nan), (2, math.inf)]
    figure = learning_curves_figure(SUBJECT, trials, curves)
    counts = Counter(line.get_label() for line in figure.axes[0].lines if not line.get_label().startswith("_"))
    failed = [each.number for each in trials if each.value is None and each.number != 1]
    best = SUBJECT.best([each for each in trials if each.number != 1])
    assert counts == {"trial": 11 - len(failed) - 1, "failed": len(failed), f"best (trial {best.number})": 1}
    bold = max(figure.axes[0].lines, key=lambda line: line.get_linewidth())
    assert bold.get_label() == f"best (trial {best.number})"


def test_no_learning_curve_no_figure():
    assert learning_curves_figure(SUBJECT, made(3), {}) is None
    assert learning_curves_figure(SUBJECT, made(3), {1: [(0, 0.5)], 2: [], 9: [(0, 1.0), (1, 2.0)]}) is None


def stopped_study(goal="minimize"):
    """Return trials, five whole and three stopped, with the curves by which that happened."""
    sign = 1 if goal == "minimize" else -1
    trials = made(8)
    whole = {number: tuple(sign * number / step for step in range(1, 11)) for number in range(1, 6)}
    courses = {number: Course(number, "val_loss", goal, values, 0.1) for number, values in whole.items()}
    courses |= {number: Course(number, "val_loss", goal, (sign * 9.0,) * (number - 5)) for number in (6, 7, 8)}
    trials = [*trials[:5], *(dataclasses.replace(each, outcome="pruned", value=None) for each in trials[5:])]
    return trials, Stopping(courses, frozenset({6, 7, 8}), {6: (1, sign * 2.0), 8: (3, sign * 1.0)})


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_stopped_trials_are_marked_where_they_ended_with_the_threshold_and_the_steps_saved(goal):
    trials, stopping = stopped_study(goal)
    figure = stopping_figure(dataclasses.replace(SUBJECT, goal=goal), trials, stopping)
    above, below = figure.axes
    lines = {each.get_label(): len(each.get_paths()) for each in above.collections if isinstance(each, LineCollection)}
    assert lines == {"trained to its end": 5, "stopped": 3}
    points = {each.get_label(): each for each in above.collections if isinstance(each, PathCollection)}
    ends = points.pop("asked for by the rule"), *points.values()
    assert [[step for step, _ in each.get_offsets().tolist()] for each in ends] == [[1, 3], [1, 2, 3]]
    used, whole = (patch.get_data() for patch in below.patches)
    assert used.values.tolist() == [10] * 5 + [1, 2, 3]
    assert (whole.values - whole.baseline).tolist() == [0] * 5 + [9, 8, 7]
    assert "Stopped: trials 6, 7, 8. 56 steps used and 24 saved, where a complete trial takes 10." in words_of(figure)
    assert "30% of the steps saved" in figure.get_suptitle()
    assert not clipped(figure)


def test_a_study_that_stops_nothing_yet_shows_its_curves_and_one_without_steps_nothing():
    trials, stopping = stopped_study()
    early = Stopping({6: stopping.courses[6], 8: stopping.courses[8]}, frozenset({6}), {})
    assert "1 trial stopped" in stopping_figure(SUBJECT, trials, early).get_suptitle()
    nothing = Stopping({1: Course(1, "val_loss", "minimize", (math.nan, math.inf))}, frozenset(), {})
    assert "None was stopped." in words_of(stopping_figure(SUBJECT, trials, nothing))
    for none in (None, Stopping({}, frozenset(), {}), Stopping({6: stopping.courses[6]}, frozenset({6}), {})):
        assert stopping_figure(SUBJECT, trials, none) is None


def bisected(log=False):
    space = Space({"alpha": Float(0.001, 1, log=log)})
    low, high, trials = 0.001, 1.0, []
    for number in range(1, 9):
        middle = (low + high) / 2
        recall = 1.0 - 0.1 * middle
        evidence = {"bracket_low": low, "bracket_high": high, "recall": recall}
        trials.append(Trial(number, {"alpha": middle}, "ok", middle, metrics=evidence, end_time=number))
        low, high = (middle, high) if recall >= 0.95 else (low, middle)
    return space, trials, (low, high)


@pytest.mark.slow
@pytest.mark.parametrize("log", [False, True])
def test_the_bracket_is_a_band_and_points_are_coloured_by_the_constraint(log):
    space, trials, last = bisected(log)
    floor = Constraint("recall", ">=", 0.95)
    figure = bracket_figure(Subject("loss", "minimize", space), trials, floor, last)
    met = sum(floor.is_met(each) for each in trials)
    for axes in figure.axes:
        assert marks(axes, "meets it") == met
        assert marks(axes, "does not meet it") == 8 - met > 0
    assert [line.get_ydata()[0] for line in figure.axes[1].lines] == [0.95]
    assert "bracket" in [each.get_label() for each in figure.axes[0].collections]
    assert f"{last[0]:.6g} to {last[1]:.6g}" in words_of(figure)
    assert not clipped(figure)


def test_the_bracket_of_an_ordinal_stands_at_the_places_of_its_values():
    space = Space({"x": Ordinal([16, 32, 64, 128, 256])})
    history = []
    while asked := Bisection().suggest(space, history, 1):
        number, value = len(history) + 1, (asked[0].params["x"] - 64) ** 2
        history.append(Trial(number, asked[0].params, "ok", value, metrics=asked[0].evidence, end_time=number))
    last = Bisection().bracket(space, history)
    assert last == (32, 128)
    figure = bracket_figure(Subject("loss", "minimize", space), history, last=last)
    [band] = [each for each in figure.axes[0].collections if each.get_label() == "bracket"]
    assert set(band.get_paths()[0].vertices[:, 1]) <= {0.0, 1.0, 2.0, 3.0, 4.0}


def test_the_bracket_of_an_optimum_has_no_floor():
    space, trials, _ = bisected()
    figure = bracket_figure(Subject("loss", "minimize", space), trials)
    assert marks(figure.axes[0], "trial") == marks(figure.axes[1], "trial") == 8
    assert not figure.axes[1].lines


def test_no_bracket_no_figure():
    space, trials, _ = bisected()
    bare = [dataclasses.replace(each, metrics={}) for each in trials]
    assert bracket_figure(Subject("loss", "minimize", space), bare) is None
    assert bracket_figure(SUBJECT, trials) is None
    assert bracket_figure(Subject("loss", "minimize", Space({"alpha": Categorical(["a", "b"])})), trials) is None


# --- landscape -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_every_parameter_has_a_panel_with_every_trial():
    trials = made(40, failed=0.1)
    figure = parameters_figure(SUBJECT, trials)
    shown = [axes for axes in figure.axes if axes.axison]
    assert [axes.get_xlabel() for axes in shown] == ["lr (log scale)", "dropout", "act", "units (log scale)"]
    assert [axes.get_xscale() for axes in shown] == ["log", "linear", "linear", "log"]
    for axes in shown:
        assert sum(marks(axes, label) for label in ("trial", "without a value")) == 40
        assert marks(axes, "best") == 1
    assert [label.get_text() for label in shown[2].get_xticklabels()] == ["relu", "tanh", "gelu"]


@pytest.mark.slow
def test_strips_of_categories_are_jittered_and_keyed():
    trials = made(40)
    first, second = (parameters_figure(SUBJECT, trials).axes[2] for _ in range(2))
    xs = np.concatenate([each.get_offsets()[:, 0] for each in first.collections])
    assert len(set(np.round(xs, 6))) > 30
    assert (np.abs(xs - np.round(xs)) <= 0.26).all()
    assert (xs == np.concatenate([each.get_offsets()[:, 0] for each in second.collections])).all()


@pytest.mark.slow
def test_of_very_many_parameters_the_first_are_drawn():
    space = Space({f"p{index}": Float(0, 1) for index in range(60)})
    subject, trials = Subject("loss", "minimize", space), made(5, space)
    figure = parameters_figure(subject, trials)
    assert sum(axes.axison for axes in figure.axes) == 24
    assert "the first 24 of 60 parameters" in words_of(figure)
    assert render(parallel_figure(subject, trials))


def test_parallel_coordinates_draw_a_line_a_trial_in_the_unit_square():
    trials = made(40, failed=0.1)
    figure = parallel_figure(SUBJECT, trials)
    lines = [each for each in figure.axes[0].collections if isinstance(each, LineCollection)]
    paths = [path for each in lines for path in each.get_paths()]
    assert len(paths) == sum(each.value is not None for each in trials)
    assert len(lines[-1].get_paths()) == 1
    heights = np.stack([path.vertices[:, 1] for path in paths])
    assert heights.shape[1] == len(SPACE) + 1
    assert ((heights >= 0) & (heights <= 1)).all()
    best = SUBJECT.best(trials)
    np.testing.assert_allclose(lines[-1].get_paths()[0].vertices[0, 1], SPACE["lr"].to_unit(best.params["lr"]))


def test_parallel_coordinates_need_two_parameters_and_two_trials():
    assert parallel_figure(SUBJECT, made(1)) is None
    space = Space({"x": Float(0, 1)})
    assert parallel_figure(Subject("loss", "minimize", space), made(9, space)) is None


GRID = Space({"lr": Float(1e-4, 1e-2, log=True, grid=3), "batch": Int(16, 64, grid=[16, 32, 64])})


def gridded(space=GRID, more=({},)):
    cells = [(x, y) for x in space["lr"].grid_values() for y in space["batch"].grid_values()]
    points = [{"lr": x, "batch": y, **each} for x, y in cells for each in more]
    return [Trial(number, point, "ok", float(number), end_time=1) for number, point in enumerate(points, 1)]


def cell_words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_the_heat_map_writes_the_values_into_the_cells_and_marks_the_best():
    trials = gridded()
    trials[4] = dataclasses.replace(trials[4], outcome="failed", value=None)
    figure = heat_map_figure(Subject("loss", "minimize", GRID), trials)
    assert sorted(cell_words(figure)) == ["1", "2", "3", "4", "6", "7", "8", "9", "failed"]
    (frame,) = [patch for patch in figure.axes[0].patches if patch.get_label() == "best"]
    assert frame.get_xy() == (-0.5, -0.5)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["0.0001", "0.001", "0.01"]
    assert "lr = 0.0001, batch = 16 with 1, trial 1" in words_of(figure)


def test_the_heat_map_takes_the_best_over_the_other_parameters():
    space = Space({**GRID, "act": Categorical(["relu", "tanh"])})
    figure = heat_map_figure(Subject("acc", "maximize", space), gridded(space, [{"act": "relu"}, {"act": "tanh"}]))
    assert sorted(cell_words(figure), key=float) == ["2", "4", "6", "8", "10", "12", "14", "16", "18"]
    assert "the best over 1 more" in words_of(figure)


def test_a_nearly_full_lattice_is_drawn_and_a_random_search_is_not():
    subject = Subject("loss", "minimize", GRID)
    assert heat_map_figure(subject, gridded()[:8]) is not None
    assert heat_map_figure(subject, gridded()[:7]) is None
    assert heat_map_figure(SUBJECT, made(50)) is None
    assert heat_map_figure(subject, gridded()[:3]) is None


def test_of_many_trials_a_part_of_the_lines_is_drawn_with_the_best():
    trials = made(1001)
    figure = parallel_figure(SUBJECT, trials)
    lines, best = (each for each in figure.axes[0].collections if isinstance(each, LineCollection))
    assert (len(lines.get_paths()), len(best.get_paths())) == (500, 1)
    first = min(trials, key=lambda trial: trial.value).number
    assert f"The best, trial {first} " in words_of(figure)
    assert "501 of 1001 trials" in words_of(figure)
    assert "501 of 1001 trials" in figure.get_suptitle().replace("\n", " ")
