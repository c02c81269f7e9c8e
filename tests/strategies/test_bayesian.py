"""What is special to the Bayesian strategy: its model, its search and its evidence."""

import json
import math
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import check_grad
from scipy.spatial.distance import pdist
from skopt.acquisition import gaussian_ei, gaussian_pi

from mlflow_tune.errors import InputError
from mlflow_tune.space import Categorical, Float, Int, Ordinal, Space
from mlflow_tune.spec.stopping import expected_improvement
from mlflow_tune.strategies import Bayesian, Random, make_strategy, strategy_to_json
from mlflow_tune.strategies.bayesian import EVIDENCE, averaging, gp, surrogate
from mlflow_tune.strategies.bayesian.acquisition import acquisition_values, log_expected_improvement, score
from mlflow_tune.strategies.bayesian.encoding import every_point, features, observe, snapped, widths
from mlflow_tune.strategies.bayesian.options import ACQUISITIONS
from mlflow_tune.strategies.bayesian.surrogate import Forest
from mlflow_tune.strategies.bayesian.targets import targets
from mlflow_tune.trial import Trial
from tests.conformance import strategies as suite
from tests.fixtures import ROOT

LINE = Space({"x": Float(0, 1)})
PLANE = Space({"x": Float(-1, 1), "y": Float(-1, 1)})
MIXED = Space({"lr": Float(1e-4, 1, log=True), "n": Int(1, 5), "c": Categorical(["a", "b", "c"])})


def bowl(params):
    return (params["x"] - 0.3) ** 2 + (params.get("y", 0.1) - 0.1) ** 2


def study(strategy, space, loss, trials, history=()):
    """Return the history of a study with one worker; a trial whose loss is None failed."""
    found = list(history)
    while len(found) < trials and (suggestions := strategy.suggest(space, found, 1)):
        value = loss(suggestions[0].params)
        found.append(
            Trial(
                number=len(found) + 1,
                params=suggestions[0].params,
                outcome="failed" if value is None else "ok",
                value=value,
                why=suggestions[0].why,
                metrics=suggestions[0].evidence,
            )
        )
    return found


def tried(space, values):
    """Return a history of random points with these values."""
    draws = Random(seed=1).suggest(space, [], len(values))
    return [
        Trial(number=number, params=each.params, outcome="ok", value=value)
        for number, (each, value) in enumerate(zip(draws, values, strict=True), start=1)
    ]


# --- options -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"surrogate": "GBRT"}, "surrogate", "known: GP, RF, ET"),
        ({"acquisition": "EIp"}, "acquisition", "did you mean"),
        ({"initial": 0}, "initial", "initial >= 1 must hold, but got initial=0"),
        ({"initial": 2.5}, "initial", "whole number"),
        ({"kappa": -1}, "kappa", "kappa >= 0 must hold"),
        ({"kappa": "inf"}, "kappa", "finite"),
        ({"seed": -1}, "seed", "seed >= 0 must hold"),
        ({"goal": "minimise"}, "goal", "did you mean 'minimize'?"),
    ],
)
def test_options_out_of_range_are_named(options, key, message):
    with pytest.raises(InputError) as caught:
        Bayesian(**options)
    assert caught.value.key == key
    assert message in caught.value.message


def test_it_is_made_from_a_study_file():
    made = make_strategy({"name": "bayesian", "initial": "5", "kappa": "1e0"}, goal="maximize")
    assert made == Bayesian(initial=5, kappa=1.0, goal="maximize")
    assert make_strategy(strategy_to_json(made), "maximize") == made
    assert "goal" not in strategy_to_json(made)


def test_importing_the_strategies_loads_nothing_heavy():
    code = "import sys, mlflow_tune.strategies; print(*{'numpy', 'scipy', 'skopt', 'sklearn'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "\n"


# --- the initial design ------------------------------------------------------------------------------------------


def test_the_baseline_comes_first_then_sobol_points():
    space = Space({"lr": Float(1e-4, 1, log=True, default=0.1), "n": Int(0, 10)})
    first, second = Bayesian().suggest(space, [], 2)
    assert first.params == {"lr": 0.1, "n": 5}
    assert first.why == "initial design, 1 of 5: baseline: the defaults of lr, the middle of the other ranges"
    assert second.why == "initial design, 2 of 5: Sobol point 1, seed 0"
    assert not first.evidence


def test_the_initial_design_covers_every_parameter_evenly():
    for seed in range(5):
        drawn = Bayesian(initial=9, seed=seed).suggest(PLANE, [], 9)[1:]
        for name in PLANE:
            cells = {math.floor((each.params[name] + 1) * 4) for each in drawn}
            assert cells == set(range(8))


def test_enough_trials_of_any_strategy_make_the_initial_design_unnecessary():
    history = tried(LINE, [0.4, 0.1, 0.3, 0.5])
    assert Bayesian(initial=4).suggest(LINE, history, 1)[0].why.startswith("GP model")
    assert Bayesian(initial=5).suggest(LINE, history, 1)[0].why.startswith("initial design, 5 of 5: baseline")


def test_without_values_the_initial_design_goes_on():
    history = [replace(trial, outcome="failed", value=None) for trial in tried(LINE, [1.0] * 9)]
    assert Bayesian().suggest(LINE, history, 1)[0].why.startswith("initial design, longer")


# --- what the model is fitted to ---------------------------------------------------------------------------------


def test_what_is_equal_to_python_is_another_category():
    space = Space({"c": Categorical([1, True, 1.0, [1], [True], 0, False])})
    values = space["c"].values
    history = [Trial(number, {"c": value}, "ok", float(number)) for number, value in enumerate(values, start=1)]
    seen = observe(space, history, "minimize")
    assert len(seen.visited) == len(values)
    rows, owners = features(space, seen.points)
    assert (rows > 0).argmax(axis=1).tolist() == [*range(len(values))]
    assert owners == (0,) * len(values)
    left = [Bayesian(initial=2).suggest(space, [*history[:index], *history[index + 1 :]], 1) for index in (0, 1, 4, 6)]
    assert [repr(found[0].params["c"]) for found in left] == ["1", "True", "[True]", "False"]


def test_a_model_sees_an_order_where_there_is_one():
    space = Space({"o": Ordinal([16, 32, 64, 128]), "s": Float(0, 1, step=0.25), "x": Float(2, 2)})
    rows, owners = features(space, np.array([space.to_unit({"o": o, "s": 0.25, "x": 2}) for o in (16, 32, 64, 128)]))
    assert rows.tolist() == [[0.125, 0.3, 0.5], [0.375, 0.3, 0.5], [0.625, 0.3, 0.5], [0.875, 0.3, 0.5]]
    assert owners == (0, 1, 2)
    assert widths(space).tolist() == [0.25, 0.2, 1.0]
    assert len(every_point(space)) == space.size == 20


def test_a_category_is_as_far_from_another_as_the_ends_of_a_range():
    points = np.array([MIXED.to_unit(point) for point in ({"lr": 1e-4, "n": 1, "c": "a"}, {"lr": 1, "n": 1, "c": "c"})])
    columns, owners = features(MIXED, points)
    assert owners == (0, 1, 2, 2, 2)
    np.testing.assert_allclose((columns[0] - columns[1]) ** 2, [1, 0, 0.5, 0, 0.5])


def test_candidates_are_judged_as_what_would_be_run():
    units = np.random.default_rng(0).random((50, 3))
    points = [MIXED.from_unit(unit) for unit in units.tolist()]
    np.testing.assert_allclose(snapped(MIXED, units), [MIXED.to_unit(point) for point in points], atol=1e-12)


def test_observations_tell_failures_from_interruptions_and_ignore_other_spaces():
    kinds = ["ok", "failed", "timeout", "not-finite", "interrupted", None]
    history = [
        Trial(number=at, params={"x": at / 10}, outcome=kind, value=1.0 if kind == "ok" else None)
        for at, kind in enumerate(kinds, start=1)
    ]
    history += [Trial(number=7, params={"x": 2.0}, outcome="ok", value=0.0), Trial(number=8, params={"z": 0.5})]
    history += [Trial(number=9, params={"x": 0.9}, outcome="ok", value=sys.float_info.max)]
    seen = observe(LINE, history, "maximize")
    np.testing.assert_allclose(seen.points[:, 0], [0.1, 0.2, 0.3, 0.4, 0.9])
    np.testing.assert_array_equal(seen.values, [-1.0] + [np.nan] * 4)
    assert seen.pending.tolist() == [[0.6]]
    assert len(seen.visited) == 7


@pytest.mark.parametrize("scale", [1e-140, 1.0, 1e140])
def test_targets_are_standard_and_lead_back(scale):
    values = np.append(np.exp(np.random.default_rng(0).standard_normal(50)), np.nan) * scale
    aims, way = targets(values)
    assert abs(aims[:-1].mean()) < 1e-9
    assert abs(aims[:-1].std() - 1) < 1e-9
    np.testing.assert_allclose(way.back(aims[:-1]), values[:-1], rtol=1e-6)
    assert np.isfinite(way.back(np.linspace(-50, 50, 11))).all()


def test_a_failure_is_as_bad_as_the_worst_up_to_where_values_are_compressed():
    aims, way = targets(np.array([1.0, 3.0, 2.0, np.nan]))
    assert aims[3] == aims[1]
    aims, way = targets(np.array([1.0, 3.0, 2.0, np.nan, 1e9]))
    np.testing.assert_allclose(way.back(aims[3:4]), 2.5 + 2 * 1.5)


def test_a_diverged_trial_does_not_flatten_the_rest():
    aims, _ = targets(np.array([1.0, 2.0, 3.0, 1e30]))
    assert np.diff(aims).min() > 0.3


@pytest.mark.parametrize(
    "values", [[1.0, 1.0, 1.0], [0.0, 0.0], [-1e149, 1e149, 0.0], [5.0, 5.0, 5.0, 7.0], [1e10, 1e10 + 1]]
)
def test_odd_values_make_finite_evidence(values):
    for suggestion in Bayesian(initial=2).suggest(MIXED, tried(MIXED, values), 2):
        assert np.isfinite(list(suggestion.evidence.values())).all()


# --- the Gaussian process ----------------------------------------------------------------------------------------


def test_the_gradient_of_the_likelihood_is_right():
    draws = np.random.default_rng(0)
    points, owners = features(MIXED, draws.random((12, 3)))
    squares, aims = gp._squares(points, owners), draws.standard_normal(12)
    doubts = np.where(draws.random(12) < 0.3, draws.random(12), 0.0)
    for theta in draws.uniform(-2, 0.5, (5, 5)):
        error = check_grad(
            lambda at: gp._negative_log_likelihood(at, squares, aims, doubts)[0],
            lambda at: gp._negative_log_likelihood(at, squares, aims, doubts)[1],
            theta,
        )
        assert error < 1e-4


def test_it_predicts_as_scikit_learn_does_with_the_same_kernel():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern

    draws = np.random.default_rng(0)
    points, values, others = draws.random((45, 2)), draws.standard_normal(45), draws.random((20, 2))
    errors = np.where(draws.random(45) < 0.3, draws.random(45), 0.0)  # of trials that were stopped
    model, scale = gp.gaussian_process(points, values, (0, 1), errors)
    noise = model.noise + model.doubts
    assert np.array_equal(model.doubts > 0, errors > 0)
    kernel = ConstantKernel(model.kernel.variance) * Matern(model.kernel.lengths, nu=2.5)
    theirs = GaussianProcessRegressor(kernel, alpha=noise, optimizer=None).fit(points, scale.forward(values))
    np.testing.assert_allclose(model.predict(others), theirs.predict(others, return_std=True), atol=1e-6)
    np.testing.assert_allclose(model.smoothed, theirs.predict(points), atol=1e-6)


@pytest.mark.slow
def test_a_lost_cache_changes_no_answer():
    strategy, history = Bayesian(), study(Bayesian(), PLANE, bowl, 30)
    warm = strategy.suggest(PLANE, history, 2)
    gp._fitted.cache_clear()
    gp._factor.cache_clear()
    averaging._drawn.cache_clear()
    assert strategy.suggest(PLANE, history, 2) == warm
    assert strategy.suggest(PLANE, history[:29], 1)[0].params == history[29].params


def test_kernels_are_fitted_at_growing_sizes():
    sizes = [gp.prefix_size(count) for count in range(1, 1001)]
    assert sizes[:10] == list(range(1, 11))
    assert all(size <= count <= 1.1 * size + 1 for count, size in enumerate(sizes, start=1))
    assert len(set(sizes)) < 80


# --- forests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["RF", "ET"])
def test_forests_predict_as_scikit_optimize_does(kind):
    draws = np.random.default_rng(0)
    points, others = draws.random((40, 3)), draws.random((20, 3))
    forest = Forest.of(kind, points, draws.standard_normal(40), seed=1)
    theirs = forest.model.predict(others.astype(np.float32), return_std=True)
    np.testing.assert_allclose(forest.predict(others), theirs, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RF", "ET"])
def test_forests_find_a_minimum(kind):
    history = study(Bayesian(surrogate=kind), MIXED, lambda p: math.log10(p["lr"]) ** 2 + 5 * (p["c"] != "b"), 20)
    assert min(trial.value for trial in history[8:]) < 0.5
    assert history[-1].why.startswith(f"{kind} model, EI")


@pytest.mark.slow
@pytest.mark.parametrize("check", suite.CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    ("strategy", "space"),
    [
        pytest.param(Bayesian(surrogate="RF", acquisition="PI", initial=3), suite.FEW, marks=pytest.mark.long),
        pytest.param(Bayesian(surrogate="ET", acquisition="EIps", initial=3), suite.MIXED, marks=pytest.mark.long),
        (Bayesian(acquisition="LCB", initial=3), suite.MIXED),
    ],
    ids=["RF", "ET", "LCB"],
)
def test_other_surrogates_keep_every_promise(check, strategy, space, monkeypatch):
    """How many trees a forest has changes none of the promises, only the time: the other process has all of them."""
    if check is not suite.check_fresh_process:
        monkeypatch.setattr(surrogate, "TREES", 10)
    check(strategy, space)


# --- acquisition functions ---------------------------------------------------------------------------------------


class Normal:
    """A model of scikit-optimize that predicts what it is given."""

    def predict(self, points, return_std=True):
        return points[:, 0], points[:, 1]


def test_scores_are_those_of_scikit_optimize():
    mean, std = np.linspace(-2, 2, 30), np.linspace(0.1, 1.5, 30)
    points = np.stack([mean, std], axis=1)
    np.testing.assert_allclose(
        acquisition_values("EI", score("EI", mean, std, 0.1, 0)), gaussian_ei(points, Normal(), 0.1, xi=0)
    )
    np.testing.assert_allclose(
        acquisition_values("PI", score("PI", mean, std, 0.1, 0)), gaussian_pi(points, Normal(), 0.1, xi=0.01)
    )
    np.testing.assert_array_equal(score("LCB", mean, std, 0.1, 2.0), 2 * std - mean)
    np.testing.assert_array_equal(score("uncertainty", mean, std, 0.1, 2.0), std)


def test_log_expected_improvement_tells_hopeless_points_apart():
    worse = np.concatenate([np.linspace(-3, 30, 2000), np.geomspace(31, 1e8, 2000)])
    logs = log_expected_improvement(worse, np.ones(4000), 0.0)
    assert np.isfinite(logs).all()
    assert (np.diff(logs) < 0).all()
    # -log EI(u) = u^2 / 2 + log(2 pi) / 2 + 2 log u + O(1 / u^2)
    far = -(1e4**2) / 2 - math.log(2 * math.pi) / 2 - 2 * math.log(1e4)
    np.testing.assert_allclose(log_expected_improvement(np.array([1e4]), np.ones(1), 0.0), far, rtol=1e-12)


# --- studies -----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_it_finds_a_minimum_where_random_does_not():
    history = study(Bayesian(), PLANE, bowl, 20)
    assert min(trial.value for trial in history) < 1e-3
    assert min(bowl(each.params) for each in Random().suggest(PLANE, [], 20)) > 1e-3


def test_maximizing_is_minimizing_the_negative():
    low = study(Bayesian(), PLANE, bowl, 14)
    high = study(Bayesian(goal="maximize"), PLANE, lambda params: -bowl(params), 14)
    assert [trial.params for trial in low] == [trial.params for trial in high]
    assert low[-1].metrics["predicted_mean"] == -high[-1].metrics["predicted_mean"]
    assert low[-1].metrics["predicted_std"] == high[-1].metrics["predicted_std"]


@pytest.mark.slow
def test_evidence_is_in_the_metrics_units_and_why_tells_it():
    history = study(Bayesian(), PLANE, lambda params: 100 + bowl(params), 16)
    history += [Trial(number=17, params={"x": 0.0, "y": 0.9})]
    (suggestion,) = Bayesian().suggest(PLANE, history, 1)
    assert tuple(suggestion.evidence) == EVIDENCE
    mean, std = suggestion.evidence["predicted_mean"], suggestion.evidence["predicted_std"]
    assert abs(mean - 100 - bowl(suggestion.params)) < max(5 * std, 1e-3)
    assert suggestion.why == (
        f"GP model, EI {suggestion.evidence['acquisition']:.4g}: predicted {mean:.6g} +- {std:.2g} "
        "from 17 trials (1 running)"
    )


@pytest.mark.slow
def test_failures_count_against_their_region():
    strategy = Bayesian(initial=6)
    history = study(strategy, LINE, lambda params: None if params["x"] < 0.5 else (params["x"] - 0.5), 18)
    failed = [trial.value is None for trial in history[6:]]
    assert sum(failed) <= 6
    assert "without a value" in history[-1].why
    assert min(trial.value for trial in history if trial.value is not None) < 0.01


def test_running_trials_count_as_what_the_model_predicts():
    history, point = study(Bayesian(), PLANE, bowl, 12), {"x": 0.9, "y": -0.9}
    running = Trial(number=13, params=point)
    before, after = (Bayesian().posterior(PLANE, each, [point]) for each in (history, [*history, running]))
    assert math.isclose(before.mean[0], after.mean[0], rel_tol=0.01)
    assert after.std[0] < 0.1 * before.std[0]


def test_trials_at_once_do_not_repeat_one_another():
    history = study(Bayesian(), PLANE, lambda at: bowl(at) + 0.3 * math.sin(9 * at["x"]) * math.cos(7 * at["y"]), 8)
    batch = [PLANE.to_unit(each.params) for each in Bayesian().suggest(PLANE, history, 8)]
    assert pdist(batch).min() > 0.01


def test_while_trials_run_the_same_acquisition_chooses():
    history, point = study(Bayesian(), PLANE, bowl, 12), {"x": 0.9, "y": -0.9}
    running = [*history, Trial(number=13, params=point)]
    for name in ACQUISITIONS:
        assert Bayesian(acquisition=name).posterior(PLANE, running, [point]).acquisition_name == name


def test_uncertainty_explores():
    history = study(Bayesian(acquisition="uncertainty", initial=3), LINE, lambda params: params["x"], 12)
    gaps = np.diff(np.sort([trial.params["x"] for trial in history]))
    assert gaps.max() < 0.25


def test_eips_prefers_cheap_points():
    grid = np.linspace(0, 1, 101)
    history = [
        replace(trial, params={"x": x}, start_time=1_000, end_time=1_000 + int(10 ** (1 + 4 * x)))
        for trial, x in zip(
            tried(LINE, [(at - 4.5) ** 2 for at in range(9)]), np.linspace(0, 1, 9).tolist(), strict=True
        )
    ]
    points = [{"x": x} for x in grid.tolist()]
    plain, cheap = (Bayesian(acquisition=name).posterior(LINE, history, points) for name in ("EI", "EIps"))
    assert grid[np.argmax(cheap.acquisition)] < grid[np.argmax(plain.acquisition)]
    likely = np.array(plain.acquisition) > 1e-200
    seconds = np.array(plain.acquisition)[likely] / np.array(cheap.acquisition)[likely]
    np.testing.assert_allclose(seconds, 0.01 * 10 ** (4 * grid[likely]), rtol=0.3)
    assert Bayesian(acquisition="EIps").suggest(LINE, history, 1)[0].why.startswith("GP model, EIps")


@pytest.mark.slow
def test_a_killed_study_goes_on_in_another_process():
    whole = study(Bayesian(), MIXED, lambda params: math.log10(params["lr"]) ** 2 + params["n"], 14)
    code = """if True:
        import json, math, sys
        from tests.strategies.test_bayesian import *
        read = enumerate(json.load(sys.stdin), start=1)
        history = [Trial(number=at, params=params, outcome="ok", value=value) for at, (params, value) in read]
        whole = study(Bayesian(), MIXED, lambda params: math.log10(params["lr"]) ** 2 + params["n"], 14, history)
        print(json.dumps([trial.params for trial in whole]))
    """
    half = json.dumps([[trial.params, trial.value] for trial in whole[:7]])
    ran = subprocess.run(
        [sys.executable, "-c", code],
        input=half,
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert json.loads(ran.stdout) == [trial.params for trial in whole]


# --- what pictures and stop rules need ---------------------------------------------------------------------------


@pytest.mark.parametrize("acquisition", ["EI", "PI", "LCB", "uncertainty"])
def test_the_posterior_is_rebuilt_from_the_history(acquisition):
    strategy = Bayesian(acquisition=acquisition, initial=3)
    history = study(strategy, LINE, lambda params: math.sin(9 * params["x"]), 7)
    xs = np.linspace(0, 1, 201).tolist()
    before = strategy.posterior(LINE, history[:-1], [{"x": x} for x in [*xs, history[-1].params["x"]]])
    assert max(before.acquisition) <= before.acquisition[-1] * 1.05 + 1e-3
    assert math.isclose(before.acquisition[-1], history[-1].metrics["acquisition"], rel_tol=1e-6)
    # the forecast averages over kernels, of which the most probable one chose
    assert abs(before.mean[-1] - history[-1].metrics["predicted_mean"]) < history[-1].metrics["predicted_std"]


def test_the_posterior_is_certain_where_trials_are():
    history = study(Bayesian(initial=3), LINE, lambda params: math.sin(9 * params["x"]), 10)
    seen = Bayesian(initial=3).posterior(LINE, history, [trial.params for trial in history])
    np.testing.assert_allclose(seen.mean, [trial.value for trial in history], atol=0.02)
    assert max(seen.std) < 0.02


def test_there_is_no_posterior_in_the_initial_design():
    assert Bayesian().posterior(LINE, tried(LINE, [1.0, 2.0]), [{"x": 0.5}]) is None


@pytest.mark.slow
def test_expected_improvement_falls_as_a_study_converges():
    history = study(Bayesian(), PLANE, bowl, 20)
    assert expected_improvement(history[:7]) is None
    assert expected_improvement(history[:8]) > 1e-2
    assert expected_improvement(history) < 1e-3


def test_a_pruned_trial_counts_as_what_it_would_have_come_to():
    """Its time tells nothing: it would have taken longer."""
    expected = {"expected_end": 0.8, "expected_end_std": 0.1}
    trials = [
        Trial(1, {"x": 0.2}, "ok", 0.5, start_time=1000, end_time=3000),
        Trial(2, {"x": 0.4}, "pruned", metrics=expected, start_time=1000, end_time=2000),
        Trial(3, {"x": 0.6}, "pruned", start_time=1000, end_time=2000),  # diverged: it would have come to nothing
    ]
    seen = observe(LINE, trials, "maximize")
    assert seen.values.tolist()[:2] == [-0.5, -0.8] and math.isnan(seen.values[2])
    assert seen.seconds.tolist()[:1] == [2.0] and np.isnan(seen.seconds[1:]).all()


def test_the_model_is_as_uncertain_of_a_stopped_trial_as_its_forecast():
    """Seen, the value of 3 bends the curve to it; predicted with a deviation of 2, it is one more doubtful word."""
    seen = tried(LINE, [0.1 * number for number in range(8)])

    def belief(deviation):
        metrics = {"expected_end": 3.0, "expected_end_std": deviation}
        stopped = Trial(9, {"x": 0.5}, "pruned", metrics=metrics, start_time=1000, end_time=2000)
        found = Bayesian(initial=4).posterior(LINE, [*seen, stopped], [{"x": 0.5}])
        return found.mean[0], found.std[0]

    (sure, narrow), (unsure, wide) = belief(0.0), belief(2.0)
    assert sure > 2.9 and unsure < 2 and wide > 2 * narrow
    history = [*seen, Trial(9, {"x": 0.5}, "pruned", metrics={"expected_end": 3.0, "expected_end_std": 2.0})]
    for kind in ("GP", "RF"):
        assert Bayesian(initial=4, surrogate=kind).suggest(LINE, history, 1)
