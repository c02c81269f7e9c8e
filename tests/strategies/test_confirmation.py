"""Luck and merit, by simulation: what comes next is a function of the history, and verdicts and intervals hold."""

import math
from dataclasses import replace

import numpy as np
import pytest

from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.strategies import Bayesian, Bisection, Grid, Random
from mlflow_tune.strategies.bayesian.luck import luck_of
from mlflow_tune.strategies.confirmation import Confirmation, Plan
from mlflow_tune.strategies.recommendation import Recommendation, recommend
from mlflow_tune.strategies.seeds import Seeds, names_seed, seeds_of
from mlflow_tune.strategies.selection import believe, next_setting, pooled
from mlflow_tune.trial import Trial

SEEDS = Seeds("seed", own=0)


def searched(values, **more):
    return [Trial(number, {"x": number}, "ok", float(value), **more) for number, value in enumerate(values, start=1)]


PLAN = Plan(5, 4)


def standing(trials, plan=PLAN, goal="minimize", seeds=SEEDS):
    return Confirmation(plan, goal, seeds, trials)


def run_out(trials, rerun, plan, goal="minimize", seeds=SEEDS, workers=1):
    """Run the replicates that are asked for until there are no more; `rerun` gives the value, None for a failure."""
    trials = list(trials)
    while found := standing(trials, plan, goal, seeds).next(workers):
        for each in found:
            value = rerun(each)
            outcome = "failed" if value is None else "ok"
            number = len(trials) + 1
            trials.append(Trial(number, each.params, outcome, value, replicate=each.replicate, seed=each.seed))
    return trials


def simulated(truth, plan, draws):
    """Return the confirmation of settings with this true value and noise of one standard deviation, at its end."""
    values = np.asarray(truth) + draws.standard_normal(len(truth))
    rerun = lambda each: float(truth[each.replicate - 1] + draws.standard_normal())  # noqa: E731
    return standing(run_out(searched(values), rerun, plan), plan)


def replicates(confirmation):
    return sum(len(leader.replicates) for leader in confirmation.leaders)


# --- verdicts, by simulation -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_two_settings_that_are_equal_in_truth_are_not_told_apart():
    draws = np.random.default_rng(20)
    found = [simulated([0.0, 0.0], Plan(2, 4), draws) for _ in range(20)]
    said = sum("cannot be told apart" in each.words and not each.decided for each in found)
    assert said >= 18, [each.words for each in found]


@pytest.mark.slow
def test_two_settings_that_differ_are_told_apart_with_fewer_seeds_than_the_fixed_design():
    draws = np.random.default_rng(21)
    found = [simulated([0.0, 2.0], Plan(2, 4), draws) for _ in range(20)]
    assert sum(each.best.number == 1 for each in found) >= 19
    assert np.mean([replicates(each) for each in found]) < 2 * 4


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.5, 2.0], ids=["close", "far apart"])
def test_the_interval_after_the_confirmation_holds_the_true_value(spread):
    draws = np.random.default_rng(22)
    covered, used = [], []
    for _ in range(40):
        truth = spread * draws.standard_normal(30)
        found = simulated(truth, Plan(5, 4), draws)
        low, high = found.interval(found.best)
        covered.append(low <= truth[found.best.number - 1] <= high)
        used.append(replicates(found))
    assert 0.82 <= np.mean(covered) <= 0.98, "85 to 95 % of many; this is 40"
    assert np.mean(used) <= 20


def noisy_values(draws, count=30):
    """Return trials at random points of a smooth function of two parameters with noise, and their true values."""
    points = draws.random((count, 2))
    centre, noise = draws.random(2), draws.uniform(0.05, 0.3)
    truth = ((points - centre) ** 2).sum(axis=1) + 0.2 * np.sin(5 * points).sum(axis=1)
    values = truth + noise * draws.standard_normal(count)
    params = [{"x": float(x), "y": float(y)} for x, y in points]
    trials = [
        Trial(at, each, "ok", float(value)) for at, (each, value) in enumerate(zip(params, values, strict=True), 1)
    ]
    return trials, truth


PLANE = Space({"x": Float(0, 1), "y": Float(0, 1)})


@pytest.mark.slow
def test_the_interval_without_a_confirmation_allows_for_the_best_having_been_picked():
    draws = np.random.default_rng(5)
    covered, naive = [], []
    for _ in range(30):
        trials, truth = noisy_values(draws)
        best = min(trials, key=lambda trial: trial.value)
        [(low, high)] = luck_of(PLANE, trials, "minimize", [best]).intervals
        covered.append(low <= truth[best.number - 1] <= high)
        naive.append(truth[best.number - 1] - best.value)
    assert 0.80 <= np.mean(covered) <= 0.97
    assert np.mean(naive) > 0, "what was seen is better than the truth"


# --- what comes next -------------------------------------------------------------------------------------------------


def test_the_leaders_run_again_under_the_same_fresh_seeds():
    trials = searched([3.0, 1.0, 2.0, 9.0])
    found = standing(trials, Plan(2, 4)).next(4)
    assert [(each.replicate, each.seed) for each in found] == [(2, 1), (3, 1), (2, 2), (3, 2)]
    assert [each.params for each in found[:2]] == [{"x": 2}, {"x": 3}]
    assert found[0].why == "replicate 1 of up to 4 of trial 2, whose value 1 may be luck, seed 1"


def test_what_comes_next_is_a_function_of_the_history_wherever_it_is_cut():
    draws = np.random.default_rng(3)
    noise = draws.standard_normal(200)
    rerun = lambda each: float(each.replicate / 10 + noise[10 * each.replicate + each.seed])  # noqa: E731
    whole = run_out(searched(np.arange(8) / 10), rerun, Plan(4, 4))
    for cut in range(8, len(whole)):
        [following] = standing(whole[:cut], Plan(4, 4)).next(1)
        assert (following.replicate, following.seed) == (whole[cut].replicate, whole[cut].seed)
    again = run_out(whole[:11], rerun, Plan(4, 4))
    assert again == whole


def test_a_replicate_that_runs_counts_and_nothing_starts_while_the_search_runs():
    trials = searched([1.0, 2.0, 3.0])
    assert standing([*trials, Trial(4, {"x": 4})], Plan(2, 2)).next(3) == []
    running = [*trials, Trial(4, {"x": 1}, replicate=1, seed=1)]
    assert [(each.replicate, each.seed) for each in standing(running, Plan(2, 2)).next(2)] == [(2, 1), (1, 2)]


def test_looks_go_where_they_tell_most():
    assert next_setting([0.0, 0.1, 5.0], 1.0, [2, 2, 2], 9) in (0, 1)
    assert next_setting([0.0, 0.1, 5.0], 1.0, [9, 9, 2], 9) == 2
    assert next_setting([0.0], 1.0, [1], 1) is None
    assert next_setting([0.0, 0.0], 0.0, [2, 2], 9) == 0
    assert next_setting([0.1, 0.3, 0.3], 0.0, [2, 2, 2], 9) == 0
    assert next_setting([1e300, -1e300, 0.1], 1e-300, [2, 9, 2], 9) in (0, 2)


def test_reruns_that_agree_on_other_values_than_were_seen_end_it():
    for level in ((0.1, 0.1, 0.3), (0.1, 0.3, 0.3), (0.2, 0.2, 0.2)):
        trials = run_out(searched([1.0, 2.0, 3.0]), lambda each, level=level: level[each.replicate - 1], Plan(3, 4))
        found = standing(trials, Plan(3, 4))
        assert found.next(1) == [] and found.best is not None and level[found.best.number - 1] == min(level)


def test_a_clear_leader_ends_it_early():
    rerun = lambda each: each.replicate + 0.01 * each.seed  # noqa: E731
    trials = run_out(searched([1.0, 5.0, 9.0]), rerun, Plan(3, 9))
    found = standing(trials, Plan(3, 9))
    assert replicates(found) == 6, "two each"
    assert found.words == "#001 is best with probability over 0.99"


def test_leaders_behind_the_best_may_be_level():
    values = iter([1.0, 5.0, 5.1, 1.1, 5.2, 4.9, *[5.0] * 99])
    found = standing(run_out(searched([1.0, 2.0, 3.0]), lambda _: next(values), Plan(3, 4)), Plan(3, 4))
    assert found.words == "#001 is best with probability over 0.99; #002 and #003 cannot be told apart"


@pytest.mark.parametrize("plan", [Plan(1, 4), Plan(3, 1), Plan(9, 2)], ids=["top 1", "one seed", "more than there are"])
def test_plans_that_fit_no_study_exactly_end_with_a_verdict(plan):
    draws = np.random.default_rng(5)
    trials = run_out(searched([1.0, 1.1, 1.2]), lambda _: float(draws.standard_normal()), plan)
    found = standing(trials, plan)
    assert replicates(found) <= min(plan.top, 3) * plan.seeds
    assert found.best in found.contenders
    low, high = found.interval(found.best)
    assert low < high


def test_values_without_noise_are_said_to_be_deterministic_after_one_rerun_each():
    trials = run_out(searched([1.0, 2.0, 3.0]), lambda each: float(each.replicate), Plan(3, 4))
    found = standing(trials, Plan(3, 4))
    assert replicates(found) == 3
    assert found.words == "#001 is the best: every rerun came to the very value that was seen before, so no noise shows"
    assert found.interval(found.best) == (1.0, 1.0)


def test_a_leader_whose_reruns_fail_is_not_recommended():
    draws = np.random.default_rng(6)
    rerun = lambda each: None if each.replicate == 1 else float(each.replicate + 0.1 * draws.standard_normal())  # noqa: E731
    found = standing(run_out(searched([1.0, 2.0, 3.0]), rerun, Plan(3, 3)), Plan(3, 3))
    assert [leader.number for leader in found.contenders] == [2, 3]
    assert found.best.number == 2
    none = standing(run_out(searched([1.0, 2.0]), lambda _: None, Plan(2, 2)), Plan(2, 2))
    assert (none.best, none.words) == (
        None,
        "not confirmed: no point has a value in most of its reruns; "
        "#001 has no value in 2 of 2 reruns; #002 has no value in 2 of 2 reruns",
    )


def test_a_leader_most_of_whose_reruns_have_no_value_is_not_recommended():
    draws = np.random.default_rng(6)
    seen = lambda each: float(each.replicate + 0.1 * draws.standard_normal())  # noqa: E731
    rerun = lambda each: None if each.replicate == 1 and each.seed != 2 else seen(each)  # noqa: E731
    found = standing(run_out(searched([1.0, 2.0, 3.0]), rerun, Plan(3, 3)), Plan(3, 3))
    assert found.best.number == 2
    assert found.words.endswith("; #001 has no value in 1 of 2 reruns"), found.words
    alone = standing(run_out(searched([1.0]), rerun, Plan(1, 3)), Plan(1, 3))
    assert (alone.best, alone.interval(alone.leaders[0])) == (None, None)
    assert "not confirmed: no point has a value in most of its reruns" in alone.words


def test_one_point_alone_runs_under_all_its_seeds():
    draws = np.random.default_rng(8)
    found = standing(run_out(searched([1.0]), lambda _: float(draws.standard_normal()), Plan(1, 10)), Plan(1, 10))
    assert replicates(found) == 10
    assert "#001 alone was run again, 10 times" in found.words


def test_reruns_that_agree_with_one_another_and_not_with_what_was_seen_show_noise():
    found = standing(run_out(searched([0.8, 0.9]), lambda each: 0.9, Plan(2, 2)), Plan(2, 2))
    low, high = found.interval(found.leaders[0])
    assert low < 0.89 < 0.9 < high


@pytest.mark.slow
@pytest.mark.parametrize("noise", [1e-6, 1e-3, 0.1])
def test_the_interval_holds_the_true_value_however_small_the_noise_is(noise):
    draws = np.random.default_rng(9)
    truth, covered = [0.1, 0.3, 0.5], []
    for _ in range(60):
        rerun = lambda each: truth[each.replicate - 1] + noise * draws.standard_normal()  # noqa: E731
        found = standing(run_out(searched(truth), rerun, Plan(3, 4)), Plan(3, 4))
        low, high = found.interval(found.best)
        covered.append(low <= truth[found.best.number - 1] <= high)
        assert low <= found.best.mean <= high
    assert np.mean(covered) >= 0.8


def test_a_trial_that_was_trained_on_runs_again_for_as_long():
    onward = replace(searched([1.0])[0], raised={"epochs": 12})
    short = Trial(2, {"x": 1}, "ok", 3.0, replicate=1, seed=1)
    found = standing([onward, short], Plan(1, 2))
    assert [each.raised for each in found.next(2)] == [{"epochs": 12}] * 2
    assert found.leaders[0].replicates == [], "what was trained for less tells nothing of it"


def test_without_any_value_there_is_nothing_to_confirm():
    found = standing([Trial(1, {"x": 1}, "failed")])
    assert found.next(5) == []
    assert found.words == "no trial has a value, so there is nothing to confirm"


def test_the_goal_turns_everything_round():
    draws = np.random.default_rng(7)
    noise = {each: float(draws.standard_normal()) for each in range(50)}
    down = lambda each: each.replicate + noise[each.seed]  # noqa: E731
    least = standing(run_out(searched([1.0, 2.0, 3.0]), down, Plan(3, 4)), Plan(3, 4))
    turned = run_out(searched([-1.0, -2.0, -3.0]), lambda each: -down(each), Plan(3, 4), "maximize")
    most = standing(turned, Plan(3, 4), "maximize")
    assert [trial.replicate for trial in most.trials] == [trial.replicate for trial in least.trials]
    low, high = least.interval(least.best)
    assert most.interval(most.best) == (-high, -low)


# --- beliefs ---------------------------------------------------------------------------------------------------------


def test_a_belief_of_one_setting_is_the_t_interval():
    values = [1.0, 2.0, 3.0, 4.0]
    found = believe([values], *pooled([values]))
    half = 2.353 * math.sqrt(5 / 3) / 2  # t with 3 degrees of freedom, standard error of the mean
    assert found.interval(0)[0] == pytest.approx(2.5 - half, rel=0.05)
    assert found.interval(0)[1] == pytest.approx(2.5 + half, rel=0.05)
    assert found.best == [1.0]


def test_the_best_of_level_settings_is_not_taken_at_its_word():
    observed = [[0.0, 1.0], [1.0, 2.0], [1.5, 1.4]]
    found = believe(observed, *pooled(observed))
    assert found.leader == 0
    assert found.mean[0] > 0.5, "it is drawn towards the others"
    assert sum(found.best) == pytest.approx(1)


def test_values_of_any_size_are_believed():
    for size in (1e-300, 1.0, 1e300):
        found = believe([[size, size], [2 * size, 2 * size]], *pooled([[size, size], [2 * size, 2 * size]]))
        assert found.leader == 0
        assert all(map(math.isfinite, found.mean))


# --- seeds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "told"), [
    ("seed", True), ("random_state", True), ("train-seed", True), ("randomSeed", True), ("seeds_file", False),
    ("state", False), ("", False),
])  # fmt: skip
def test_the_names_of_seeds(name, told):
    assert names_seed(name) is told


def test_where_the_seed_comes_from():
    plain = Space({"x": Int(1, 3)})
    role = Space({"x": Int(1, 3), "draw": Int(0, 3, role="seed")})
    assert list(seeds_of(role, {"seed": 7}).listed) == [0, 1, 2, 3]
    assert seeds_of(plain, {"lr": 0.1, "seed": 7}) == Seeds("seed", 7)
    assert seeds_of(plain, {"data_seed": 3, "seed": 7}) == Seeds("seed", 7), "the seed of all, not that of a part"
    assert seeds_of(plain, {"seed": "7"}, has_place=True) == Seeds()
    assert seeds_of(plain, {}, has_place=True) == Seeds("seed", 0, always=True)
    assert seeds_of(plain, {}).fresh([]) is None


def test_a_searched_seed_is_no_part_of_the_point():
    space = Space({"x": Int(1, 9), "draw": Categorical([10, 20, 30], role="seed")})
    seeds = seeds_of(space, {})
    trials = [
        Trial(1, {"x": 1, "draw": 10}, "ok", 1.0),
        Trial(2, {"x": 1, "draw": 20}, "ok", 1.5),
        Trial(3, {"x": 2, "draw": 20}, "ok", 2.0),
    ]
    found = standing(trials, Plan(2, 9), seeds=seeds)
    assert [leader.number for leader in found.leaders] == [1, 3]
    assert found.most == 2, "so many draws are fresh"
    assert [each.params for each in found.next(4)] == [
        {"x": 1, "draw": 30}, {"x": 2, "draw": 30}, {"x": 1, "draw": 20}, {"x": 2, "draw": 10},
    ], "the same seed for all while there is one that neither was found with"  # fmt: skip


def test_a_searched_seed_may_be_any_of_many():
    wide = Space({"x": Int(1, 3), "seed": Int(0, 2**31, role="seed")})
    seeds = seeds_of(wide, {"seed_of_data": 1})
    assert (seeds.name, seeds.most(4), seeds.fresh([0, 2])) == ("seed", 4, 1)
    assert seeds_of(Space({"seed": Float(0, 1, role="seed")}), {}) == Seeds(), "a seed is a whole number"


def test_fresh_seeds_are_such_as_numpy_takes():
    last = 2**32 - 1
    assert Seeds("seed", last).fresh([last]) == 0
    assert Seeds("seed", last - 1).fresh([last - 1, last]) == 0


# --- strategies see several observations of one point ----------------------------------------------------------------


STRATEGIES = [Grid(), Random(), Bayesian(initial=3), Bayesian(initial=3, surrogate="RF"), Bisection()]


def again(history, noise):
    """Return a replicate of each trial, whose value is another by so much."""
    count = len(history)
    return [
        Trial(each.number + count, each.params, "ok", each.value + by, replicate=each.number, seed=1, end_time=1)
        for each, by in zip(history, noise, strict=True)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", STRATEGIES, ids=["grid", "random", "process", "forest", "bisection"])
def test_no_strategy_breaks_on_replicates(strategy):
    space = Space({"x": Int(1, 40, grid=5)})
    history = []
    for _ in range(5):
        [found] = strategy.suggest(space, history, 1)
        history.append(Trial(len(history) + 1, found.params, "ok", float((found.params["x"] - 17) ** 2), end_time=1))
    tried = {trial.params["x"] for trial in history}
    for noise in (np.random.default_rng(8).standard_normal(5).tolist(), [0.0] * 5):
        for each in strategy.suggest(space, [*history, *again(history, noise)], 2):
            assert each.params["x"] not in tried


def test_a_bisection_that_has_ended_stays_where_it_is_whatever_the_reruns_find():
    space, strategy, history = Space({"x": Int(1, 40)}), Bisection(), []
    while found := strategy.suggest(space, history, 1):
        value = float((found[0].params["x"] - 17) ** 2)
        history.append(Trial(len(history) + 1, found[0].params, "ok", value, end_time=1))
    more = [*history, *again(history, np.random.default_rng(8).normal(0, 99, len(history)).tolist())]
    assert strategy.suggest(space, more, 1) == []
    assert strategy.conclusion(space, more) == strategy.conclusion(space, history)


def test_the_process_learns_its_noise_from_replicates():
    space = Space({"x": Float(0, 1)})
    points = np.linspace(0.05, 0.95, 8).tolist()
    trials = [Trial(at, {"x": x}, "ok", x) for at, x in enumerate(points, start=1)]
    noisy = [*trials, *again(trials, (0.5 * np.random.default_rng(9).standard_normal(8)).tolist())]
    strategy = Bayesian(initial=3)
    widths = [strategy.suggest(space, each, 1)[0].evidence["predicted_std"] for each in (trials, noisy)]
    assert widths[1] > 5 * widths[0]


# --- what is recommended ---------------------------------------------------------------------------------------------


WHOLE, RANDOM = Space({"x": Int(1, 99)}), Random()


def recommended(trials, plan=None, strategy=RANDOM, space=WHOLE, goal="minimize"):
    confirmation = None if plan is None else standing(strategy.eligible(trials), plan, goal)
    return recommend(strategy, space, trials, confirmation, goal)


def test_before_a_confirmation_the_best_seen_is_recommended_with_what_may_be_luck():
    trials, _ = noisy_values(np.random.default_rng(23))
    found = recommended(trials, space=PLANE)
    assert found.trial is min(trials, key=lambda trial: trial.value)
    assert not found.confirmed
    assert "not confirmed" in found.sentence("loss")
    low, high = found.interval
    assert low < high and (low + high) / 2 > found.value, "it is drawn back"


def test_where_there_is_no_noise_the_best_is_recommended_and_that_is_said():
    points = np.linspace(0, 1, 15)
    trials = [Trial(at, {"x": float(x), "y": 0.5}, "ok", float((x - 0.3) ** 2)) for at, x in enumerate(points, start=1)]
    found = recommended(trials, space=PLANE)
    assert found.why == "the best seen; the values show no noise"
    assert "not confirmed" not in found.sentence("loss")


def test_few_values_tell_nothing_of_noise():
    found = recommended(searched([3.0, 1.0, 2.0]))
    assert (found.trial.number, found.value, found.interval) == (2, 1.0, None)
    assert not found.tells


def test_after_a_confirmation_the_best_mean_is_recommended():
    lucky = lambda each: 5.0 + 0.1 * each.seed if each.replicate == 1 else 2.0 + 0.1 * each.seed  # noqa: E731
    trials = run_out(searched([1.0, 2.0]), lucky, Plan(2, 4))
    found = recommended(trials, Plan(2, 4))
    assert found.trial.number == 2
    assert found.value == pytest.approx(2.15, abs=0.06)
    assert found.confirmed
    assert found.sentence("loss").startswith("#002 (loss 2.1")
    assert "90 % interval" in found.sentence("loss")


def test_no_failed_pruned_or_infeasible_trial_is_recommended():
    trials = [
        Trial(1, {"x": 1}, "failed"),
        Trial(2, {"x": 2}, "pruned", metrics={"expected_end": 0.0}),
        Trial(3, {"x": 3}),
    ]
    assert recommended(trials) is None
    assert recommended(trials, Plan(2, 2)) is None
    boundary = Bisection(find="boundary", constraint="recall >= 0.9")
    space = Space({"x": Float(0, 1)})
    met = Trial(1, {"x": 0.2}, "ok", 0.8, metrics={"recall": 0.95})
    broken = Trial(2, {"x": 0.9}, "ok", 0.1, metrics={"recall": 0.1})
    assert recommended([met, broken], strategy=boundary, space=space).trial is met
    assert recommended([broken], strategy=boundary, space=space) is None


def test_the_ends_of_a_narrow_interval_are_told_apart():
    trial = Trial(6, {"x": 1}, "ok", 1000000.03)
    found = Recommendation(trial, 1000000.03, (1000000.021, 1000000.042), True, "best")
    assert found.sentence("loss") == "#006 (loss 1000000.03, 90 % interval 1000000.021 to 1000000.042): best"
    assert Recommendation(trial, 0.5, (-0.02, 0.98765), True, "").sentence("a").endswith("-0.02 to 0.9877): ")
