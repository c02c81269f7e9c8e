"""Rules at work on the trials of a study, their replay, and the choice of `auto`: on curves made by hand."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest

from mlflow_tune.diagnosis.stopping import (
    Asha,
    Course,
    Diverged,
    Extrapolate,
    Median,
    Patience,
    Terms,
    Verdict,
    Watch,
    course_of,
)
from mlflow_tune.diagnosis.stopping.auto import EVIDENCE, KEEPS, choose
from mlflow_tune.diagnosis.stopping.blind import why_blind
from mlflow_tune.diagnosis.stopping.extrapolate import forecast
from mlflow_tune.diagnosis.stopping.joined import Joined
from mlflow_tune.diagnosis.stopping.recorded import (
    bar_from_json,
    course_from_json,
    course_to_json,
    is_control,
    steps_from_json,
)
from mlflow_tune.diagnosis.stopping.replay import best_survives, lower_bound, replay, saved_share, simulate
from mlflow_tune.diagnosis.stopping.watch import MOST_LOOKS


def course(number, *values, goal="minimize", done=True):
    return Course(number, "loss", goal, tuple(map(float, values)), float(values[-1]) if done else None)


def decay(number, end, pace=4.0, steps=20, start=2.3):
    values = [end + (start - end) * math.exp(-step / pace) for step in range(1, steps + 1)]
    return course(number, *values)


STUDY = [
    course(1, 5, 4, 3, 2),
    course(2, 6, 6, 6, 6),  # worse than the only average, 5, from the first step
    course(3, 4, 3, 2, 1),
    course(4, 5, 5, 5, 5),  # the median of the averages is 4.5, 4, ...
    course(5, 9, 1, 0, 0),  # it starts slowly
]


def test_median_stops_what_is_worse_than_the_averages():
    assert simulate([Median()], Terms(), STUDY) == {1: 4, 2: 1, 3: 4, 4: 1, 5: 1}


def test_safe_steps_save_a_slow_starter():
    trained = simulate([Median()], Terms(after=1), STUDY)
    assert trained == {1: 4, 2: 2, 3: 4, 4: 2, 5: 4}
    assert best_survives(STUDY, trained)
    assert saved_share(STUDY, trained) == pytest.approx(4 / 20)
    assert not best_survives(STUDY, simulate([Median()], Terms(), STUDY))


def test_the_best_few_at_a_step_are_safe():
    assert simulate([Median()], Terms(protect=2), STUDY) == {1: 4, 2: 4, 3: 4, 4: 2, 5: 1}


def test_without_evidence_nothing_is_stopped():
    assert simulate([Median()], Terms(evidence=2), STUDY) == {1: 4, 2: 4, 3: 4, 4: 2, 5: 1}


def test_trials_are_judged_every_so_many_steps():
    assert simulate([Median()], Terms(every=2), STUDY) == {1: 4, 2: 2, 3: 4, 4: 2, 5: 4}


def test_asha_lets_the_first_arrival_pass_and_then_the_best_share():
    rule = Asha(eta=2, first=1)
    assert simulate([rule], Terms(), STUDY) == {1: 4, 2: 1, 3: 4, 4: 2, 5: 1}
    watch = Watch([rule], Terms())
    for each in STUDY[:4]:
        watch.follow(each, 1)
    assert watch.verdict(course(9, 7, 1), 1).reason == (
        "asha: loss was 7 at rung 1, place 5 of 5 there, and the best 2 go on, up to 5; rank 5 of 5"
    )


def test_of_two_joined_rules_either_stops_a_trial_by_its_own_verdict():
    early, late = Asha(eta=2, first=1), Median()
    joined = Joined(late, early)
    both = [simulate([rule], Terms(after=1), STUDY) for rule in (early, late)]
    trained = simulate([joined], Terms(after=1), STUDY)
    assert all(trained[number] <= min(one[number], other[number]) for one, other in [both] for number in trained)
    watch = Watch([joined], Terms())
    for each in STUDY[:4]:
        watch.follow(each, 1)
    assert watch.verdict(course(9, 7, 1), 1).rule == "asha", "no trial has ended: median has nothing to compare with"
    assert joined.label == "median or asha(eta=2, first=1)"


def test_a_rung_between_two_looks_is_not_missed():
    watch = Watch([Asha(eta=3, first=1)], Terms(every=2))
    watch.follow(course(1, *range(9, 0, -1)))
    assert watch.follow(course(2, *[9] * 9)).step == 2


def test_trials_that_run_at_once_are_compared_with_one_another():
    together = simulate([Asha(eta=2, first=2)], Terms(), STUDY, workers=5)
    assert together[2] < 4 and together[5] == 4


def test_a_metric_that_is_to_rise():
    rising = [
        replace(each, goal="maximize", values=tuple(-v for v in each.values), value=-each.value) for each in STUDY
    ]
    assert simulate([Median()], Terms(), rising) == simulate([Median()], Terms(), STUDY)


def test_what_diverged_is_stopped_whatever_is_safe():
    blown = course(2, 3, 2, math.nan, math.nan, math.nan, done=False)
    watch = Watch([Diverged()], Terms(after=9, protect=9, evidence=9))
    verdict = watch.follow(blown)
    assert verdict.step == 3
    assert verdict.reason.startswith("diverged: at step 3: loss is not finite from there on")


def test_each_step_is_judged_once_and_a_look_notes_nothing():
    watch = Watch([Median()], Terms())
    watch.finish(STUDY[0])
    assert watch.verdict(STUDY[1]) == watch.verdict(STUDY[1]) == watch.follow(STUDY[1])
    assert watch.peers.reached(1) == [5.0, 6.0]
    watch.finish(STUDY[1].until(1))
    assert watch.peers.reached(1) == [5.0, 6.0]
    assert watch.peers.reached(2) == [4.0]


def test_curves_of_thousands_of_steps_are_judged_now_and_then():
    long = [decay(number, end, pace=900, steps=5000) for number, end in ((1, 0.1), (2, 2.2))]
    trained = simulate([Median()], Terms(), long)
    watch = Watch([Median()], Terms(), 5000)
    assert 5000 / watch.stride <= MOST_LOOKS
    assert trained[1] == 5000 and trained[2] % watch.stride == 0 and trained[2] < 1000


def test_a_trial_at_its_last_step_is_let_go():
    watch = Watch([Median()], Terms())
    watch.finish(course(1, 4, 3))
    assert watch.verdict(course(2, 1, 9, done=False)) is None


def test_a_forecast_hits_what_a_trial_comes_to_and_says_how_sure_it_is():
    watch = Watch([], Terms())
    for number in range(1, 6):
        watch.finish(decay(number, 0.1 * number, pace=3 + number / 2))
    early, late = (forecast(decay(9, 0.25, pace=5), step, watch.peers) for step in (5, 14))
    assert abs(late.mean - 0.25 - 2.05 * math.exp(-4)) < 0.05
    assert late.std < early.std
    assert early.below(early.mean) == pytest.approx(0.5, abs=0.2)
    assert forecast(decay(9, 0.25), 3, watch.peers) is None
    assert forecast(decay(9, 0.25), 20, watch.peers) is None


def test_points_are_put_in_order_and_the_last_of_a_repeated_step_counts():
    assert course_of(1, [(20, 2.0), (10, 3.0), (20, 1.0)], "loss", "minimize").values == (3.0, 1.0)


@pytest.mark.parametrize(("share", "count", "bound"), [(1, 5, 0.649), (1, 100, 0.974), (0.95, 40, 0.860), (0, 9, 0)])
def test_the_bound_says_what_few_curves_can_show(share, count, bound):
    assert lower_bound(share, count) == pytest.approx(bound, abs=1e-3)
    assert lower_bound(share, 0) == 0


SPREAD = [decay(number, 0.1 + 0.1 * (number * 7 % 11), pace=2.0, steps=10) for number in range(1, 12)]


def test_a_replay_is_keyed_and_says_how_much_and_how_often():
    found = replay(Median(), Terms(), SPREAD, replays=40)
    assert found == replay(Median(), Terms(), SPREAD, replays=40)
    assert found != replay(Median(), Terms(), SPREAD, seed=1, replays=40)
    assert 0.2 < found.saved < 0.9
    assert found.kept == 1 and found.bound == lower_bound(1, 11)
    assert found.words.startswith("median saves ")
    assert found.words.endswith("the best trial survives in 40 of 40 replays, which 11 curves show to be at least 80%")


def test_a_weight_is_how_often_a_curve_is_drawn():
    only = replay(Median(), Terms(), SPREAD, replays=5, weights=[1] + [0] * 10)
    assert only.saved == 0 and only.kept == 1


def test_auto_waits_for_evidence():
    found = choose(SPREAD[: EVIDENCE - 1], Terms())
    assert found.chosen is None and not found.table
    assert found.why == "auto: no rule before 5 complete curves, of which there are 4 yet"


def test_auto_takes_what_saves_most_and_keeps_the_best():
    found = choose(SPREAD, Terms(), replays=20)
    keeping = [each for each in found.table if each.kept >= KEEPS]
    assert found.chosen is found.table[0]
    assert found.chosen.saved == max(each.saved for each in keeping) > 0.4
    assert found.why == f"auto: {found.chosen.words}"


def test_auto_takes_no_rule_where_each_loses_the_best():
    crossing = [course(n, *[n] * 9, 20 - n) for n in range(1, 12)]  # the worst at each step ends as the best
    found = choose(crossing, Terms())
    assert found.chosen is None
    assert "none saves steps and keeps the best trial in 95% of the replays" in found.why


def test_patience_and_extrapolation_replay():
    idle = [course(n, *range(20, 10, -1), *[11 + n / 9] * 10) for n in range(1, 7)]
    assert replay(Patience(steps=3), Terms(), idle, replays=5).saved > 0.2
    assert replay(Extrapolate(), Terms(), SPREAD, replays=5).saved > 0.3


# --- what MLflow keeps of a curve ---------------------------------------------------------------------------------


def back(made, **more):
    return course_from_json(course_to_json(made, **more), made.number, made.metric, made.goal, made.value)


def test_a_short_curve_comes_back_as_it_was():
    made = course(7, 3, 2.12345679, math.nan, math.inf, 1)
    assert repr(back(made)) == repr(made)
    assert back(made).costs == (3.0, 2.12345679, math.inf, math.inf, 1.0)


@pytest.mark.parametrize("steps", [99, 100, 101, 250, 12345])
def test_a_long_curve_is_thinned_to_what_a_tag_holds(steps):
    made = course(7, *(1 / 3 + 1 / step for step in range(1, steps + 1)))
    text = course_to_json(made, control=True)
    assert len(text) < 8000 and len(json.loads(text)["values"]) <= 100
    found = back(made)
    assert len(found) == steps
    every = json.loads(text)["every"]
    kept = [step for step in range(1, steps + 1) if step % every == 0 or step == steps]
    assert [found.values[step - 1] for step in kept] == pytest.approx([made.values[step - 1] for step in kept])


def test_a_control_is_told_apart():
    assert is_control(course_to_json(SPREAD[0], control=True))
    assert not is_control(course_to_json(SPREAD[0])) and not is_control("") and not is_control("[]")


def test_what_was_asked_of_a_stopped_trial_stands_with_its_curve():
    made = course(7, 3, 2, 2.5, done=False)
    text = course_to_json(made, verdict=Verdict("median", 2, 2.0, 1.25, "median: too bad"))
    assert (bar_from_json(text), steps_from_json(text)) == ((2, 1.25), 3)
    assert bar_from_json(course_to_json(made, verdict=Verdict("diverged", 2, 2.0, None, "diverged"))) is None
    for bar in ("[]", "[1]", '["1", 2]', "[true, 2]", "[0, 2]", "[1, null]", '[1, "2"]', "3", "{}"):
        assert bar_from_json(f'{{"bar": {bar}}}') is None
    for foreign in ("", "[]", "3", '{"steps": "3"}', '{"steps": 0}'):
        assert bar_from_json(foreign) is None and steps_from_json(foreign) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[]",
        "3",
        "nonsense",
        "[" * 100_000,
        '{"steps":2,"every":1,"values":[1]}',
        '{"steps":2,"every":1,"values":[1,"two"]}',
        '{"steps":2,"every":1,"values":[1,null]}',
        '{"steps":1000000000000,"every":100000000000,"values":[1,1,1,1,1,1,1,1,1,1]}',
        '{"steps":true,"every":true,"values":[1]}',
        '{"steps":0,"every":0,"values":[]}',
        '{"steps":1.5,"every":1,"values":[1,2]}',
    ],
)
def test_a_tag_that_is_none_is_left_alone(text):
    assert course_from_json(text, 1, "loss", "minimize", None) is None


# --- a rule that cannot fire ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("curve", "terms", "said"),
    [
        ([], Terms(), "trial 1 gave 'loss' once, at its end: log it after each epoch, by mlflow.log_metric('loss', "),
        ([(30, 0.1)], Terms(), "trial 1 gave 'loss' once, at its end"),
        ([(0, 0.3), (0, 0.2), (0, 0.1)], Terms(), "trial 1 logged 'loss' 3 times, all at step 0"),
        ([(1, 0.3), (2, 0.2)], Terms(after=2), "trial 1 has only 2 steps of 'loss', and stop_trials says after: 2"),
        ([(1, 0.3), (2, 0.2)], Terms(every=5), "trial 1 has only 2 steps of 'loss', and stop_trials says every: 5"),
    ],
)
def test_a_rule_that_cannot_fire_says_so(curve, terms, said):
    assert why_blind("loss", curve, ["loss"], 1, terms).startswith(f"stop_trials can stop nothing: {said}")


def test_a_misspelt_metric_is_told_with_the_nearest():
    said = why_blind("val_los", [], ["loss", "val_loss"], 3, Terms())
    assert said == "stop_trials can stop nothing: trial 3 did not log 'val_los'; did you mean 'val_loss'?"
    assert why_blind("xyz", [], ["a", "b"], 3, Terms()).endswith("did not log 'xyz'; it logged a, b")
    assert not why_blind("loss", [(1, 0.3), (2, 0.2)], ["loss"], 1, Terms(after=1))
