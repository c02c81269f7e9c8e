"""What the dimensions of a search space promise: the rules, the messages, and the encodings."""

import json
import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_tune.errors import InputError
from mlflow_tune.space import Categorical, Float, Int, Ordinal, Space
from mlflow_tune.text import as_integer, as_number, is_same, nearest, value_text


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
        (lambda: Float(3.0, 1.0), "low", ["low <= high must hold, but got low=3.0, high=1.0"]),
        (lambda: Int(3, 2), "low", ["low <= high"]),
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
        (lambda: Float(0, 1, step=0), "step", ["step > 0", "step=0.0"]),
        (lambda: Float(0, 1, step="x"), "step", ["finite number"]),
        (lambda: Float(0, 1, step=1e-15), "step", ["step >= 1e-12", "step=1e-15"]),
        (lambda: Float(1e17, 2e17, step=1), "step", ["step >= "]),
        (lambda: Float(0.1, 1, log=True, step=0.1), "step", ["exclude one another", "step=0.1"]),
        (lambda: Float(0, 1, step=0.3), "high", ["low + k*step", "high=1.0, step=0.3", "0.9 or 1.2"]),
        (lambda: Float(0, 1, step=4), "high", ["nearest: 4.0"]),
        (lambda: Float(0, 1, step=0.25, grid=[0, 0.3]), "grid.1", ["0.0 + k*0.25", "0.3"]),
        (lambda: Float(0, 1, step=0.25, default=0.2), "default", ["0.0 + k*0.25"]),
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
        (lambda: Categorical([math.nan]), "values.0", ["nan"]),
        (lambda: Categorical([{}]), "values.0", ["a text, a finite number, a boolean, null or a list of such", "{}"]),
        (lambda: Categorical([[1, [2]]]), "values.0.1", ["in a list", "[2]"]),
        (lambda: Categorical([[1, None]]), "values.0.1", ["nothing"]),
        (lambda: Categorical([[1, 2], "[1, 2]"]), "values.1", ["distinct", "'[1, 2]'"]),
        (lambda: Categorical([None, "null"]), "values.1", ["distinct", "'null'"]),
        (lambda: Categorical([np.nan, 1]), "values.0", ["nan"]),
        (lambda: Ordinal([1, 3, 2]), "values", ["must ascend or descend", "[1, 3, 2]"]),
        (lambda: Ordinal([1, 1.0]), "values", ["must ascend or descend"]),
        (lambda: Ordinal([16, 32], role="size"), "role", ["unknown role 'size'"]),
        (lambda: Categorical(["x" * 6001]), "values.0", ["6000"]),
        (lambda: Categorical(["a", "b"], grid=["c"]), "grid.0", ["'a', 'b'", "'c'"]),
        (lambda: Categorical(["a", "b"], grid=2), "grid", ["list"]),
        (lambda: Categorical(["a", "b"], default="c"), "default", ["'c'"]),
    ],
)
def test_a_broken_rule_is_stated_with_its_values_and_its_key(build, key, parts):
    refused(build, key, *parts)


def test_all_faults_of_a_dimension_are_told_at_once():
    with pytest.raises(InputError) as caught:
        Float("x", math.inf, log=2, role="speed", step="y")
    assert [fault.key for fault in caught.value.faults] == ["low", "high", "step", "log", "role"]
    assert len(str(caught.value).splitlines()) == 5
    under = caught.value.under("space.lr")
    assert (under.key, under.faults[-1].key) == ("space.lr.low", "space.lr.role")
    with pytest.raises(InputError) as caught:
        Categorical([1, 2, {}, "2", math.nan], role="speed")
    assert [fault.key for fault in caught.value.faults] == ["values.2", "values.4", "role"]
    with pytest.raises(InputError) as caught:
        Int(1, 9, grid=[1, 10, 0], default=12)
    assert [fault.key for fault in caught.value.faults] == ["grid.1", "grid.2", "default"]


def test_numbers_written_as_text_are_numbers():
    assert Float("1e-4", "1e-1", grid=["1e-3"], default="0.01") == Float(1e-4, 1e-1, grid=[1e-3], default=0.01)
    assert Int("16", "1e3", grid="3") == Int(16, 1000, grid=3)
    assert Int(16.0, 64.0, step="16").size == 4


def test_dimensions_are_frozen_hashable_and_picklable():
    for each in (Float(0, 1, grid=[0, 1]), Int(1, 3), Categorical(["a", [1]], default=[1]), Ordinal([1, 2])):
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
    assert all(Float(0, 1, step=0.1).contains(value) for value in (0, 0.3, 0.1 + 0.2, 1))
    assert not any(Float(0, 1, step=0.1).contains(value) for value in (0.35, 1.1, -0.1, "0.3"))
    assert all(Categorical([None, [1, 2]]).contains(value) for value in (None, [1, 2], (1, 2), np.array([1, 2])))
    assert not any(Categorical([None, [1, 2]]).contains(value) for value in ("null", [1.0, 2], [True, 2], [1], 0))


ALIKE = [1, True, 1.0, 0, False, 0.0, None, [1], [True], [1.0], [], "", "one"]


@pytest.mark.parametrize("kind", [Categorical, Ordinal])
def test_what_is_equal_to_python_is_told_apart_by_type_and_value(kind):
    dimension = kind(ALIKE)
    units = [dimension.to_unit(value) for value in ALIKE]
    assert units == [(index + 0.5) / len(ALIKE) for index in range(len(ALIKE))]
    assert [repr(dimension.from_unit(unit)) for unit in units] == [*map(repr, ALIKE)]
    assert [dimension.index(value) for value in ALIKE] == [*range(len(ALIKE))]
    assert kind([1, True]) != kind([True, 1])
    assert kind([1]) != kind([True])
    assert len({kind([1]), kind([True]), kind([1.0]), kind([1])}) == 3
    assert Categorical([1]) != Ordinal([1])
    assert repr(kind(ALIKE, grid=[True, 1.0]).grid) == "(True, 1.0)"
    assert repr(kind(ALIKE, default=False).default) == "False"


def test_numpy_scalars_and_arrays_are_python_s_own():
    assert Float(np.float32(0), np.array(1.0), grid=np.linspace(0, 1, 3), default=np.float64(0.5)) == Float(
        0, 1, grid=[0, 0.5, 1], default=0.5
    )
    assert Int(np.int8(1), np.uint16(9), log=np.bool_(True), grid=np.int64(3)) == Int(1, 9, log=True, grid=3)
    assert Float(0, 1, step=np.float64(0.25)).size == 5
    for values in (np.array([16, 32]), [np.int64(16), np.int32(32)], range(16, 33, 16)):
        assert Categorical(values) == Categorical([16, 32])
        assert [type(value) for value in Ordinal(values).values] == [int, int]
    mixed = Categorical([np.float64(0.5), np.bool_(True), np.str_("a"), np.array([1, 2]), [np.int64(3)], (4, 5)])
    assert repr(mixed.values) == "(0.5, True, 'a', [1, 2], [3], [4, 5])"
    assert mixed.to_unit(np.bool_(True)) == mixed.to_unit(True)
    assert mixed.decode(np.array([1, 2])) == [1, 2]
    assert Float(0, 1).contains(np.float32(0.5))
    assert not Float(0, 1).contains(np.array([0.5]))


def test_a_list_that_code_gets_is_its_own_to_change():
    dimension = Categorical([[1, 2]], default=[1, 2])
    for value in (dimension.from_unit(0.5), dimension.decode("[1, 2]"), dimension.grid_values()[0]):
        value.append(3)
    assert dimension == Categorical([[1, 2]], default=[1, 2])
    assert dimension.contains([1, 2])


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        (None, ["null", "None"]),
        (True, ["True", "true"]),
        ([64, 32], ["[64, 32]", "[64,32]", "(64, 32)"]),
        (["a", "b"], ['["a", "b"]', '["a","b"]', "['a', 'b']"]),
        ([True], ["[true]", "[True]"]),
        ([], ["[]", "()"]),
    ],
)
def test_a_value_is_read_however_people_and_programs_spell_it(value, texts):
    dimension = Categorical([value, "other"])
    assert [dimension.decode(text) for text in texts] == [value] * len(texts)


def test_a_text_means_first_the_value_that_it_is():
    dimension = Categorical([True, "true", None, "None"])
    assert [dimension.decode(text) for text in ("True", "true", "null", "None")] == [True, "true", None, "None"]


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
        (Float(0, 1, step=0.1, grid=3), (0.0, 0.5, 1.0)),
        (Float(0, 0.3, step=0.1, grid=9), (0.0, 0.1, 0.2, 0.3)),
        (Float(2, 2, grid=5), (2.0,)),
        (Ordinal([1, 2]), (1, 2)),
        (Ordinal([1, 2, 4], grid=[4, 1]), (4, 1)),
        (Categorical([None, [1]]), (None, [1])),
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
    return Int(low, low + step * draw(st.integers(0, 10**7)), step=step)


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


@pytest.mark.slow
@given(float_ranges())
def test_the_ends_of_a_float_are_the_ends_of_the_unit_interval(dimension):
    for value, unit in ((dimension.low, 0.0), (dimension.high, 1.0)):
        assert dimension.to_unit(value) == unit or dimension.to_unit(value) == 0.5  # logarithms may coincide
        assert dimension.from_unit(unit) == value


@pytest.mark.parametrize("low", [0.001, 0.01, 0.3, 1e-5, 7e-3])
def test_the_ends_of_a_log_scale_are_the_numbers_that_were_written(low):
    dimension = Float(low, 1000 * low, log=True)
    for unit in (0.0, dimension.to_unit(low), 1e-17):
        assert dimension.from_unit(unit) == low
    for unit in (1.0, dimension.to_unit(1000 * low), 1 - 1e-17):
        assert dimension.from_unit(unit) == 1000 * low


@st.composite
def stepped_ranges(draw):
    """Return a lattice whose numbers a person would write, in decimals."""
    places = draw(st.integers(0, 6))
    low, step = draw(st.integers(-(10**6), 10**6)), draw(st.integers(1, 10**4))
    count = draw(st.integers(0, 10**4))
    return Float(
        *(float(f"{number}e-{places}") for number in (low, low + step * count)), step=float(f"{step}e-{places}")
    )


@given(stepped_ranges(), unit)
def test_a_stepped_float_survives_the_round_trip_exactly(dimension, unit):
    value = dimension.from_unit(unit)
    assert type(value) is float
    assert len(repr(abs(value))) <= 16, "a number that a person would write"
    for each in (value, dimension.low, dimension.high):
        assert dimension.contains(each)
        assert dimension.from_unit(dimension.to_unit(each)) == dimension.decode(repr(each)) == each


def test_a_stepped_float_has_its_values():
    assert Float(0, 1, step=0.25).every_value() == [0, 0.25, 0.5, 0.75, 1]
    assert Float(0, 1, step=0.1).every_value() == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]
    assert Float(0, 1, step=1 / 3).every_value() == [0, 1 / 3, 0.6666666666666666, 1]
    assert Float(-0.3, 0.3, step=0.3).every_value() == [-0.3, 0, 0.3]
    assert Float(0, 1).every_value() is None


@pytest.mark.parametrize(
    "dimension", [Float(3, 3), Float(3, 3, log=True), Float(3, 3, step=1), Int(3, 3), Ordinal([3])]
)
def test_a_range_of_one_value_is_a_fixed_parameter(dimension):
    assert (dimension.size, dimension.to_unit(3)) == (1, 0.5)
    assert {dimension.from_unit(unit) for unit in (0.0, 0.3, 1.0)} == {3}
    assert dimension.every_value() == [3]
    assert dimension.contains(3)
    assert not dimension.contains(4)


@given(int_ranges(), unit)
def test_an_int_survives_the_round_trip_exactly(dimension, unit):
    value = dimension.from_unit(unit)
    assert type(value) is int
    assert dimension.contains(value)
    for each in (value, dimension.low, dimension.high):
        assert dimension.from_unit(dimension.to_unit(each)) == each


scalars = st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9)
listed = st.lists(st.none() | scalars | st.lists(scalars, max_size=3), min_size=1, max_size=20, unique_by=value_text)


@pytest.mark.slow
@given(listed, unit)
def test_a_listed_value_survives_the_round_trips_exactly(values, unit):
    dimension = Categorical(values)
    value = dimension.from_unit(unit)
    dimension.check(value)
    for back in (dimension.from_unit(dimension.to_unit(value)), dimension.decode(value_text(value))):
        assert is_same(back, value)
    assert [dimension.index(value) for value in dimension.values] == [*range(len(values))]
    again = Space.from_json(json.loads(json.dumps({"x": dimension.to_json()})))["x"]
    assert again == dimension
    assert hash(again) == hash(dimension)


@given(st.lists(st.integers() | st.floats(-1e9, 1e9), min_size=1, max_size=20, unique=True), st.booleans(), unit)
def test_an_ordinal_survives_the_round_trip_in_its_order(numbers, descending, unit):
    dimension = Ordinal(sorted(numbers, reverse=descending))
    value = dimension.from_unit(unit)
    assert is_same(dimension.from_unit(dimension.to_unit(value)), value)
    units = [dimension.to_unit(value) for value in dimension.values]
    assert units == sorted(units)
    assert dimension.numbers == list(dimension.values)


@pytest.mark.parametrize(
    "dimension",
    [
        Int(-2, 7),
        Int(0, 90, step=10),
        Float(0, 0.9, step=0.1),
        Categorical(list("abcdefghij")),
        Ordinal(list("abcdefghij")),
    ],
)
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
