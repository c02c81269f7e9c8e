"""When a study ends: every rule, alone and at its edges."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_tune.spec.stopping import StopRules, why_aborted, why_done
from mlflow_tune.trial import Trial, busy_clock

NOW = 1_000_000


def ran(number, value=None, outcome=None, start=0, end=0, reason=""):
    """Return a trial that ended: ok when it has a value."""
    ended = outcome or ("ok" if value is not None else "failed")
    return Trial(number, {}, ended, value, start_time=start, end_time=end or number, reason=reason)


def running(number, start=0):
    return Trial(number, {}, start_time=start)


def done(history, goal="minimize", now=NOW, **rules):
    return why_done(StopRules(**rules), goal, history, now)


def values(*found):
    return [ran(number, value) for number, value in enumerate(found, start=1)]


# --- trials ----------------------------------------------------------------------------------------------------------


def test_nothing_stops_a_study_without_rules():
    assert done(values(*range(1000))) is None
    assert done([]) is None


def test_trials_counts_every_trial_that_was_started_but_no_interrupted_one():
    history = [ran(1, 0.5), ran(2), ran(3, outcome="not-finite"), ran(4, outcome="timeout"), running(5)]
    assert done(history, trials=5) == "trials: the budget of 5 is used"
    assert done(history, trials=6) is None
    assert done([*history, ran(6, outcome="interrupted")], trials=6) is None


def test_the_search_has_a_part_of_the_budget():
    rules, history = StopRules(trials=10), values(1.0, 0.5, 0.7)
    assert why_done(rules, "minimize", history, NOW, reruns=6) is None
    assert (
        why_done(rules, "minimize", history, NOW, reruns=7) == "trials: the search has used its 3 of the budget of 10"
    )


def test_the_search_leaves_the_time_that_the_reruns_need():
    minutes = [ran(number, 1.0, start=60_000 * number - 60_000, end=60_000 * number) for number in range(1, 7)]
    rules = StopRules(time="10m")
    assert why_done(rules, "minimize", minutes[:5], NOW, reruns=4) is None
    assert why_done(rules, "minimize", minutes, NOW, reruns=4) == "time: about 4m of 10m are kept for the reruns"
    assert why_done(rules, "minimize", minutes, NOW, reruns=4, workers=2) is None, "two reruns at once take half"
    assert why_done(rules, "minimize", minutes[:4], NOW, reruns=40) is None, "half of all time is for the search"
    assert why_done(rules, "minimize", minutes[:5], NOW, reruns=40) == "time: about 5m of 10m are kept for the reruns"
    assert why_done(rules, "minimize", minutes, NOW) is None


def test_a_retry_is_no_further_trial():
    retried = Trial(1, {}, "ok", 0.1, attempt=5, end_time=9)
    assert done([retried], trials=2) is None


# --- time ------------------------------------------------------------------------------------------------------------


def test_time_is_that_during_which_trials_ran():
    night = [ran(1, 1.0, start=0, end=60_000), ran(2, 1.0, start=36_000_000, end=36_060_000)]
    assert done(night, now=50_000_000, time="2m") == "time: trials ran for 2m"
    assert done(night, now=50_000_000, time="121s") is None


@pytest.mark.parametrize(
    ("spans", "seconds"),
    [
        ([], 0),
        ([(0, 4000)], 4),
        ([(0, 4000), (2000, 6000)], 6),
        ([(0, 10_000), (2000, 3000)], 10),
        ([(0, 10_000), (2000, 3000), (9000, 12_000)], 12),
        ([(5000, 6000), (0, 1000)], 2),
        ([(0, 1000), (1000, 2000)], 2),
        ([(3000, 1000)], 0),
        ([(998_000, None)], 2),
        ([(990_000, None), (998_000, None)], 10),
    ],
)
def test_the_clock_counts_the_seconds_during_which_an_attempt_ran(spans, seconds):
    history = [Trial(number, {}, start_time=start, end_time=end) for number, (start, end) in enumerate(spans, start=1)]
    assert busy_clock(history, NOW)(math.inf) == seconds


def test_the_clock_counts_each_moment_in_which_a_trial_ran_once():
    hour = 3_600_000
    trials = [
        Trial(1, {}, "ok", 1.0, start_time=0, end_time=2 * hour),
        Trial(2, {}, "ok", 1.0, start_time=hour, end_time=3 * hour),  # beside the first
        Trial(3, {}, "ok", 1.0, start_time=10 * hour, end_time=11 * hour),  # the next morning
    ]
    clock = busy_clock(reversed(trials), 99 * hour)
    assert [clock(at * hour) / 3600 for at in (-1, 0, 1, 2, 3, 5, 10, 11, 99)] == [0, 0, 1, 2, 3, 3, 3, 4, 4]
    assert busy_clock([], 9)(5) == 0


def test_of_a_trial_with_two_attempts_both_count():
    again = Trial(1, {}, "ok", 1.0, attempt=2, start_time=60_000, end_time=160_000, earlier=((0, 50_000),))
    clock = busy_clock([again], 0)
    assert [clock(at) for at in (0, 50_000, 60_000, 160_000, math.inf)] == [0, 50, 50, 150, 150]
    still = Trial(1, {}, attempt=2, start_time=60_000, earlier=((0, 50_000),))
    assert busy_clock([still], 90_000)(math.inf) == 80


def test_the_time_of_earlier_attempts_counts():
    again = Trial(1, {}, "failed", start_time=5000, end_time=7000, earlier=((0, 3000), (6000, 6500)))
    assert busy_clock([again], NOW)(math.inf) == 5


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), max_size=12), st.randoms())
def test_the_clock_stands_at_the_length_of_the_union(spans, random):
    history = [Trial(0, {}, start_time=at * 1000, end_time=(at + length) * 1000) for at, length in spans]
    random.shuffle(history)
    union = {second for at, length in spans for second in range(at, at + length)}
    assert busy_clock(history, NOW)(math.inf) == len(union)


# --- target ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("goal", "found", "target", "why"),
    [
        ("minimize", (0.3, 0.1), 0.2, "target: trial 2 reached 0.1 (target 0.2)"),
        ("minimize", (0.3, 0.2), 0.2, "target: trial 2 reached 0.2 (target 0.2)"),
        ("minimize", (0.3, 0.21), 0.2, None),
        ("maximize", (0.7, 0.9), 0.8, "target: trial 2 reached 0.9 (target 0.8)"),
        ("maximize", (0.7, 0.8), 0.8, "target: trial 2 reached 0.8 (target 0.8)"),
        ("maximize", (0.7, 0.79), 0.8, None),
        ("maximize", (0.1, 0.1), 0, "target: trial 1 reached 0.1 (target 0)"),
        ("minimize", (-2, -1), -1, "target: trial 1 reached -2 (target -1)"),
    ],
)
def test_target(goal, found, target, why):
    assert done(values(*found), goal, target=target) == why


def test_no_target_is_reached_without_a_value():
    assert done([ran(1), running(2)], target=1e9) is None
    assert done([], target=1e9) is None


# --- patience --------------------------------------------------------------------------------------------------------


def test_patience_counts_the_trials_after_the_best():
    assert done(values(0.5, 0.3, 0.4, 0.6), patience=2) == "patience: no improvement in 2 trials"
    assert done(values(0.5, 0.3, 0.4, 0.6), patience=3) is None
    assert done(values(0.5, 0.3, 0.4, 0.2), patience=1) is None
    assert done(values(0.5, 0.7, 0.6), "maximize", patience=1) == "patience: no improvement in 1 trials"


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_an_equal_value_is_no_improvement(goal):
    assert done(values(0.5, 0.5, 0.5), goal, patience=2) == "patience: no improvement in 2 trials"
    assert done(values(0.5, 0.5, 0.5), goal, patience=3) is None


def test_trials_that_run_or_were_interrupted_take_no_patience():
    history = [ran(1, 0.5), running(2), ran(3, outcome="interrupted")]
    assert done(history, patience=1) is None


def test_failed_trials_after_the_best_take_patience():
    history = [ran(1, 0.5), ran(2), ran(3, outcome="not-finite"), ran(4, outcome="timeout")]
    assert done(history, patience=3) == "patience: no improvement in 3 trials"


def test_a_study_that_only_diverges_ends_by_patience():
    history = [ran(number, outcome="not-finite") for number in range(1, 4)]
    assert done(history, patience=3) == "patience: no improvement in 3 trials"
    assert done(history, patience=4) is None


def test_before_any_value_failures_take_no_patience():
    assert done([ran(1), ran(2, outcome="timeout"), ran(3)], patience=1) is None


@pytest.mark.slow
@given(st.lists(st.integers(0, 5), min_size=1, max_size=20), st.sampled_from(["minimize", "maximize"]))
def test_patience_strikes_exactly_when_the_best_is_so_old(found, goal):
    best = min(found) if goal == "minimize" else max(found)
    age = len(found) - 1 - found.index(best)
    history = values(*map(float, found))
    assert (done(history, goal, patience=max(age, 1)) is not None) == (age >= 1)
    assert done(history, goal, patience=age + 1) is None


# --- together, and what can be said ----------------------------------------------------------------------------------


def test_the_first_rule_that_strikes_is_named():
    history = values(0.1, 0.2)
    assert done(history, trials=2, target=1, patience=1).startswith("trials: ")
    assert done(history, trials=3, target=1, patience=1).startswith("target: ")
    assert done(history, trials=3, patience=1).startswith("patience: ")


@pytest.mark.parametrize(
    ("rules", "bounded"),
    [
        ({}, False),
        ({"target": 1, "failures": 2}, False),
        ({"trials": 1}, True),
        ({"time": "1s"}, True),
        ({"patience": 1}, True),
    ],
)
def test_rules_that_end_every_study(rules, bounded):
    assert StopRules(**rules).bounded is bounded


# --- failures --------------------------------------------------------------------------------------------------------


def aborted(history, failures=3, since=0):
    return why_aborted(StopRules(failures=failures), history, since)


def test_failures_in_a_row_abort():
    history = [ran(1, 0.5), ran(2), ran(3, outcome="timeout"), ran(4, reason="exit code 1")]
    assert aborted(history) == "failures: 3 in a row, the last being trial 4: exit code 1"
    assert aborted(history, 4) is None
    assert aborted(history, 5) is None


@pytest.mark.parametrize("outcome", ["ok", "not-finite"])
def test_another_outcome_breaks_the_row(outcome):
    between = ran(3, 0.5 if outcome == "ok" else None, outcome)
    assert aborted([ran(1), ran(2), between, ran(4), ran(5)]) is None


def test_trials_that_run_or_were_interrupted_do_not_break_the_row():
    assert aborted([ran(1), running(2), ran(3), ran(4, outcome="interrupted"), ran(5)]) is not None


def test_the_row_is_that_of_the_ends_not_of_the_numbers():
    late = ran(1, 0.5, end=100)
    assert aborted([late, ran(2), ran(3), ran(4)]) is None
    early = ran(4, 0.5, end=1)
    assert aborted([ran(1, end=10), ran(2, end=20), ran(3, end=30), early]).endswith("trial 3: ")


def test_failures_before_this_drive_began_do_not_count():
    history = [ran(1, end=10), ran(2, end=20), ran(3, end=30)]
    assert aborted(history, since=10) is not None
    assert aborted(history, since=11) is None


def test_no_trial_is_no_failure():
    assert aborted([], 1) is None
