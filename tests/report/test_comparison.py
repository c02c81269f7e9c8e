"""Several studies compared: the numbers against hand-made ones, the words, the pictures, the page, the note."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from matplotlib.collections import PathCollection

from mlflow_tune.errors import InputError
from mlflow_tune.report.comparison.comparison import Comparison, Entrant, compare
from mlflow_tune.report.comparison.figures import comparison_figures, target_figure
from mlflow_tune.report.comparison.page import comparison_html, comparison_name, comparison_note
from mlflow_tune.report.comparison.statistics import Sample, difference, told_apart
from mlflow_tune.report.comparison.table import HEADINGS, cells, comparison_csv, comparison_json, rows
from mlflow_tune.report.comparison.trajectory import best_at, course, reached_at
from mlflow_tune.report.comparison.words import findings, sentences, target_reason
from mlflow_tune.report.figures.style import render, save_figures, words_of
from mlflow_tune.report.subject import Subject
from mlflow_tune.space import Float, Space
from mlflow_tune.spec.stopping import StopRules, why_done
from mlflow_tune.trial import Trial
from tests.report.test_report_page import Parsed
from tests.support.drawn import HOSTILE, clipped

SPACE = Space({"x": Float(0, 1)})
MINUTE = 60_000
RUN = {"command": ["python", "train.py"]}


def trials_of(values):
    """Return trials of a minute each, one after the other; None failed."""
    return [
        Trial(number, {"x": 0.5}, "failed" if value is None else "ok", value,
              start_time=number * MINUTE, end_time=(number + 1) * MINUTE)
        for number, value in enumerate(values, start=1)
    ]  # fmt: skip


def entrant(name, values, strategy="random", seed=0, goal="minimize", **more):
    """Return a study of made-up values; `more` are further keys of its definition, or fields of an entrant."""
    fields = {
        key: more.pop(key)
        for key in ("state", "run_id", "commit", "metric", "unmet", "experiment_id", "steps")
        if key in more
    }
    options = {"name": strategy, **({} if seed is None else {"seed": seed}), **more.pop("options", {})}
    subject = Subject(fields.pop("metric", "val_loss"), goal, SPACE, fields.pop("unmet", frozenset()))
    definition = {"metric": subject.metric, "goal": goal, "value": "last", "space": SPACE.to_json(), "run": RUN, **more}
    trials = values if values and isinstance(values[0], Trial) else trials_of(values)
    given = {
        "run_id": hashlib.md5(f"{name}{seed}{strategy}".encode("utf-8", "replace")).hexdigest(),
        "experiment_id": "1",
        "state": "finished",
        **fields,
    }
    return Entrant(name=name, definition={**definition, "strategy": options}, subject=subject, trials=trials, **given)


def reaching(name, after, strategy, seed, count=20):
    """Return a study that has 0.1 in trial `after` and 1.0 before."""
    return entrant(name, [1.0 if number < after else 0.1 for number in range(1, count + 1)], strategy, seed)


def several(strategy, *afters, first=0):
    return [reaching(f"{strategy}-{seed}", after, strategy, seed) for seed, after in enumerate(afters, start=first)]


def test_studies_that_stop_trials_are_a_group_of_their_own_and_show_their_steps():
    full = [entrant(f"full-{seed}", [0.3, 0.2], seed=seed, steps=60) for seed in (0, 1)]
    stopping = {"stop_trials": {"rule": "auto"}, "steps": 20}
    half = [Trial(1, {"x": 0.5}, "pruned", start_time=0, end_time=MINUTE), *trials_of([0.3, 0.2])[1:]]
    stopped = [entrant(f"stopped-{seed}", half, seed=seed, **stopping) for seed in (0, 1)]
    found = compare([*full, *stopped, entrant("grid", [0.3], "grid")])
    assert [group.label for group in found.groups] == ["random (stop_trials=none)", "random (stop_trials=auto)", "grid"]
    at = HEADINGS.index("steps")
    assert [cells(found, group)[at] for group in found.groups] == ["60 [60, 60]", "20 [20, 20]", ""]
    assert [member.course.failures for member in stopped] == [0, 0]
    assert [study["steps"] for study in comparison_json(found)["studies"]] == [60, 60, 20, 20, None]
    table = list(csv.DictReader(io.StringIO(comparison_csv(found))))
    assert [row["steps"] for row in table if row["kind"] == "group"] == ["60.0", "20.0", ""]


def test_names_stay_apart_however_long_they_are_and_whatever_they_share():
    long = "a study of a large network on many pictures with a cosine schedule and label smoothing"
    studies = [
        *(reaching(f"{long}, seed {seed}", 3, "random", seed) for seed in (0, 1)),
        entrant("same", [1.0], "bayesian", run_id="aaaaaaaa1"),
        entrant("same", [1.0], "grid", None, run_id="bbbbbbbb2"),
    ]
    compared = compare(studies)
    told = [cells(compared, group)[0] for _, group in rows(compared)]
    assert told == [
        "random",
        "…pictures with a cosine schedule and label smoothing, seed 0",
        "…pictures with a cosine schedule and label smoothing, seed 1",
        "same (aaaaaaaa)",
        "same (bbbbbbbb)",
    ]
    assert [study["study"] for study in comparison_json(compared)["studies"]] == [each.name for each in studies]


# --- one study -------------------------------------------------------------------------------------------------------


def test_the_hours_of_a_study_are_those_of_the_stop_rule_on_time():
    again = Trial(1, {}, "ok", 1.0, attempt=2, start_time=60_000, end_time=160_000, earlier=((0, 50_000),))
    found = course(Subject("m", "minimize", SPACE), [again])
    assert found.hours == pytest.approx(150 / 3600)
    assert list(found.by_hour) == [(pytest.approx(150 / 3600), 1.0)]
    assert why_done(StopRules(time="150s"), "minimize", [again], 10**9) == "time: trials ran for 150s"
    assert why_done(StopRules(time="151s"), "minimize", [again], 10**9) is None


def test_a_trial_that_still_runs_counts_until_the_last_one_ended():
    trials = [Trial(1, {}, "ok", 1.0, start_time=0, end_time=60_000), Trial(2, {}, start_time=30_000)]
    trials += [Trial(3, {}, "ok", 2.0, start_time=100_000, end_time=120_000)]
    assert course(Subject("m", "minimize", SPACE), trials).hours == pytest.approx(120 / 3600)


def test_failures_count_as_trials_and_interrupted_ones_for_the_hours_alone():
    trials = trials_of([None, 0.5, 0.7, 0.2])
    trials += [Trial(5, {}, "interrupted", start_time=1, end_time=9**12), Trial(6, {}, None, start_time=5)]
    found = course(Subject("val_loss", "minimize", SPACE), trials)
    assert (found.trials, found.failures) == (4, 1)
    assert found.hours == pytest.approx((5 * MINUTE - 1) / 3_600_000)  # from the interrupted one's first moment
    assert list(found.by_trial) == [(2, 0.5), (4, 0.2)]
    assert [(round(60 * hours), value) for hours, value in found.by_hour] == [(3, 0.5), (5, 0.2)]


def test_replicates_count_for_the_hours_alone():
    """The luckiest of many tries of a point would make a study that was confirmed look better."""
    first, *again = trials_of([1.0, 0.2, 0.1])
    found = course(Subject("m", "minimize", SPACE), [first, *(replace(each, replicate=1) for each in again)])
    assert (found.trials, found.by_trial, found.hours) == (1, ((1.0, 1.0),), pytest.approx(3 / 60))


def test_a_gap_in_the_numbers_is_no_trial():
    found = course(Subject("m", "maximize", SPACE), [trials_of([1.0])[0], trials_of([0, 0, 0, 0, 2.0])[4]])
    assert list(found.by_trial) == [(1, 1.0), (2, 2.0)]


def test_trials_that_break_the_constraint_are_never_the_best():
    found = entrant("a", [0.1, 0.5, 0.3], unmet=frozenset([1]))
    assert found.best == 0.3
    assert found.course.failures == 0


def test_the_curve_over_time_goes_by_the_order_in_which_trials_ended():
    slow = Trial(1, {}, "ok", 0.1, start_time=0, end_time=9 * MINUTE)
    quick = Trial(2, {}, "ok", 0.5, start_time=0, end_time=MINUTE)
    found = course(Subject("m", "minimize", SPACE), [slow, quick])
    assert list(found.by_trial) == [(1, 0.1)]
    assert [(round(60 * hours), value) for hours, value in found.by_hour] == [(1, 0.5), (9, 0.1)]


values = st.lists(st.none() | st.floats(-1e9, 1e9), min_size=1, max_size=15)


@given(values, st.sampled_from(["minimize", "maximize"]), st.integers(0, 16), st.floats(-1e9, 1e9))
def test_a_course_is_the_best_of_what_was_seen_so_far(found, goal, after, target):
    better = min if goal == "minimize" else max
    done = course(Subject("m", goal, SPACE), trials_of(found))
    seen = [value for value in found[:after] if value is not None]
    assert best_at(done.by_trial, after) == (better(seen) if seen else None)
    assert [value for _, value in done.by_trial] == [value for _, value in done.by_hour]
    hits = [
        number for number, value in enumerate(found, 1)
        if value is not None and (value <= target if goal == "minimize" else value >= target)
    ]  # fmt: skip
    assert reached_at(done.by_trial, target, goal) == (hits[0] if hits else None)


# --- several studies -------------------------------------------------------------------------------------------------


def test_the_interval_is_students():
    sample = Sample((8.0, 9.0, 10.0), True)
    assert sample.mean == 9.0
    assert sample.interval == pytest.approx((9 - 4.302653 / math.sqrt(3), 9 + 4.302653 / math.sqrt(3)), abs=1e-5)
    assert Sample((8.0, 9.0, 10.0), True, least=8.0).interval[0] == 8.0
    assert Sample((5.0, 5.0), True).interval == (5.0, 5.0)


def test_the_difference_is_welchs():
    stats = pytest.importorskip("scipy.stats")
    first, second = Sample((7.0, 9.0, 10.0, 11.0), True), Sample((15.0, 22.0, 30.0), True)
    expected = stats.ttest_ind(second.known, first.known, equal_var=False)
    assert difference(first, second) == pytest.approx(tuple(expected.confidence_interval(0.95)))
    assert difference(first, second, 3) == pytest.approx(tuple(expected.confidence_interval(1 - 0.05 / 3)))


@pytest.mark.parametrize(
    "sample", [Sample((1.0,), True), Sample((1.0, 2.0), False), Sample((1.0, None), True), Sample((None, None), True)],
    ids=["one study", "one seed", "one missing", "none"],
)  # fmt: skip
def test_there_is_no_interval_without_evidence(sample):
    assert sample.interval is None
    assert difference(sample, Sample((7.0, 7.1), True)) is None
    assert not told_apart(sample, Sample((7.0, 7.1), True))


def test_a_difference_is_told_only_where_intervals_do_not_overlap():
    low, high = Sample((1.0, 1.1, 0.9), True), Sample((3.0, 3.1, 2.9), True)
    assert told_apart(low, high)
    assert told_apart(high, low)
    assert not told_apart(low, Sample((1.0, 1.2, 1.1), True))
    assert not told_apart(low, high, pairs=10**6)
    assert told_apart(Sample((1.0, 1.0), True), Sample((2.0, 2.0), True))
    assert not told_apart(Sample((1.0, 1.0), True), Sample((1.0, 1.0), True))


numbers = st.lists(st.floats(-1.7e308, 1.7e308), min_size=1, max_size=6)


@given(numbers, numbers, st.integers(1, 10))
def test_whatever_the_numbers_are_the_mean_is_among_them(first, second, pairs):
    one, two = Sample(tuple(first), True), Sample(tuple(second), True)
    slack = 1e-9 * max(map(abs, first))
    assert min(first) - slack <= one.mean <= max(first) + slack
    for interval in (one.interval, difference(one, two, pairs)):
        assert interval is None or interval[0] <= interval[1]
    assert told_apart(one, two, pairs) == told_apart(two, one, pairs)


def test_studies_that_differ_in_seed_alone_are_a_group():
    found = compare(
        [
            entrant("a", [1.0], seed=0, workers=1, options={"sampling": "uniform"}),
            entrant("b", [1.0], seed=1, stop={"trials": 9}, options={"sampling": "uniform"}),
            entrant("c", [1.0], "bayesian", seed=0),
            entrant("d", [1.0], seed=2, options={"sampling": "sobol"}),
            entrant("e", [1.0], seed=3, options={"sampling": "sobol"}),
            entrant("f", [1.0], seed=4, run={"command": ["python", "other.py"]}),
            entrant("g", [1.0], seed=5, space=Space({"x": Float(0, 2)}).to_json()),
        ]
    )
    assert [(group.label, [member.name for member in group.members]) for group in found.groups] == [
        ("random (sampling=uniform)", ["a", "b"]),
        ("c", ["c"]),
        ("random (sampling=sobol)", ["d", "e"]),
        ("f", ["f"]),
        ("g", ["g"]),
    ]


def test_the_fixed_parameter_seed_of_the_training_is_a_seed_too():
    def trained(strategy, seed, of_training):
        run = {"command": ["train"], "parameters": {"epochs": 3, "seed": of_training}}
        return entrant(f"{strategy}-{of_training}", [0.5], strategy, seed, run=run)

    grid = [trained("grid", None, n) for n in (1, 2)]
    at_random = [trained("random", n, n) for n in (1, 2)]
    again = [trained("bayesian", 3, n) for n in (1, 2)]
    found = compare([*grid, *at_random, *again])
    assert [[member.seed for member in group.members] for group in found.groups] == [[1, 2], [1, 2], [3, 3]]
    assert [group.independent for group in found.groups] == [True, True, False]
    assert not any("code that is run" in line for line in findings(found))
    apart = compare([trained("grid", None, "one"), trained("grid", None, "two")])
    assert [group.independent for group in apart.groups] == [False, False], "text is no seed"


def test_no_two_groups_have_one_label():
    found = compare(
        [entrant("same", [1.0], seed=0), entrant("same", [1.0], "grid", None)]
        + [
            entrant(name, [1.0], seed=seed, run={"command": [name[0]]})
            for seed, name in enumerate(["a1", "a2", "b1", "b2"])
        ]
    )
    labels = [group.label for group in found.groups]
    assert len({*labels}) == len(labels) == 4
    assert all(re.fullmatch(r"(same|random) \([0-9a-f]{8}\)", label) for label in labels)


def test_equal_seeds_and_no_seed_are_no_independent_evidence():
    grid = [entrant(name, [0.5], "grid", None) for name in ("a", "b")]
    twice = [entrant(name, [0.5], seed=3) for name in ("c", "d")]
    found = compare([*grid, *twice])
    assert [group.independent for group in found.groups] == [False, False]
    told = findings(found)
    assert any("grid have no seed to differ in" in line for line in told)
    assert any("random have seeds that repeat (c, d)" in line for line in told)
    assert "[" not in "".join("".join(cells(found, group)) for group in found.groups)


def test_the_default_target_is_the_worst_of_the_bests():
    found = compare([entrant("a", [0.5, 0.123456]), entrant("b", [0.3], seed=1), entrant("c", [None], seed=2)])
    assert found.target == 0.3
    assert "worst of the studies' best values" in target_reason(found)
    assert compare([entrant("a", [0.123456]), entrant("b", [0.1], seed=1)]).target == 0.1235
    assert compare([entrant("a", [7.65432], goal="maximize"), entrant("b", [9.0], goal="maximize")]).target == 7.654
    nothing = compare([entrant("a", [None]), entrant("b", [], seed=1)])
    assert nothing.target is None
    assert sentences(nothing)[0] == "No study has a value of val_loss."


@given(st.lists(st.floats(-1.7e308, 1.7e308), min_size=2, max_size=5), st.sampled_from(["minimize", "maximize"]))
def test_every_study_with_a_value_reaches_the_default_target(bests, goal):
    found = compare([entrant(f"s{n}", [best], seed=n, goal=goal) for n, best in enumerate(bests)])
    (group,) = found.groups
    assert found.to_target(group).values == (1.0,) * len(bests)
    json.dumps(comparison_json(found), allow_nan=False)
    sentences(found)


REFUSED = [
    ([], None, "at least two studies, but got 0: none"),
    ([entrant("a", [1.0])], None, "at least two studies, but got 1: 'a'"),
    ([entrant("a", [1.0]), entrant("a", [1.0])], None, "'a' \\(run [0-9a-f]+\\) is named twice"),
    ([entrant("a", [1.0]), entrant("b", [1.0], metric="acc", seed=1)], None,
     "'a' is to minimize 'val_loss'\n'b' is to minimize 'acc'"),
    ([entrant("a", [1.0]), entrant("b", [1.0], goal="maximize", seed=1)], None, "'b' is to maximize 'val_loss'"),
    ([entrant("a", [1.0]), entrant("b", [1.0], seed=1)], math.nan, "--target: must be a finite number, but got nan"),
    ([entrant("a", [1.0]), entrant("b", [1.0], seed=1)], math.inf, "--target: must be a finite number, but got inf"),
]  # fmt: skip


@pytest.mark.parametrize(("entrants", "target", "words"), REFUSED)
def test_what_cannot_be_compared_is_refused_in_words(entrants, target, words):
    with pytest.raises(InputError, match=words):
        compare(entrants, target)


def test_the_mean_curve_begins_where_all_have_a_value_and_ends_with_the_last():
    found = compare([entrant("a", [None, 4.0, 2.0]), entrant("b", [6.0, None, None, None, 0.0], seed=1)])
    curve = found.curve(found.groups[0], "trials")
    assert [(x, sample.mean) for x, sample in curve] == [(2, 5.0), (3, 4.0), (5, 1.0)]
    hours = [(round(60 * x), sample.mean) for x, sample in found.curve(found.groups[0], "hours")]
    assert hours == [(2, 5.0), (3, 4.0), (5, 1.0)]
    assert compare([entrant("a", [None]), entrant("b", [1.0], seed=1)]).curve(found.groups[0], "trials") == curve


# --- words -----------------------------------------------------------------------------------------------------------


def test_a_difference_comes_with_its_evidence():
    found = compare([*several("bayesian", 8, 9, 10), *several("random", 17, 18, 19)])
    told = sentences(found)
    assert told[0] == (
        "bayesian reached val_loss <= 0.1 in 9 trials [6.5, 11.5] on average over 3 studies, random in 18 trials "
        "[15.5, 20.5] on average over 3 studies: a difference of 9 [6.7, 11.3]."
    )
    assert told[1].startswith("After 20 trials each the best val_loss is 0.1 [0.1, 0.1] on average with bayesian, 0.1 ")
    assert len(told) == 2


def test_no_difference_is_claimed_where_intervals_overlap():
    told = sentences(compare([*several("bayesian", 8, 9, 16), *several("random", 9, 14, 19)]))
    assert told[0].endswith(": no difference can be told (the intervals overlap).")


def test_one_study_each_is_no_evidence_about_strategies():
    told = sentences(compare([reaching("A", 9, "bayesian", 0), reaching("B", 17, "random", 0)]))
    assert told[0] == "A (bayesian) reached val_loss <= 0.1 in 9 trials, B (random) in 17 trials."
    assert told[-1] == "One study each is no evidence about strategies, only about these runs."
    assert "difference" not in " ".join(told)


def test_a_group_beside_a_single_study_claims_nothing():
    told = sentences(compare([*several("bayesian", 8, 9), reaching("B", 17, "random", 0)]))
    assert told[0].endswith("no difference can be told (one study is no evidence about a strategy).")
    assert "One study each" not in " ".join(told)


def test_not_reached_is_counted_and_claims_nothing():
    found = compare([*several("bayesian", 8, 9, 10), *several("random", 17, 18, 99)], 0.1)
    assert sentences(found)[0] == (
        "bayesian reached val_loss <= 0.1 in 9 trials [6.5, 11.5] on average over 3 studies, random in 2 of 3 studies: "
        "no difference can be told (not every study reached it)."
    )
    assert cells(found, found.groups[1])[HEADINGS.index("trials to target")] == "reached by 2 of 3"
    singles = compare([reaching("A", 9, "bayesian", 0), reaching("B", 99, "random", 0)], 0.1)
    assert (
        sentences(singles)[0]
        == "A (bayesian) reached val_loss <= 0.1 in 9 trials, B (random) not within its 20 trials."
    )
    assert sentences(compare([*several("random", 5, 6)], 0.01))[0] == "No study reached val_loss <= 0.01."


def test_three_groups_are_told_pair_by_pair():
    found = compare([*several("bayesian", 4, 5, 6), *several("random", 17, 18, 19), *several("grid", 5, 6, 7)])
    first = sentences(found)[0]
    assert "between bayesian and grid no difference can be told (the intervals overlap)" in first
    assert re.search(r"between bayesian and random a difference of 13 \[[\d.]+, [\d.]+\]\.$", first)
    assert found.pairs == 3


def test_best_values_are_compared_after_equally_many_trials():
    found = compare([entrant("long", [0.9] * 5 + [0.1] * 5), entrant("short", [0.5] * 4, "grid", None)])
    assert (
        sentences(found)[1] == "After 4 trials each the best val_loss is 0.5 with short (grid), 0.9 with long (random)."
    )


def test_one_group_has_nothing_to_tell_apart():
    assert sentences(compare(several("random", 5, 6)))[-1].startswith("All studies differ in seed alone")


def test_what_a_reader_must_know_is_told():
    found = compare(
        [
            entrant("a", [0.5], state="running", workers=1, commit="c1"),
            entrant("b", [0.4], seed=1, state="interrupted", workers=2, commit="c2"),
            entrant("c", [None, None], "grid", None, space=Space({"x": Float(0, 2)}).to_json()),
            entrant(
                "d",
                [0.2],
                "bisection",
                None,
                run={"command": ["other"]},
                value="best",
                options={"constraint": "r >= 1"},
            ),
        ]
    )
    told = " ".join(findings(found))
    for words in (
        "a is still running",
        "b is interrupted: it may not have used its budget",
        "c has no value of val_loss (2 trials, of which 2 failed)",
        "The search spaces differ (a, b, d against c)",
        "The code that is run differs (a, b, c against d)",
        "The step of the metric that counts differs",
        "Of d only trials that meet r >= 1 count",
        "random ran with different numbers of workers",
        "random ran different commits",
    ):
        assert words in told
    assert findings(compare(several("random", 1, 2))) == []


def test_settings_that_differ_are_named_and_are_not_called_other_code():
    run = {"command": ["python", "train.py"], "parameters": {"epochs": 8, "folder": "."}}
    other = {**run, "parameters": {"epochs": 3, "folder": "."}, "timeout": "10m"}
    found = compare([entrant("a", [0.5], run=run), entrant("b", [0.4], run=other)])
    assert findings(found) == [
        "What trials run with differs (a against b): run.parameters.epochs: 8 against 3; "
        "run.timeout: none against 10m: the values may differ for that reason alone."
    ]


# --- table -----------------------------------------------------------------------------------------------------------


def test_the_table_has_a_row_a_group_and_a_row_a_study():
    found = compare([*several("random", 5, 6), entrant("other", [0.1, None, 0.1], "grid", None)])
    assert [(member, *cells(found, group)) for member, group in rows(found)] == [
        (False, "random", "random", "2", "20", "0.1 [0.1, 0.1]", "5.5 [1, 11.9]", "", "20 min [20 min, 20 min]", "0"),
        (True, "random-0", "random", "1", "20", "0.1", "5", "", "20 min", "0"),
        (True, "random-1", "random", "1", "20", "0.1", "6", "", "20 min", "0"),
        (False, "other", "grid", "1", "3", "0.1", "1", "", "3 min", "1"),
    ]


def test_the_csv_has_the_numbers_in_full_and_no_formula():
    found = compare([*several("random", 5, 6), entrant("=1+1", [1 / 3, None], "grid", None)])
    read = list(csv.DictReader(io.StringIO(comparison_csv(found), newline="")))
    assert [(row["kind"], row["label"]) for row in read] == [
        ("group", "random"), ("group", "'=1+1"), ("study", "random-0"), ("study", "random-1"), ("study", "'=1+1"),
    ]  # fmt: skip
    assert (read[1]["best"], read[1]["best_low"], read[1]["failures"]) == (repr(1 / 3), "", "1")
    assert (read[0]["trials_to_target"], read[0]["reached"], read[0]["studies"]) == ("5.5", "2", "2")


def test_the_json_holds_what_is_shown():
    found = compare([*several("bayesian", 8, 9, 10), *several("random", 17, 18, 99)], 0.1)
    form = json.loads(json.dumps(comparison_json(found), allow_nan=False))
    assert form["sentences"] == sentences(found)
    first, second = form["groups"]
    assert first["trials_to_target"] == {
        "mean": 9.0, "interval": pytest.approx([6.516, 11.484], abs=1e-3), "known": 3, "studies": 3,
    }  # fmt: skip
    assert (second["trials_to_target"]["known"], second["trials_to_target"]["interval"]) == (2, None)
    assert [study["trials_to_target"] for study in form["studies"]] == [8, 9, 10, 17, 18, None]
    assert form["studies"][0]["best_by_trials"] == [[1.0, 1.0], [8.0, 0.1]]


# --- figures ---------------------------------------------------------------------------------------------------------


def noisy(name, strategy, seed, rate, count=20):
    draws = np.random.default_rng(seed)
    return entrant(name, [0.1 + math.exp(-rate * at) * draws.random() for at in range(count)], strategy, seed)


def drawn_pair():
    return compare(
        [noisy(f"{name}-{n}", name, n, rate) for name, rate in (("bayesian", 0.4), ("random", 0.1)) for n in range(3)]
    )


def test_the_figures_say_in_words_what_they_show():
    found = comparison_figures(drawn_pair())
    assert list(found) == ["best_by_trials", "best_by_hours", "trials_to_target"]
    for figure in found.values():
        assert "bayesian" in words_of(figure)
        assert "random" in words_of(figure)
        assert not clipped(figure)
    assert "3 of 3 studies, after" in words_of(found["trials_to_target"])


@pytest.mark.slow
def test_groups_are_told_apart_by_lines_too():
    found = compare(
        [noisy(f"s{n}", "random", 0, 0.2) for n in range(1)] + [noisy(f"t{n}", f"k{n}", 0, 0.2) for n in range(11)]
    )
    axes = comparison_figures(found)["best_by_trials"].axes[0]
    looks = {(line.get_color(), str(line._unscaled_dash_pattern)) for line in axes.get_lines()}
    assert len(looks) == 13  # twelve groups and the target


@pytest.mark.slow
@pytest.mark.parametrize(("goal", "sign"), [("minimize", 1), ("maximize", -1)])
@pytest.mark.parametrize(("first", "shown"), [(6.0, True), (100.0, False)])
def test_where_a_curve_begins_is_shown_or_marked_at_the_edge(goal, sign, first, shown):
    values = [sign * each for each in [first, *np.linspace(1.0, 0.1, 20)]]
    found = compare([entrant("a", values, goal=goal), entrant("b", [sign * 0.8] * 20, "grid", None, goal=goal)])
    axes = comparison_figures(found)["best_by_trials"].axes[0]
    low, high = axes.get_ylim()
    assert (low <= sign * first <= high) == shown
    marks = [each for each in axes.collections if each.get_label() == "begins beyond the edge"]
    places = [each.get_offsets().tolist() for each in marks]
    assert places == ([] if shown else [[[1.0, high if sign > 0 else low]]])


def test_studies_that_did_not_reach_the_target_are_drawn_hollow():
    figure = target_figure(compare([*several("random", 5, 99), reaching("B", 7, "grid", None)], 0.1))
    (hollow,) = [each for each in figure.axes[0].collections if each.get_label() == "ended without reaching it"]
    assert hollow.get_offsets()[:, 0].tolist() == [20]
    marks = [each for each in figure.axes[0].collections if isinstance(each, PathCollection)]
    assert sum(len(each.get_offsets()) for each in marks) == 3


@pytest.mark.slow
@pytest.mark.parametrize("values", [[None], [1e308, -1e308], [0.0], [5.0] * 3, [-1.7e308]], ids=str)
def test_odd_values_are_drawn_or_left_out(values, tmp_path):
    found = compare([entrant("a", values), entrant("b", values, seed=1), entrant("c", [1.0], "grid", None)])
    save_figures(comparison_figures(found), tmp_path)
    nothing = compare([entrant("a", [None]), entrant("b", [], seed=1)])
    assert comparison_figures(nothing) == {}


@pytest.mark.slow
def test_the_same_comparison_gives_the_same_pictures():
    first, second = (render(comparison_figures(drawn_pair())["best_by_trials"], "svg") for _ in range(2))
    assert first == second


# --- page and note ---------------------------------------------------------------------------------------------------

LINKS = {"curves of the studies": "https://mlflow.example.org/#/experiments/1/runs?a=b&c=d", "run": "#/relative"}


def hostile() -> Comparison:
    bad = f"`a` | </td></table><script>alert(1)</script> ![x](y) {HOSTILE}"
    options = {"sampling": bad}
    return compare(
        [
            entrant(bad, [0.5, 0.4], metric=bad, options=options),
            entrant(f"{bad}2", [0.3, None], seed=1, metric=bad, options=options),
            entrant("c", [None], "grid", None, metric=bad, state=bad, options={"constraint": bad}),
        ]
    )


@pytest.mark.slow
def test_the_page_shows_the_evidence_and_is_self_contained():
    found = drawn_pair()
    html = comparison_html(found, comparison_figures(found), LINKS, 1_700_000_000_000)
    page = Parsed(html)
    for words in (*sentences(found), target_reason(found), "2023-11-14T22:13:20+00:00", "bayesian-0, bayesian-1"):
        assert words in page.text
    assert list(HEADINGS) in page.rows
    assert [attrs["href"] for attrs in page.all("a")] == [LINKS["curves of the studies"]]
    images = page.all("img")
    assert len(images) == 3
    assert all(image["src"].startswith("data:image/svg+xml;base64,") and image["alt"] for image in images)
    assert not {tag for tag, _ in page.elements} & {"script", "link", "iframe", "object", "form", "svg"}
    assert "default-src 'none'" in html
    assert page.all("html") == [{"lang": "en"}]


@pytest.mark.slow
def test_hostile_text_is_inert_on_the_page():
    found = hostile()
    html = comparison_html(found, comparison_figures(found), {HOSTILE: "javascript:alert(1)"})
    html.encode()
    page, plain = Parsed(html), Parsed(comparison_html(drawn_pair(), {}, LINKS))
    assert {tag for tag, _ in page.elements} <= {tag for tag, _ in plain.elements} | {
        "figure",
        "img",
        "ul",
        "li",
        "div",
    }
    assert all(not key.startswith("on") for _, attrs in page.elements for key in attrs)
    assert not page.all("a")
    assert "</td></table><script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    assert "\x00" not in html
    assert "\u202e" not in html


def test_the_note_renders_to_the_sentences_the_links_and_the_table():
    found = drawn_pair()
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(comparison_note(found, LINKS))
    assert html.startswith("<p>bayesian reached val_loss &lt;= ")
    assert html.splitlines()[1].startswith('<a href="https://mlflow.example.org/')
    assert re.findall(r'href="(.*?)"', html) == [link.replace("&", "&amp;") for link in LINKS.values()]
    lines = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)
    assert len(lines) == 1 + len(rows(found))
    assert {line.count("<t") for line in lines} == {len(HEADINGS)}


def test_hostile_text_is_inert_in_the_note():
    note = comparison_note(hostile(), LINKS)
    html = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).render(note)
    assert {*re.findall(r"</?(\w+)", html)} <= {"p", "br", "a", "table", "thead", "tbody", "tr", "th", "td", "ul", "li"}
    assert len(re.findall("href=", html)) == len(LINKS)
    assert {line.count("<t") for line in re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)} == {len(HEADINGS)}


@pytest.mark.parametrize("char", ["x", "|", "&", "\u6f22", "\n"])
def test_the_note_is_short_enough_for_hundreds_of_studies_of_the_longest_name(char):
    many = [
        entrant(f"{n}{char * 240}", [1.0, None], f"k{n % 50}", n, space={"n": n}, state="running") for n in range(200)
    ]
    note = comparison_note(compare(many), {"a": "#/" + "%7C" * 300})
    assert len(note) < 8000
    assert "comparison.csv" in note
    assert len(comparison_name(compare(many))) <= 120
