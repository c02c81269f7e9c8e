"""What the dimensions of a search space promise: the rules, the messages, and the encodings."""

import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_tune.errors import InputError
from mlflow_tune.space import Categorical, Float, Int
from mlflow_tune.text import as_integer, as_number, nearest


def refused(build, key, *parts):
    with pytest.raises(InputError) as caught:
        build()
    assert caught.value.key == key
    for part in parts:
        assert part in caught.value.message


# --- reading numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "number"),
    [(1, 1.0), ("1e-4", 1e-4), ("16", 16.0), (0.5, 0.5), (np.float32(0.5), 0.5), (np.int64(3), 3.0)],
)
def test_as_number_reads_numbers_and_their_text(value, number):
    assert as_number(value) == number
    assert type(as_number(value)) is float


@pytest.mark.parametrize(
    "value",
    [True, False, "nan", math.nan, math.inf, "-inf", "abc", "", None, [1], 10**400, "1e999", 1j, np.bool_(True)],
)
def test_as_number_and_as_integer_refuse_what_is_no_finite_number(value):
    refused(lambda: as_number(value), "", "must be a finite number")
    if not isinstance(value, int) or isinstance(value, bool):
        refused(lambda: as_integer(value), "", "must be a finite number")


@pytest.mark.parametrize(
    ("value", "number"), [(16, 16), (16.0, 16), ("16", 16), ("1e3", 1000), (" 7 ", 7), (10**20, 10**20)]
)
def test_as_integer_reads_whole_numbers(value, number):
    assert as_integer(value) == number
    assert type(as_integer(value)) is int


@pytest.mark.parametrize("value", [16.5, "0.1", 1e-9])
def test_as_integer_refuses_fractions(value):
    refused(lambda: as_integer(value), "", "must be a whole number", repr(value))


def test_negative_zero_is_zero():
    assert str(as_number(-0.0)) == str(as_number("-0")) == "0.0"
    assert str(Float(-0.0, 1).from_unit(0.0)) == "0.0"


def test_nearest_names_a_misspelt_word():
    assert nearest("hgih", ["low", "high"]) == "high"
    assert nearest("zzz", ["low", "high"]) is None


# --- rules of a dimension -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "key", "parts"),
    [
        (lambda: Float(3.0, 1.0), "low", ["low < high must hold, but got low=3.0, high=1.0"]),
        (lambda: Float(1, 1), "low", ["low < high"]),
        (lambda: Int(2, 2), "low", ["low < high"]),
        (lambda: Float(0, 1, log=True), "low", ["low > 0 must hold on a log scale", "low=0.0"]),
        (lambda: Int(0, 9, log=True), "low", ["low > 0"]),
        (lambda: Float("x", 1), "low", ["finite number", "'x'"]),
        (lambda: Float(True, 2), "low", ["True"]),
        (lambda: Float(0, math.inf), "high", ["inf"]),
        (lambda: Float(0, math.nan), "high", ["nan"]),
        (lambda: Float(-1e308, 1e308), "high", ["high - low must be finite"]),
        (lambda: Float(0, 1, log="yes"), "log", ["true or false", "'yes'"]),
        (lambda: Int(1.5, 3), "low", ["whole number", "1.5"]),
        (lambda: Int(1, 10, step=4), "high", ["low + k*step", "low=1, high=10, step=4", "9 or 13"]),
        (lambda: Int(1, 3, step=4), "high", ["nearest: 5"]),
        (lambda: Int(1, 9, step=0), "step", ["step >= 1", "step=0"]),
        (lambda: Int(1, 9, log=True, step=2), "step", ["exclude one another", "step=2"]),
        (lambda: Int(1, 10**13), "high", [str(10**12)]),
        (lambda: Float(0, 1, grid=[]), "grid", ["at least one"]),
        (lambda: Float(0, 1, grid=[0.1, 0.5, 2]), "grid.2", ["0.0 <= value <= 1.0", "2.0"]),
        (lambda: Float(0, 1, grid=[0.1, "0.10"]), "grid.1", ["distinct", "0.1"]),
        (lambda: Float(0, 1, grid=1), "grid", ["2 <= number of points"]),
        (lambda: Float(0, 1, grid=10**9), "grid", ["number of points <= 10000"]),
        (lambda: Float(0, 1, grid=2.5), "grid", ["whole number"]),
        (lambda: Float(0, 1, grid=True), "grid", ["must be a finite number"]),
        (lambda: Int(0, 8, step=4, grid=[0, 2]), "grid.1", ["0 + k*4", "2"]),
        (lambda: Float(0, 1, default=2), "default", ["0.0 <= value <= 1.0"]),
        (lambda: Float(0, 1, role="leraning_rate"), "role", ["did you mean 'learning_rate'?"]),
        (lambda: Categorical([]), "values", ["at least one"]),
        (lambda: Categorical("abc"), "values", ["list"]),
        (lambda: Categorical([1, "1"]), "values.1", ["distinct", "'1'"]),
        (lambda: Categorical([None]), "values.0", ["None"]),
        (lambda: Categorical([math.nan]), "values.0", ["nan"]),
        (lambda: Categorical([np.float64(1)]), "values.0", ["np.float64"]),
        (lambda: Categorical(["x" * 6001]), "values.0", ["6000"]),
        (lambda: Categorical(["a", "b"], grid=["c"]), "grid.0", ["'a', 'b'", "'c'"]),
        (lambda: Categorical(["a", "b"], grid=2), "grid", ["list"]),
        (lambda: Categorical(["a", "b"], default="c"), "default", ["'c'"]),
    ],
)
def test_a_broken_rule_is_stated_with_its_values_and_its_key(build, key, parts):
    refused(build, key, *parts)


def test_numbers_written_as_text_are_numbers():
    assert Float("1e-4", "1e-1", grid=["1e-3"], default="0.01") == Float(1e-4, 1e-1, grid=[1e-3], default=0.01)
    assert Int("16", "1e3", grid="3") == Int(16, 1000, grid=3)
    assert Int(16.0, 64.0, step="16").size == 4


def test_dimensions_are_frozen_hashable_and_picklable():
    for each in (Float(0, 1, grid=[0, 1]), Int(1, 3), Categorical(["a"])):
        with pytest.raises(FrozenInstanceError):
            each.default = 1
        assert hash(each) == hash(pickle.loads(pickle.dumps(each)))


def test_contains_minds_bounds_steps_and_types():
    assert Float(0, 1).contains(1)
    assert not any(Float(0, 1).contains(value) for value in (1.1, "0.5", True, math.nan, None))
    assert Int(0, 8, step=4).contains(4.0)
    assert not any(Int(0, 8, step=4).contains(value) for value in (2, 12, -4, "4", False, 4.5))
    assert Categorical([1, "a"]).contains(1)
    assert not any(Categorical([1, "a"]).contains(value) for value in (True, 1.0, "1", None, [1]))


@pytest.mark.parametrize(
    ("dimension", "value"),
    [
        (Float(0, 1), 0.1),
        (Float(1e-9, 1, log=True), 1e-9),
        (Int(1, 10**12), 10**12 - 1),
        *(
            (Categorical([True, False, 1, 0.5, "text", "", "1e-4"]), value)
            for value in (True, 1, 0.5, "text", "", "1e-4")
        ),
    ],
)
def test_decode_gives_back_what_mlflow_holds_as_text(dimension, value):
    assert dimension.decode(str(value)) == value
    assert type(dimension.decode(str(value))) is type(value)


def test_decode_refuses_text_of_another_kind():
    refused(lambda: Float(0, 1).decode("red"), "", "'red'")
    refused(lambda: Int(0, 9).decode("2.5"), "", "'2.5'")
    refused(lambda: Categorical(["a"]).decode("b"), "", "'a'", "'b'")


def test_default_and_grid_have_the_type_of_the_values():
    assert type(Float(0, 2, default=1).default) is float
    assert type(Int(0, 2, default=1.0).default) is int
    assert Categorical([1, 2], grid=["2"]).grid == (2,)


# --- grids -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dimension", "values"),
    [
        (Float(0, 1), None),
        (Int(0, 1), None),
        (Float(0, 1, grid=11), (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)),
        (Float(1e-4, 1e-1, log=True, grid=4), (1e-4, 1e-3, 1e-2, 1e-1)),
        (Float(0, 1, grid=[1, 0.5]), (1.0, 0.5)),
        (Int(0, 9, grid=4), (0, 3, 6, 9)),
        (Int(1, 1000, log=True, grid=4), (1, 10, 100, 1000)),
        (Int(1, 3, grid=10), (1, 2, 3)),
        (Int(0, 12, step=4, grid=3), (0, 8, 12)),
        (Categorical(["a", 1]), ("a", 1)),
        (Categorical(["a", 1], grid=[1]), (1,)),
    ],
)
def test_grid_values(dimension, values):
    assert dimension.grid_values() == values


# --- the unit interval ---------------------------------------------------------------------------------------------

unit = st.floats(0, 1)


@st.composite
def float_ranges(draw):
    log = draw(st.booleans())
    number = st.floats(5e-324, 8e307) if log else st.floats(-8e307, 8e307)
    low, high = sorted(draw(st.tuples(number, number).filter(lambda pair: pair[0] != pair[1])))
    return Float(low, high, log=log)


@st.composite
def int_ranges(draw):
    if draw(st.booleans()):
        low, high = sorted(draw(st.lists(st.integers(1, 10**12), min_size=2, max_size=2, unique=True)))
        return Int(low, high, log=True)
    low, step = draw(st.integers(-(10**9), 10**9)), draw(st.integers(1, 10**4))
    return Int(low, low + step * draw(st.integers(1, 10**7)), step=step)


@given(float_ranges(), unit)
def test_a_float_stays_inside_and_survives_the_round_trip(dimension, unit):
    value = dimension.from_unit(unit)
    assert type(value) is float
    assert dimension.contains(value)
    back = dimension.from_unit(dimension.to_unit(value))
    if dimension.log:
        assert math.isclose(back, value, rel_tol=1e-12, abs_tol=5e-324)
    else:
        assert abs(back - value) <= 4 * (math.ulp(dimension.low) + math.ulp(dimension.high))


@given(float_ranges())
def test_the_ends_of_a_float_are_the_ends_of_the_unit_interval(dimension):
    for value, unit in ((dimension.low, 0.0), (dimension.high, 1.0)):
        assert dimension.to_unit(value) == unit or dimension.to_unit(value) == 0.5  # logarithms may coincide
        assert math.isclose(dimension.from_unit(unit), value, rel_tol=1e-12)


@given(int_ranges(), unit)
def test_an_int_survives_the_round_trip_exactly(dimension, unit):
    value = dimension.from_unit(unit)
    assert type(value) is int
    assert dimension.contains(value)
    for each in (value, dimension.low, dimension.high):
        assert dimension.from_unit(dimension.to_unit(each)) == each


@given(st.integers(1, 50), unit)
def test_a_category_survives_the_round_trip_exactly(count, unit):
    dimension = Categorical([f"c{index}" for index in range(count)])
    value = dimension.from_unit(unit)
    assert dimension.from_unit(dimension.to_unit(value)) == value


@pytest.mark.parametrize("dimension", [Int(-2, 7), Int(0, 90, step=10), Categorical(list("abcdefghij"))])
def test_cells_have_equal_width(dimension):
    drawn = [dimension.from_unit((index + 0.5) / 1000) for index in range(1000)]
    assert {drawn.count(value) for value in drawn} == {100}


def test_a_log_int_is_log_uniform_over_cells():
    dimension = Int(1, 100, log=True)
    drawn = [dimension.from_unit((index + 0.5) / 10**5) for index in range(10**5)]
    width = math.log(100.5 / 0.5)
    for value in (1, 2, 10, 100):
        assert drawn.count(value) / 10**5 == pytest.approx(math.log((value + 0.5) / (value - 0.5)) / width, rel=0.02)


def test_a_log_float_is_uniform_over_orders_of_magnitude():
    assert Float(1e-4, 1, log=True).from_unit(0.5) == pytest.approx(1e-2)
    assert Float(1e-4, 1, log=True).to_unit(1e-3) == pytest.approx(0.25)


def test_units_out_of_bounds_by_rounding_stay_inside():
    for dimension in (Float(0, 1), Float(0.1, 1, log=True), Int(0, 9), Int(1, 9, log=True), Categorical(["a", "b"])):
        assert dimension.contains(dimension.from_unit(-1e-9))
        assert dimension.contains(dimension.from_unit(1 + 1e-9))


@pytest.mark.parametrize("dimension", [Float(0.5, 2), Float(0.5, 2, log=True), Int(1, 4), Int(1, 4, log=True)])
def test_the_ends_belong_to_the_range_and_nothing_beyond_them(dimension):
    assert dimension.contains(dimension.low)
    assert dimension.contains(dimension.high)
    assert not dimension.contains(dimension.low - 1)
    assert not dimension.contains(dimension.high + 1)
