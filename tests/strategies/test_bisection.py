"""Bisection: the bracket holds what is looked for, the trials are as few as promised, and doubts are said."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlflow_tune.errors import InputError
from mlflow_tune.space import Categorical, Float, Int, Ordinal, Space
from mlflow_tune.strategies import Bisection, make_strategy, strategy_to_json
from mlflow_tune.strategies.constraint import Constraint, parse_constraint
from mlflow_tune.trial import Trial
from tests.conformance.strategies import as_mlflow_holds_it

UNIT = Space({"x": Float(0, 1)})
RECALL = Bisection(find="boundary", constraint="recall >= 0.95", tolerance=1e-3)
FEW = settings(max_examples=60)


def ran(number, value, result, outcome="ok", name="x"):
    """Return an ended trial whose objective and metric `m` are the result."""
    known = {} if outcome != "ok" else {"value": result, "metrics": {"objective": result, "m": result}}
    return Trial(number, {name: value}, outcome, **known)


def study(strategy, space, function, count=1, history=(), outcome=lambda number: "ok"):
    """Run the strategy to its end with `count` workers; return the history and the number of rounds."""
    found, rounds, (name,) = list(history), 0, space
    while asked := strategy.suggest(space, found, count):
        assert len(asked) <= count
        rounds += 1
        assert rounds < 300
        for each in asked:
            assert space.contains(each.params)
            number = len(found) + 1
            found.append(ran(number, each.params[name], function(each.params[name]), outcome(number), name))
    return found, rounds


def values(history):
    return [value for trial in history for value in trial.params.values()]


# --- what it must show ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("workers", "trials", "rounds"), [(1, 16, 16), (2, 22, 11), (3, 24, 8), (4, 28, 7)])
def test_golden_section_and_block_search_find_the_optimum_in_few_rounds(workers, trials, rounds):
    strategy = Bisection("x", tolerance=1e-3)
    history, took = study(strategy, UNIT, lambda x: abs(x - 0.3137), workers)
    assert (len(history), took) == (trials, rounds)
    assert abs(strategy.answer(UNIT, history).params["x"] - 0.3137) <= 1e-3
    low, high = strategy.bracket(UNIT, history)
    assert low <= 0.3137 <= high <= low + 1e-3


@pytest.mark.parametrize(("workers", "trials", "rounds"), [(1, 12, 12), (2, 16, 8), (3, 17, 6)])
@pytest.mark.parametrize(("keep", "sense"), [("largest", "<="), ("smallest", ">=")])
def test_the_boundary_is_found_in_few_rounds_and_the_two_ends(workers, trials, rounds, keep, sense):
    strategy = Bisection("x", find="boundary", constraint=f"m {sense} 0.6180", keep=keep, tolerance=1e-3)
    history, took = study(strategy, UNIT, lambda x: x, workers)
    assert (len(history), took) == (trials, rounds)
    answer = strategy.answer(UNIT, history)
    assert strategy.is_feasible(answer)
    assert abs(answer.params["x"] - 0.6180) <= 1e-3


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_the_goal_gives_the_direction(goal):
    sign = 1 if goal == "minimize" else -1
    strategy = make_strategy({"name": "bisection"}, goal)
    history, _ = study(strategy, UNIT, lambda x: sign * abs(x - 0.7))
    assert strategy.answer(UNIT, history).params["x"] == pytest.approx(0.7, abs=1e-3)


# --- properties -------------------------------------------------------------------------------------------------


@st.composite
def ranges(draw):
    log = draw(st.booleans())
    if draw(st.booleans()):
        low, step = draw(st.integers(1 if log else -500, 300)), 1 if log else draw(st.integers(1, 3))
        return Int(low, low + step * draw(st.integers(1, 3000)), log=log, step=step)
    low = draw(st.floats(1e-6, 10) if log else st.floats(-10, 10))
    return Float(low, low * draw(st.floats(1.5, 1e6)) if log else low + draw(st.floats(0.1, 100)), log=log)


def position(dimension, value):
    return math.log(value) if dimension.log else value


def at_share(dimension, share):
    low, high = position(dimension, dimension.low), position(dimension, dimension.high)
    return low + share * (high - low)


SHARES = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0, 1))
ADOPTED = st.lists(st.integers(0, 1000).map(lambda number: number / 1000), max_size=5)  # no two nearly equal


def adopted(dimension, function, shares):
    """Return the trials of another strategy."""
    points = [dimension.from_unit(share) for share in shares]
    return [ran(number, value, function(value)) for number, value in enumerate(points, 1)]


@pytest.mark.slow
@FEW
@given(ranges(), SHARES, st.floats(0.1, 10), st.integers(1, 5), ADOPTED)
def test_the_optimum_stays_in_the_bracket_until_it_is_found(dimension, share, skew, workers, shares):
    centre, space, strategy = at_share(dimension, share), Space({"x": dimension}), Bisection()

    def cost(value):
        way = position(dimension, value) - centre
        return way * skew if way > 0 else -way

    before = adopted(dimension, cost, shares)
    history, _ = study(strategy, space, cost, workers, before)
    grain = 1e-9 * (1 + abs(centre))
    for end in range(1, len(history) + 1):
        low, high = (position(dimension, value) for value in strategy.bracket(space, history[:end]))
        assert low - grain <= centre <= high + grain
    new = values(history[len(before) :])
    assert len(set(new)) == len(new) and not set(new) & set(values(before))
    assert workers > 1 or len(new) <= strategy.length(space) + (2 if before else 0)
    answer = strategy.answer(space, history)
    if isinstance(dimension, Int):
        neighbours = {answer.params["x"] + way * dimension.step for way in (-1, 1)}
        assert all(cost(value) >= answer.value for value in neighbours if dimension.contains(value))
    else:
        assert abs(position(dimension, answer.params["x"]) - centre) <= 1.01e-3 * (
            position(dimension, dimension.high) - position(dimension, dimension.low)
        )
    assert strategy.findings(space, history) == []


@pytest.mark.slow
@FEW
@given(ranges(), SHARES, st.sampled_from(["largest", "smallest"]), st.integers(1, 5), ADOPTED)
def test_the_boundary_stays_in_the_bracket_until_it_is_found(dimension, share, keep, workers, shares):
    edge, space, sign = at_share(dimension, share), Space({"x": dimension}), 1 if keep == "largest" else -1
    strategy = Bisection(find="boundary", constraint="m <= 0", keep=keep)

    def metric(value):
        return sign * (position(dimension, value) - edge)

    before = adopted(dimension, metric, shares)
    history, _ = study(strategy, space, metric, workers, before)
    for end in range(1, len(history) + 1):
        low, high = strategy.bracket(space, history[:end])
        inner, outer = (low, high) if keep == "largest" else (high, low)
        assert metric(inner) <= 0 or inner in (dimension.low, dimension.high)
        assert metric(outer) > 0 or outer in (dimension.low, dimension.high)
    new = values(history[len(before) :])
    assert len(set(new)) == len(new) and not set(new) & set(values(before))
    assert workers > 1 or len(new) <= strategy.length(space)
    answer = strategy.answer(space, history)
    met = [value for value in values(history) if metric(value) <= 0]
    assert (answer is None) is (not met)
    if answer is None:
        assert metric(dimension.low if keep == "largest" else dimension.high) > 0
        return
    assert answer.params["x"] == (max if keep == "largest" else min)(met)
    if isinstance(dimension, Int):
        beyond = answer.params["x"] + sign * dimension.step
        assert not dimension.contains(beyond) or metric(beyond) > 0
    else:
        span = position(dimension, dimension.high) - position(dimension, dimension.low)
        far = dimension.high if keep == "largest" else dimension.low
        assert answer.params["x"] == far or -metric(answer.params["x"]) <= 1.01e-3 * span


@pytest.mark.slow
@FEW
@given(ranges(), st.integers(0, 10**6), st.sampled_from([Bisection(), Bisection(find="boundary", constraint="m <= 0")]))
def test_any_function_and_any_failures_end_within_the_promised_trials_and_resume_alike(dimension, seed, strategy):
    space = Space({"x": dimension})

    def noise(value):
        return math.sin(1e4 * value + seed)

    def outcome(number):
        return ("ok", "failed", "ok", "not-finite", "timeout", "interrupted")[(number * 7919 + seed) % 6]

    history, _ = study(strategy, space, noise, outcome=outcome)
    assert len(set(values(history))) == len(history) <= strategy.length(space)
    for cut in range(0, len(history), 3):
        resumed, _ = study(strategy, space, noise, history=as_mlflow_holds_it(history[:cut], space), outcome=outcome)
        assert values(resumed) == values(history)
        assert strategy.bracket(space, resumed) == strategy.bracket(space, history)


# --- optimum ----------------------------------------------------------------------------------------------------


def test_the_reason_and_the_evidence_tell_the_bracket():
    history, _ = study(Bisection(), UNIT, lambda x: abs(x - 0.3137))
    whys = [Bisection().suggest(UNIT, history[:end], 1)[0].why for end in range(3)]
    assert whys[0] == "golden section in [0, 1]: first point"
    assert whys[1] == "golden section in [0, 1]: larger side of 0.38197"
    assert whys[2] == "golden section in [0, 0.61803]: smaller side of 0.38197"
    (block, *_) = Bisection().suggest(UNIT, history[:2], 3)
    assert block.why == "point 1 of 3 of a block in [0, 0.61803], smaller side of 0.38197"
    assert block.evidence == {"bracket_low": 0.0, "bracket_high": pytest.approx(0.618034)}


@pytest.mark.parametrize(("function", "end"), [(lambda x: x, 0.0), (lambda x: -x, 1.0)])
def test_an_optimum_at_an_end_is_tried_last(function, end):
    history, _ = study(Bisection(), UNIT, function)
    assert values(history)[-1] == Bisection().answer(UNIT, history).params["x"] == end
    assert Bisection().suggest(UNIT, history[:-1], 1)[0].why.startswith("the end of the range, which the bracket [")


@pytest.mark.parametrize("tolerance", [1, 5])
def test_the_last_trials_may_be_both_ends(tolerance):
    history, _ = study(Bisection(tolerance=tolerance), UNIT, lambda x: abs(x - 0.4))
    assert values(history) == [pytest.approx(0.381966), 0.0, 1.0]
    history, _ = study(Bisection(), Space({"x": Int(3, 4)}), lambda x: x)
    assert values(history) == [3, 4]


def test_trials_without_a_value_count_as_the_worst():
    history, _ = study(Bisection(), UNIT, lambda x: abs(x - 0.3), outcome=lambda number: "failed")
    assert Bisection().answer(UNIT, history) is None
    failing = [ran(1, 0.4, 0, "failed"), ran(2, 0.5, 3.0), ran(3, 0.6, 0, "not-finite")]
    assert Bisection().bracket(UNIT, failing) == (0.4, 0.6)


def test_the_middle_of_equals_is_the_best():
    plateau = [ran(number, number / 10, float(number in (1, 2, 9))) for number in range(1, 10)]
    assert Bisection().answer(UNIT, plateau).params["x"] == 0.5
    history, _ = study(Bisection(), UNIT, lambda x: 0.0)
    assert len(history) == 16
    assert 0.3 < Bisection().answer(UNIT, history).params["x"] < 0.7


def test_a_ratio_is_the_tolerance_on_a_log_scale():
    space, strategy = Space({"lr": Float(1e-5, 1e-1, log=True)}), Bisection("lr", tolerance=0.01)
    history, _ = study(strategy, space, lambda lr: abs(math.log(lr / 3e-3)))
    low, high = strategy.bracket(space, history)
    assert low <= 3e-3 <= high <= 1.01 * low
    assert len(history) == strategy.length(space) - 1


def test_a_point_between_two_better_ones_is_told():
    history = [ran(at, x, value) for at, (x, value) in enumerate([(0.2, 0.31), (0.5, 0.45), (0.8, 0.29)], 1)]
    (finding,) = Bisection().findings(UNIT, history)
    assert finding == (
        "not one minimum: 0.2, 0.5, 0.8 gave 0.31, 0.45, 0.29; "
        "use random or bayesian search, or more replicates if this is noise"
    )
    assert Bisection().suggest(UNIT, history, 1)[0].why.endswith(f"; but {finding}")
    assert Bisection(goal="maximize").findings(UNIT, history) == []
    upside_down = [replace(trial, value=-trial.value) for trial in history]
    assert (
        Bisection(goal="maximize")
        .findings(UNIT, upside_down)[0]
        .startswith("not one maximum: 0.2, 0.5, 0.8 gave -0.31, -0.45, -0.29")
    )


# --- boundary ---------------------------------------------------------------------------------------------------


def recall(number, value, metric, outcome="ok"):
    return Trial(number, {"x": value}, outcome, 1.0 if outcome == "ok" else None, metrics={"recall": metric})


def test_the_ends_come_first_and_say_what_they_decide():
    far, near = RECALL.suggest(UNIT, [], 5)
    assert (far.params, near.params) == ({"x": 1.0}, {"x": 0.0})
    assert far.why == "the largest value: if it meets recall >= 0.95, it is the answer"
    assert near.why == "the other end of the range: if it does not meet recall >= 0.95, none does"
    assert RECALL.suggest(UNIT, [], 1) == [far]
    history = [recall(1, 1.0, 0.5), recall(2, 0.0, 0.99)]
    (middle,) = RECALL.suggest(UNIT, history, 1)
    assert middle.params == {"x": 0.5}
    assert middle.why == "bisection in [0, 1]: 0 meets recall >= 0.95, 1 does not"
    assert [each.params["x"] for each in RECALL.suggest(UNIT, history, 3)] == [0.25, 0.5, 0.75]


def test_it_ends_when_the_far_end_meets_the_constraint():
    history = [recall(1, 1.0, 0.96)]
    assert RECALL.suggest(UNIT, history, 3) == []
    assert RECALL.answer(UNIT, history) is history[0]
    assert RECALL.bracket(UNIT, history) == (1.0, 1.0)
    (finding,) = RECALL.findings(UNIT, history)
    assert finding.startswith("the largest value of the range, 1, meets recall >= 0.95; a wider range")
    (finding,) = RECALL.findings(UNIT, [*history, recall(2, 0.0, 0.5)])
    assert finding.endswith("keep: smallest looks for the other side")


@pytest.mark.parametrize("outcome", ["ok", "failed"])
def test_it_ends_when_nothing_meets_the_constraint(outcome):
    history = [recall(1, 1.0, 0.1), recall(2, 0.0, 0.5, outcome)]
    assert RECALL.suggest(UNIT, history, 3) == []
    assert RECALL.answer(UNIT, history) is None
    told = ["no value was seen to meet recall >= 0.95, and 0, where it is easiest, does not"]
    assert RECALL.findings(UNIT, history) == (told if outcome == "ok" else []), "a crash says nothing of the constraint"


def test_ends_that_history_makes_needless_are_not_run():
    inside = [recall(1, 0.3, 0.96), recall(2, 0.7, 0.9)]
    assert [each.params["x"] for each in RECALL.suggest(UNIT, inside, 1)] == [0.5]
    assert [each.params["x"] for each in RECALL.suggest(UNIT, inside[:1], 3)] == [1.0]
    assert [each.params["x"] for each in RECALL.suggest(UNIT, inside[1:], 3)] == [0.0]


def test_a_constraint_that_flips_twice_is_told():
    history = [recall(1, 0.0, 0.99), recall(2, 0.4, 0.9), recall(3, 0.6, 0.97), recall(4, 1.0, 0.5)]
    (finding,) = RECALL.findings(UNIT, history)
    assert finding.startswith("recall >= 0.95 is not monotone: met at 0, met at 0.6, not met at 1; use random")
    (suggestion,) = RECALL.suggest(UNIT, history, 1)
    assert suggestion.params == {"x": 0.8}
    assert suggestion.why.endswith(f"; but {finding}")


def test_the_margin_tightens_the_bound_in_decimals():
    strategy = Bisection(find="boundary", constraint="recall >= 0.9", margin=0.05)
    assert strategy.requirement.bound == 0.95 < 0.9 + 0.05
    assert strategy.is_feasible(recall(1, 0.5, 0.95))
    assert not strategy.is_feasible(recall(1, 0.5, 0.9499))
    assert parse_constraint("loss <= 1e-1", 0.02).bound == 0.08


def test_only_a_logged_metric_of_a_good_trial_meets_the_constraint():
    good = recall(1, 0.5, 0.99)
    assert RECALL.is_feasible(good)
    assert not RECALL.is_feasible(replace(good, outcome="failed", value=None))
    assert not RECALL.is_feasible(replace(good, outcome=None, value=None))
    assert not RECALL.is_feasible(replace(good, metrics={"objective": 0.99}))
    assert not RECALL.is_feasible(replace(good, metrics={"recall": math.nan}))
    assert Bisection().is_feasible(replace(good, metrics={}))


def test_a_ceiling_is_met_from_below():
    trial = Trial(1, {}, "ok", 1.0, metrics={"ms": 5.0})
    assert Constraint("ms", "<=", 5.0).is_met(trial)
    assert not Constraint("ms", "<=", 4.9).is_met(trial)
    assert not Constraint("size", "<=", 4.9).is_met(trial)
    assert not Constraint("ms", "<=", 5.0).is_met(replace(trial, outcome="failed"))


@pytest.mark.parametrize(
    ("text", "metric", "sense", "bound"),
    [
        ("recall >= 0.95", "recall", ">=", 0.95),
        ("val/face recall@x<=-1.5e-3".replace("@", "."), "val/face recall.x", "<=", -1.5e-3),
        ("  m>=.5 ", "m", ">=", 0.5),
        ("m <= +2.", "m", "<=", 2.0),
    ],
)
def test_a_constraint_is_parsed(text, metric, sense, bound):
    found = parse_constraint(text)
    assert (found.metric, found.sense, found.bound) == (metric, sense, bound)


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "recall", "recall > 0.95", "recall == 1", "recall >= high", "recall >= nan", "recall >= 1e999", "> 1",
     ">= 1", "0.9 <= recall", "a >= 1 and b >= 2", "__import__('os').abort() >= 1", "m >= 1" + " " * 10_000],
)  # fmt: skip
def test_what_is_no_constraint_is_refused(text):
    with pytest.raises(InputError, match=r"recall >= 0\.95") as caught:
        Bisection(find="boundary", constraint=text)
    assert caught.value.key == "constraint"


# --- replicates, rounds, options ----------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6])
def test_each_point_runs_so_often_before_it_is_compared(workers):
    strategy = Bisection(replicates=3, tolerance=0.01)
    history, _ = study(strategy, UNIT, lambda x: abs(x - 0.3137), workers)
    points = values(history)
    assert {points.count(value) for value in points} == {3}
    assert workers > 1 or len(history) <= strategy.length(UNIT)
    assert strategy.suggest(UNIT, history[:1], 1)[0].why == "replicate 2 of 3 at a point of the bracket [0, 1]"


def test_replicates_are_averaged():
    noisy = [(0.2, 1.0), (0.2, 5.0), (0.5, 2.0), (0.5, 3.0), (0.8, 4.0), (0.8, 4.0)]
    history = [ran(number, x, value) for number, (x, value) in enumerate(noisy, 1)]
    strategy = Bisection(replicates=2)
    assert strategy.bracket(UNIT, history) == (0.2, 0.8)
    assert strategy.answer(UNIT, history) is history[2]
    boundary = Bisection(find="boundary", constraint="m <= 3", replicates=2)
    assert boundary.bracket(UNIT, history) == (0.5, 0.8)
    assert boundary.answer(UNIT, history) is history[2]


def test_of_foreign_points_only_those_of_the_bracket_are_topped_up():
    history = [ran(number, number / 10, abs(number - 4.4)) for number in range(1, 10)]
    asked = Bisection(replicates=2).suggest(UNIT, history, 9)
    assert [each.params["x"] for each in asked] == [0.4, 0.3, 0.5]


def test_it_waits_for_running_trials_inside_the_space_only():
    running = Trial(1, {"x": 0.5})
    assert Bisection().suggest(UNIT, [running], 3) == []
    assert Bisection().suggest(UNIT, [replace(running, params={"x": 5.0})], 3)
    assert Bisection().bracket(UNIT, [running]) is None
    assert Bisection().answer(UNIT, [running]) is None
    assert Bisection().findings(UNIT, []) == []


@pytest.mark.parametrize(
    "strategy",
    [
        Bisection("x", tolerance="1e-3", replicates="2"),
        RECALL,
        Bisection(find="boundary", constraint="m <= 1", keep="smallest"),
    ],
)
def test_the_options_come_back_from_json(strategy):
    assert make_strategy(strategy_to_json(strategy)) == strategy


@pytest.mark.parametrize(
    ("options", "key", "message"),
    [
        ({"find": "optimun"}, "find", "did you mean 'optimum'?"),
        ({"goal": "up"}, "goal", "known: minimize, maximize"),
        ({"parameter": 3}, "parameter", "3"),
        ({"tolerance": 0}, "tolerance", "tolerance > 0 must hold"),
        ({"tolerance": "small"}, "tolerance", "finite number"),
        ({"replicates": 0}, "replicates", "replicates >= 1 must hold"),
        ({"replicates": 1.5}, "replicates", "whole number"),
        ({"constraint": "m >= 1"}, "constraint", "find: boundary"),
        ({"keep": "largest"}, "keep", "find: boundary"),
        ({"margin": 0.1}, "margin", "find: boundary"),
        ({"find": "boundary"}, "constraint", "must be given: None"),
        ({"find": "boundary", "constraint": "m >= 1", "keep": "both"}, "keep", "known: largest, smallest"),
        ({"find": "boundary", "constraint": "m >= 1", "margin": -1}, "margin", "margin >= 0 must hold"),
    ],
)
def test_wrong_options_are_refused(options, key, message):
    with pytest.raises(InputError) as caught:
        Bisection(**options)
    assert caught.value.key == key
    assert message in caught.value.message


@pytest.mark.parametrize("values", [[16, 32, 64, 128, 256, 512], [512, 256, 128, 64, 32, 16], [0.5, 16, 64, 1024.0]])
@pytest.mark.parametrize("workers", [1, 3])
def test_an_ordinal_is_searched_by_the_places_of_its_values(values, workers):
    space = Space({"x": Ordinal(values)})
    history, _ = study(Bisection(), space, lambda x: abs(math.log2(x) - 6), workers)
    assert Bisection().answer(space, history).params == {"x": 64}
    assert len(history) <= len(values)
    boundary = Bisection(find="boundary", constraint="m <= 70")
    found, _ = study(boundary, space, lambda x: x, workers)
    assert boundary.answer(space, found).params == {"x": 64}
    assert boundary.bracket(space, found) == (64, min(value for value in values if value > 70))
    assert {type(value) for value in (trial.params["x"] for trial in found)} <= {type(value) for value in values}


def test_a_lattice_of_decimals_is_searched_to_its_step():
    space = Space({"x": Float(0, 1, step=0.01)})
    history, _ = study(Bisection(), space, lambda x: abs(x - 0.3))
    assert Bisection().answer(space, history).params == {"x": 0.3}
    assert all(len(str(trial.params["x"])) <= 4 for trial in history)
    assert len(history) <= Bisection().length(space) == 12


@pytest.mark.parametrize("dimension", [Float(2, 2), Float(2, 2, log=True), Int(2, 2), Ordinal([2])])
def test_a_range_of_one_value_is_one_trial(dimension):
    space = Space({"x": dimension})
    for strategy in (Bisection(), RECALL, Bisection(find="boundary", constraint="recall <= 1", keep="smallest")):
        assert strategy.length(space) == 1
        history, _ = study(strategy, space, lambda x: x, count=2)
        assert values(history) == [2]


def test_parameters_of_one_value_may_stand_beside_the_one_that_is_searched():
    space = Space({"a": Categorical([None]), "x": Int(1, 9), "b": Float(2, 2)})
    suggested = Bisection().suggest(space, [], 2)
    assert [list(each.params) for each in suggested] == [["a", "x", "b"]] * 2
    assert {(each.params["a"], each.params["b"]) for each in suggested} == {(None, 2.0)}


@pytest.mark.parametrize(
    ("strategy", "dimensions", "key", "message"),
    [
        (Bisection("x"), {"x": Float(0, 1), "lr": Float(0, 1)}, "lr", "fix the others under run.parameters"),
        (Bisection(), {"x": Float(0, 1), "lr": Float(0, 1)}, "", "the space has 2 (x, lr)"),
        (Bisection("y"), {"x": Float(0, 1)}, "parameter", "unknown parameter 'y'"),
        (Bisection(), {"x": Categorical(["a", "b"])}, "x", "not categories"),
        (Bisection(), {"x": Ordinal(["a", "b"])}, "x", "an ordinal of numbers"),
        (Bisection(), {"x": Categorical([1, 2])}, "x", "not categories"),
    ],
)
def test_a_space_that_it_cannot_search_is_refused_with_advice(strategy, dimensions, key, message):
    for ask in (strategy.check, strategy.length, lambda space: strategy.suggest(space, [], 1)):
        with pytest.raises(InputError) as caught:
            ask(Space(dimensions))
        assert caught.value.key == key
        assert message in caught.value.message
