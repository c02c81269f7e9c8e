"""Counts, lists and times in words."""

import time

import pytest

from mlflow_tune.text import (
    counted,
    hours_text,
    iso_time,
    local_time,
    plural,
    seconds_text,
    some_of,
    tally,
    trial_label,
    words_of,
)


def test_one_is_singular_and_all_else_plural():
    assert [counted(count, "trial") for count in (0, 1, 2)] == ["0 trials", "1 trial", "2 trials"]
    assert [plural("point", count) for count in (1, 1.0, 1.5)] == ["point", "point", "points"]


def test_a_long_list_says_how_many_more_there_are():
    assert some_of([], 3) == ""
    assert some_of([3, 7, 9], 3) == "3, 7, 9"
    assert some_of(["a", "b", "c", "d"], 2) == "a, b and 2 more"


def test_a_tally_goes_by_name():
    assert tally(["ok", "failed", "ok"]) == "1 failed, 2 ok"
    assert tally([]) == ""


def test_trials_have_three_digits_or_more():
    assert [trial_label(number) for number in (None, 7, 1234)] == ["", "#007", "#1234"]


@pytest.mark.parametrize(
    ("hours", "text"), [(0, "0 s"), (0.01, "36 s"), (0.05, "3 min"), (1.5, "90 min"), (3, "3 h"), (1234.56, "1235 h")]
)
def test_hours_have_the_unit_in_which_they_are_read(hours, text):
    assert hours_text(hours) == text


def test_seconds_have_a_tenth():
    assert [seconds_text(seconds) for seconds in (None, 0.0, 12.34)] == ["", "0.0 s", "12.3 s"]
    assert seconds_text(12.34, unit="") == "12.3"


@pytest.mark.parametrize("milliseconds", [None, 0, 10**20, -(10**20)])
def test_what_is_no_time_has_no_text(milliseconds):
    assert iso_time(milliseconds) is None
    assert local_time(milliseconds) == ""


def test_times_are_utc_or_the_clock_on_the_wall(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        assert iso_time(1_700_000_000_000) == "2023-11-14T22:13:20+00:00"
        assert local_time(1_700_000_000_000) == "2023-11-15 07:13"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("maxDepth", ["max", "depth"]),
        ("max_depth", ["max", "depth"]),
        ("val/cross-entropy", ["val", "cross", "entropy"]),
        ("BCELoss", ["bce", "loss"]),
        ("ROC_AUC", ["roc", "auc"]),
        ("F1Score", ["f1", "score"]),
        ("mAP50", ["m", "ap50"]),
        ("__", []),
    ],
)
def test_names_fall_into_words(name, words):
    assert words_of(name) == words
