"""What is special to each strategy, and how strategies are made from a study file."""

import json
import math
import time
from dataclasses import FrozenInstanceError

import numpy
import pytest
from scipy.stats import qmc

from mlflow_tune.errors import InputError
from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.strategies import Grid, Random, make_strategy, strategy_to_json
from mlflow_tune.strategies.random import sobol_point
from mlflow_tune.tracking.reading import MOST_TRIALS
from mlflow_tune.trial import Trial, best_trial, ranked

SMALL = Space({"a": Int(0, 9, grid=[5, 0]), "b": Categorical(["x", "y", "z"])})


def ran(number, params, outcome="ok"):
    return Trial(number=number, params=params, outcome=outcome)


def points(suggestions):
    return [tuple(each.params.values()) for each in suggestions]


# --- grid ----------------------------------------------------------------------------------------------------


def test_grid_varies_the_last_parameter_fastest():
    suggestions = Grid().suggest(SMALL, [], 10)
    assert points(suggestions) == [(5, "x"), (5, "y"), (5, "z"), (0, "x"), (0, "y"), (0, "z")]
    assert suggestions[1].why == "point 2 of 6 of the grid"


@pytest.mark.parametrize("outcome", [None, "ok", "failed", "timeout", "not-finite", "interrupted"])
def test_grid_skips_points_that_any_trial_has(outcome):
    history = [ran(1, {"a": 5, "b": "y"}, outcome), ran(2, {"a": 7, "b": "x"}, outcome)]
    assert points(Grid().suggest(SMALL, history, 2)) == [(5, "x"), (5, "z")]


def test_grid_ends():
    history = [ran(number, each.params) for number, each in enumerate(Grid().suggest(SMALL, [], 6), start=1)]
    assert Grid().suggest(SMALL, history, 1) == []


def test_grid_has_its_number_of_points():
    assert Grid().length(SMALL) == len(Grid().suggest(SMALL, [], 100)) == 6


def test_grid_of_a_trillion_points_answers_at_once():
    space = Space({f"p{index}": Float(0, 1, grid=10) for index in range(12)})
    start = time.perf_counter()
    Grid().check(space)
    assert Grid().length(space) == 10**12
    first = Grid().suggest(space, [], 3)
    again = Grid().suggest(space, [ran(at, each.params) for at, each in enumerate(first, start=1)], 1)
    assert again[0].why == "point 4 of 1000000000000 of the grid"
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("dimension", [Float(0, 1), Int(0, 1)])
def test_grid_says_what_to_write_for_a_parameter_without_grid(dimension):
    with pytest.raises(InputError, match="write a list") as caught:
        Grid().check(Space({"b": Categorical(["x"]), "lr": dimension}))
    assert caught.value.key == "lr.grid"


# --- random --------------------------------------------------------------------------------------------------


def test_random_is_keyed_by_seed_and_number():
    space = Space({"x": Float(0, 1)})
    (third,) = Random(seed=3).suggest(space, [ran(1, {"x": 0.1}), ran(2, {"x": 0.2})], 1)
    assert third == Random(seed=3).suggest(space, [], 3)[2]
    assert third.why == "uniform draw of trial 3, seed 3"
    assert third != Random(seed=4).suggest(space, [], 3)[2]


def test_random_draws_evenly():
    space = Space({"x": Float(0, 1), "lr": Float(1e-4, 1, log=True), "n": Int(1, 4), "c": Categorical(["x", "y"])})
    drawn = points(Random().suggest(space, [], 2000))
    for share, expected in (
        (sum(point[0] < 0.25 for point in drawn), 500),
        (sum(math.log10(point[1]) < -3 for point in drawn), 500),
        (sum(point[2] == 4 for point in drawn), 500),
        (sum(point[3] == "x" for point in drawn), 1000),
    ):
        assert abs(share - expected) < 90  # over four standard deviations


def test_random_uses_a_finite_space_up_and_ends():
    space = Space({"n": Int(1, 20, log=True), "c": Categorical(["x", "y"])})
    drawn = Random().suggest(space, [], 100)
    assert len(drawn) == len(set(points(drawn))) == 40
    assert any("had been visited" in each.why for each in drawn)
    history = [ran(number, each.params) for number, each in enumerate(drawn, start=1)]
    assert Random().suggest(space, history, 1) == []
    assert points(Random().suggest(space, history[:-1], 5)) == points(drawn[-1:])


@pytest.mark.parametrize("seed", [-1, 1.5, "abc", True, None])
def test_random_refuses_what_is_no_seed(seed):
    with pytest.raises(InputError) as caught:
        Random(seed=seed)
    assert caught.value.key == "seed"


def test_random_by_sobol_covers_every_parameter_evenly():
    drawn = points(Random(sampling="sobol", seed=2).suggest(Space({"x": Float(0, 1), "y": Float(0, 1)}), [], 64))
    for axis in zip(*drawn, strict=True):
        assert sorted(math.floor(64 * value) for value in axis) == list(range(64))


@pytest.mark.parametrize("dimensions", [1, 3, 12])
def test_the_points_of_the_sobol_sequence_are_those_that_are_drawn_in_one_go(dimensions):
    whole = qmc.Sobol(dimensions, scramble=True, seed=numpy.random.default_rng([7])).random_base2(17)
    for index in (*range(64), 999, 1023, 1024, 1025, 65535, 65536, 100_000, 131_071):
        assert sobol_point(dimensions, 7, index) == whole[index].tolist()


def test_a_sobol_point_far_on_takes_no_time():
    """Anybody may tag a run as trial 1,000,000, and the next trial is numbered from there."""
    space = Space({f"p{number}": Float(0, 1) for number in range(12)})
    sobol, history = Random(sampling="sobol"), [ran(MOST_TRIALS, dict.fromkeys(space, 0.5))]
    sobol.suggest(space, [], 1)  # what is imported is not what is measured
    began = time.process_time()
    (found,) = sobol.suggest(space, history, 1)
    assert time.process_time() - began < 0.1
    assert "Sobol point 1000001" in found.why


def test_random_by_sobol_is_keyed_by_seed_and_number():
    space, sobol = Space({"x": Float(0, 1)}), Random(sampling="sobol", seed=3)
    (third,) = sobol.suggest(space, [ran(1, {"x": 0.1}), ran(2, {"x": 0.2})], 1)
    assert third == sobol.suggest(space, [], 3)[2]
    assert third.why == "Sobol point 3, seed 3"
    assert third.params != Random(sampling="sobol", seed=4).suggest(space, [], 3)[2].params


@pytest.mark.parametrize(
    ("defaults", "point", "words"),
    [
        ({}, (4, "y"), "the centre of the space"),
        ({"a": 7, "b": "z"}, (7, "z"), "the parameters' defaults"),
        ({"b": "z"}, (4, "z"), "the defaults of b, the middle of the other ranges"),
    ],
)
def test_random_tries_the_baseline_once_and_first(defaults, point, words):
    space = Space({"a": Int(0, 8), "b": Categorical(["x", "y", "z"])}).with_defaults(defaults)
    first, *rest = Random(baseline=True).suggest(space, [], 27)
    assert points([first]) == [point]
    assert first.why == f"baseline: {words}"
    assert len({point, *points(rest)}) == 27
    later = Random(baseline=True).suggest(space, [ran(4, first.params)], 1)
    assert later[0].why.startswith("uniform draw of trial 5")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [("sampling", "sobel", "did you mean 'sobol'?"), ("baseline", "yes", "must be true or false, but got 'yes'")],
)
def test_random_refuses_other_options(key, value, message):
    with pytest.raises(InputError) as caught:
        Random(**{key: value})
    assert caught.value.key == key
    assert message in caught.value.message


# --- by name ---------------------------------------------------------------------------------------------------


def test_strategies_are_made_from_their_json():
    assert make_strategy({"name": "grid"}) == Grid()
    assert make_strategy({"name": "random", "seed": "7"}) == Random(seed=7)
    assert strategy_to_json(Random()) == {"name": "random", "seed": 0, "sampling": "uniform", "baseline": False}
    assert strategy_to_json(Grid()) == {"name": "grid"}


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"name": "randon"}, "name", "unknown strategy 'randon'; did you mean 'random'?"),
        ({"name": "zzz"}, "name", "known: manual, grid, random"),
        ({"name": ["grid"]}, "name", "unknown strategy"),
        ({"name": "random", "sede": 1}, "sede", "unknown key 'sede'; did you mean 'seed'?"),
        ({"name": "grid", "seed": 1}, "seed", "unknown key 'seed'"),
        ({"name": "random", "seed": -1}, "seed", "seed >= 0 must hold, but got seed=-1"),
        ({"seed": 1}, "", "'name'"),
        ("random", "", "'name'"),
    ],
)
def test_make_strategy_names_the_culprit(options, key, message):
    with pytest.raises(InputError) as caught:
        make_strategy(options)
    assert caught.value.key == key
    assert message in caught.value.message


def test_the_faults_of_all_options_are_told_at_once():
    for options, keys in (
        ({"name": "random", "seed": -1, "sampling": "x", "baseline": 2, "sede": 1}, "sede seed sampling baseline"),
        ({"name": "bayesian", "goal": 1, "kappa": -1, "initial": "x"}, "goal initial kappa"),
        ({"name": "bisection", "find": "x", "margin": -1, "replicates": 0}, "find margin replicates"),
        ({"name": "bisection", "find": "boundary", "constrain": "m >= 1"}, "constrain"),
    ):
        with pytest.raises(InputError) as caught:
            make_strategy(options)
        assert [fault.key for fault in caught.value.faults] == keys.split()


def test_a_grid_names_every_parameter_that_has_none():
    space = Space({"a": Float(0, 1), "b": Categorical([None, [1]]), "c": Int(1, 3), "d": Int(2, 2)})
    with pytest.raises(InputError) as caught:
        Grid().check(space)
    assert [fault.key for fault in caught.value.faults] == ["a.grid", "c.grid"]
    assert points(Grid().suggest(Space({"b": space["b"], "d": space["d"]}), [], 9)) == [(None, 2), ([1], 2)]


def test_numpy_scalars_and_arrays_are_options_too():
    strategy = make_strategy({"name": "manual", "points": [{"x": numpy.float64(0.5), "h": numpy.array([1, 2])}]})
    assert json.dumps(strategy_to_json(strategy)) == '{"name": "manual", "points": [{"x": 0.5, "h": [1, 2]}]}'
    space = Space({"x": Float(0, 1), "h": Categorical([[1, 2], None])})
    assert strategy.suggest(space, [], 1)[0].params == {"x": 0.5, "h": [1, 2]}
    assert Random(seed=numpy.int64(3), baseline=numpy.bool_(True)) == Random(seed=3, baseline=True)


def test_strategies_are_frozen():
    with pytest.raises(FrozenInstanceError):
        Random().seed = 1


def test_a_stopped_trial_is_never_the_best():
    good = Trial(1, {"x": 0.1}, "ok", 1.0)
    stopped = Trial(2, {"x": 0.2}, "pruned", metrics={"expected_end": 0.0, "loss": 0.5})
    assert best_trial([good, stopped], "minimize") is good and ranked([stopped, good], "minimize") == [good]
    assert best_trial([stopped], "minimize") is None
