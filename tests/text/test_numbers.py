"""Numbers, values and points as people read them."""

import math

import pytest

from mlflow_tune.text import (
    bytes_text,
    count_text,
    factor_text,
    is_number,
    json_number,
    number_text,
    param_text,
    point_text,
    rounded,
    tick_text,
)
from mlflow_tune.text.numbers import digits_between


@pytest.mark.parametrize(
    ("value", "metric", "param"),
    [
        (None, "", ""),
        (0.0, "0", "0"),
        (0.1234567, "0.123457", "0.12346"),
        (1e-5, "1e-05", "1e-05"),
        (1234567.0, "1.23457e+06", "1.2346e+06"),
        (math.nan, "nan", "nan"),
        (-math.inf, "-inf", "-inf"),
        (1234567, "1234567", "1234567"),
        (True, "True", "True"),
        ("adam", "adam", "adam"),
    ],
)
def test_floats_are_rounded_and_all_else_is_told_in_full(value, metric, param):
    assert (number_text(value), param_text(value)) == (metric, param)


def test_a_point_stands_on_one_line_and_is_printable():
    assert point_text({"lr": 0.00312347, "units": 64, "opt": "adam"}) == "lr=0.0031235 units=64 opt=adam"
    assert point_text({"lr": 0.00312345}, 2) == "lr=0.0031"
    assert point_text({"a\nb": "x\x1b[31m\u202ey"}) == "a b=x\ufffd[31m\ufffdy"
    assert point_text({}) == ""


def test_a_tick_has_no_zeros_in_its_exponent():
    assert [tick_text(value) for value in (1e-5, 1e5, 1e16, 0.25, 1e-10, -2e-7)] == [
        "1e-5",
        "1e5",
        "1e16",
        "0.25",
        "1e-10",
        "-2e-7",
    ]


def test_counts_factors_and_sizes():
    assert [count_text(count) for count in (9, 9.0, 9.16, 0)] == ["9", "9", "9.2", "0"]
    assert [factor_text(factor) for factor in (None, 2.0, 1 / 3, 12345.0)] == [
        "",
        "2 times",
        "0.333 times",
        "1.23e+04 times",
    ]
    assert [bytes_text(size) for size in (None, 0, 1, 1234)] == ["size unknown", "0 bytes", "1 byte", "1,234 bytes"]


def test_a_number_that_json_lacks_is_text():
    assert [json_number(value) for value in (None, 1.5, math.inf, -math.inf)] == [None, 1.5, "inf", "-inf"]
    assert json_number(math.nan) == "nan"
    assert (rounded(0.123456, 3), rounded(123456.0, 2), rounded(math.inf, 2)) == (0.123, 120000.0, math.inf)


def test_a_boolean_is_no_number():
    assert all(map(is_number, (1, 1.5, math.nan)))
    assert not any(map(is_number, (True, "1", None)))


@pytest.mark.parametrize(("low", "high", "digits"), [
    (0.1, 0.9, 4), (-2.0, 3.0, 4), (0.0, 0.0, 4), (1.0, 1.0, 4), (1e6, 1e6 + 0.2, 9), (-1e6 - 0.2, -1e6, 9),
    (1e15, 1e15 + 1, 15),
])  # fmt: skip
def test_numbers_far_from_zero_take_more_digits_to_be_told_apart(low, high, digits):
    assert digits_between(low, high) == digits
    assert tick_text(1000000.02, digits_between(1e6, 1e6 + 0.2)) == "1000000.02"
