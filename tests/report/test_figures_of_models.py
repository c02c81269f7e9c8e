"""The figures that a model is behind: importance, partial dependence, calibration, the posterior."""

from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from mlflow_tune.report.figures.calibration import calibration_figure, forecasts
from mlflow_tune.report.figures.confirmation import confirmation_figure
from mlflow_tune.report.figures.dependence import dependence_figure, dependence_of
from mlflow_tune.report.figures.importance import importance_figure, importance_of
from mlflow_tune.report.figures.posterior import posterior_figure, posterior_grid
from mlflow_tune.report.figures.style import render, words_of
from mlflow_tune.report.forest import least_trials
from mlflow_tune.report.posterior import JUDGED, PosteriorSlice, bands_of, posterior_xs
from mlflow_tune.report.subject import Subject
from mlflow_tune.space import Categorical, Float, Space
from mlflow_tune.strategies import Band, Bayesian
from mlflow_tune.strategies.confirmation import Confirmation, Plan
from mlflow_tune.strategies.seeds import Seeds
from mlflow_tune.trial import Trial
from tests.support.drawn import HOSTILE, SPACE, SUBJECT, clipped, made

# --- forest ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_importance_finds_the_parameter_that_matters_with_its_uncertainty():
    found = importance_of(SUBJECT, made(80))
    assert next(iter(found.mean)) == "lr"
    assert found.mean["lr"] > 0.5 > 10 * max(found.mean[name] for name in ("dropout", "act", "units"))
    assert all(std >= 0 for std in found.std.values())
    assert found.score > 0.5
    assert importance_of(SUBJECT, made(80)) == found
    axes = importance_figure(SUBJECT, made(80)).axes[0]
    assert len(axes.patches) == len(SPACE)
    assert axes.get_yticklabels()[0].get_text() == "lr"
    (bars,) = [each for each in axes.collections if isinstance(each, LineCollection)]
    assert len(bars.get_paths()) == len(SPACE)


@pytest.mark.slow
def test_importance_says_when_the_forest_explains_nothing():
    draws = np.random.default_rng(5)
    noise = [dataclasses.replace(each, value=float(draws.random())) for each in made(40)]
    assert "a poor fit, read with care" in words_of(importance_figure(SUBJECT, noise))


@pytest.mark.slow
def test_a_forest_needs_the_stated_number_of_trials():
    assert least_trials(SUBJECT) == 20
    assert least_trials(Subject("loss", "minimize", Space({f"p{i}": Float(0, 1) for i in range(9)}))) == 36
    for draw in (importance_figure, dependence_figure):
        assert draw(SUBJECT, made(19)) is None
        assert draw(SUBJECT, made(20)) is not None
        assert draw(SUBJECT, made(30, failed=0.5)) is None


@pytest.mark.slow
def test_partial_dependence_follows_the_function_and_shows_the_trials():
    space = Space({"a": Float(0, 1), "b": Float(0, 1)})
    subject, trials = Subject("loss", "minimize", space), made(80, space)
    found = dependence_of(subject, trials)
    assert [side.name for side in found.sides] == ["a", "b"]
    lowest = found.sides[0].units[found.along[0].argmin()]
    assert 0.25 < lowest < 0.55
    assert np.ptp(found.along[0]) > 5 * np.ptp(found.along[1])
    assert found.over[1, 0].shape == (16, 16)
    np.testing.assert_allclose(found.over[1, 0].mean(axis=0), found.along[0], atol=0.02)
    panel = dependence_figure(subject, trials).axes[2]
    assert len(panel.collections[0].get_offsets()) == 80


# --- calibration -----------------------------------------------------------------------------------------------------


def predicted(count, inside):
    return [
        Trial(
            number, {}, "ok", 1.0 if number <= inside else 1.3,
            metrics={"predicted_mean": 1.0 + number / 1000, "predicted_std": 0.1}, end_time=1,
        )
        for number in range(1, count + 1)
    ]  # fmt: skip


def test_calibration_counts_what_lies_inside_the_band():
    figure = calibration_figure(SUBJECT, [*predicted(20, 17), Trial(21, {}, "ok", 5.0), Trial(22, {}, "failed")], {})
    assert "17 of 20 values (85 %) lie inside the predicted 95 % band" in words_of(figure)
    assert "85 % inside that of 80 %, 85 % inside that of 50 %" in words_of(figure)
    assert "17 of 20 values (85 %)" in figure.get_suptitle()
    shown = {bar.get_label(): len(bar.lines[0].get_xdata()) for bar in figure.axes[0].containers}
    assert shown == {"inside its band": 17, "outside": 3}


def test_calibration_needs_three_forecasts():
    assert calibration_figure(SUBJECT, predicted(2, 2), {}) is None
    assert calibration_figure(SUBJECT, made(20), {}) is None
    nonsense = [
        dataclasses.replace(each, metrics={"predicted_mean": math.nan, "predicted_std": -1}) for each in made(5)
    ]
    assert forecasts(nonsense, {}) == []


def test_calibration_is_counted_where_the_model_judged():
    """In its units an error counts, not in the metric's, which are uneven; the bars are the band of 95 % there."""
    bands = {number: Band(number / 20, 0.9, 1.5) for number in range(1, 21)}
    figure = calibration_figure(SUBJECT, predicted(20, 20), bands)
    assert "19 of 20 values (95 %) lie inside the predicted 95 % band" in words_of(figure)
    assert "80 % inside that of 80 %, 50 % inside that of 50 %" in words_of(figure)
    (bar, *_), outside = (each.lines[2][0].get_segments() for each in figure.axes[0].containers)
    np.testing.assert_allclose(bar[:, 0], [0.9, 1.5])
    assert len(outside) == 1


def test_bands_come_from_what_had_ended_when_a_trial_started():
    class Told(Bayesian):
        def band(self, space, history, trial):
            return Band(0.5, *(float(each.number) for each in history)) if len(history) == 2 else None

    times = [(1, 0, 5), (2, 0, 9), (3, 5, 7), (4, 8, 10), (5, 0, 1)]
    told = {"predicted_mean": 1.0, "predicted_std": 1.0}
    trials = [
        Trial(number, {}, "ok", 1.0, metrics=told, start_time=start, end_time=end) for number, start, end in times
    ]
    spec = SimpleNamespace(strategy=Told(), space=Space({"x": Float(0, 1)}))
    assert bands_of(spec, trials) == {4: Band(0.5, 1.0, 3.0)}


def test_a_long_study_is_judged_by_its_last_predictions():
    assert "of the last 200 values" in words_of(calibration_figure(SUBJECT, predicted(JUDGED + 9, 999), {}))


# --- posterior -------------------------------------------------------------------------------------------------------


def believed(number=5, log=False, reference=True, **more):
    dimension = Float(0.01, 1, log=log)
    observed, chosen = [0.1, 0.5, 0.9], 0.3
    xs = posterior_xs(dimension, observed, chosen)
    std = [min(abs(x - each) for each in observed) for x in xs]
    truth = [math.sin(5 * x) for x in xs] if reference else None
    seen = [math.sin(5 * x) for x in observed]
    return PosteriorSlice(number, "x", log, xs, [0.0] * len(xs), std, std, "EI", observed, seen, chosen, truth, **more)


@pytest.mark.parametrize("log", [False, True])
def test_the_posterior_has_its_points_lines_band_and_the_next_point(log):
    figure = posterior_figure(believed(log=log, metric="f(x)"))
    above, below = figure.axes
    lines = {line.get_label(): line for line in above.lines}
    assert len(lines["trial"].get_xdata()) == 3
    assert lines["trial"].get_color() == lines["predicted mean"].get_color() == "black"
    assert lines["true function"].get_linestyle() == ":"
    assert [each.get_label() for each in above.collections] == ["95 % band"]
    (chosen,) = [line for line in below.lines if line.get_label() == "next point"]
    assert list(chosen.get_xdata()) == [0.3]
    assert above.get_ylabel() == "f(x)"
    assert below.get_xscale() == ("log" if log else "linear")
    assert not clipped(figure)


def test_the_band_has_no_width_where_a_trial_was_run():
    posterior = believed()
    assert set(posterior.observed_x) | {posterior.next_x} <= set(posterior.xs)
    (band,) = posterior_figure(posterior).axes[0].collections
    edges = band.get_paths()[0].vertices
    for x in posterior.observed_x:
        assert set(edges[edges[:, 0] == x][:, 1]) == {0.0}


def test_the_posterior_without_a_true_function():
    labels = [line.get_label() for line in posterior_figure(believed(reference=False)).axes[0].lines]
    assert "true function" not in labels


@pytest.mark.slow
def test_all_posteriors_in_one_picture():
    figure = posterior_grid([believed(number) for number in range(3, 11)])
    assert len(figure.axes) == 16
    titles = [axes.get_title(loc="left") for axes in figure.axes[::2]]
    assert titles == [f"before trial {number}" for number in range(3, 11)]
    assert len({axes.get_ylim() for axes in figure.axes[::2]}) == 1
    assert not clipped(figure)
    assert len(posterior_grid([believed(1)]).axes) == 2


@pytest.mark.slow
def test_of_very_many_posteriors_the_first_and_the_last_are_drawn(monkeypatch):
    monkeypatch.setattr("mlflow_tune.report.figures.posterior.MOST", 4)
    figure = posterior_grid([believed(number) for number in range(1, 11)])
    titles = [axes.get_title(loc="left") for axes in figure.axes[::2]]
    assert titles == [f"before trial {number}" for number in (1, 2, 9, 10)]
    assert "6 in the middle left out" in " ".join(figure.get_suptitle().split())


def test_no_posterior_no_picture():
    empty = dataclasses.replace(believed(), xs=[], mean=[], std=[], acquisition=[], reference=None)
    assert posterior_figure(empty) is None
    assert posterior_grid([]) is None
    assert posterior_grid([empty]) is None
    assert posterior_xs(Categorical(["a", "b"]), [], 0.0) == []


@pytest.mark.slow
def test_flat_and_hostile_posteriors():
    flat = dataclasses.replace(
        believed(), std=[0.0] * len(believed().xs), acquisition=[0.0] * len(believed().xs), reference=None,
        observed_y=[0.0] * 3, parameter="p" * 200, metric=HOSTILE, acquisition_name=HOSTILE,
    )  # fmt: skip
    for figure in (posterior_figure(flat), posterior_grid([flat] * 3)):
        assert not clipped(figure)
        assert render(figure, "svg")


@pytest.mark.long
def test_of_many_trials_a_forest_takes_a_part_and_says_so():
    trials = made(501)
    words = words_of(importance_figure(SUBJECT, trials))
    assert "500 of 501 trials, drawn at random" in words
    assert "500 of 501 trials, drawn at random" in words_of(dependence_figure(SUBJECT, trials))
    found = importance_of(SUBJECT, trials)
    assert (next(iter(found.mean)), found.trials) == ("lr", 500)
    assert importance_of(SUBJECT, trials) == found


def test_the_confirmation_shows_what_was_seen_and_what_reruns_came_to():
    trials = [Trial(at, {"x": at / 10}, "ok", value) for at, value in enumerate([0.1, 0.2, 0.9], start=1)]
    values = {1: (0.5, 0.6), 2: (0.21, 0.23)}
    reruns = [(each, seed, value) for each, found in values.items() for seed, value in enumerate(found, start=1)]
    trials += [
        Trial(at, {"x": each / 10}, "ok", value, replicate=each, seed=seed)
        for at, (each, seed, value) in enumerate(reruns, start=4)
    ]
    subject = Subject("loss", "minimize", Space({"x": Float(0, 1)}))
    standing = Confirmation(Plan(2, 2), "minimize", Seeds("seed"), trials)
    figure = confirmation_figure(subject, trials, standing)
    assert "#002 was seen at 0.2, 2 reruns have the mean 0.22, 90 % interval 0.1" in words_of(figure)
    assert not clipped(figure)
    [axes] = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["#002", "#001"], "the best stands on top"
    lines = {line.get_label(): line.get_xdata().tolist() for line in axes.get_lines()}
    assert lines["seen"] == [0.2, 0.1]
    assert sorted(lines["rerun"]) == [0.21, 0.23, 0.5, 0.6]
    assert confirmation_figure(subject, trials[:3], Confirmation(Plan(2, 2), "minimize", Seeds(), trials[:3])) is None
    assert confirmation_figure(subject, trials, None) is None
