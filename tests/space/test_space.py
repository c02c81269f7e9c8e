"""What the search space promises: its names, its JSON, its points and their identity."""

import json
import math
import pickle
import subprocess
import sys

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mlflow_tune.errors import InputError
from mlflow_tune.space import RESERVED_NAMES, Categorical, Float, Int, Ordinal, Space, whole_point
from mlflow_tune.text import value_text

SPACE = Space(
    {
        "lr": Float(1e-4, 1e-1, log=True, grid=4, default=1e-3, role="learning_rate"),
        "model/depth": Int(1, 9, step=2, grid=[1, 9]),
        "units": Int(16, 512, log=True),
        "act": Categorical(["relu", True, 1, 0.5, None, [64, 32], ["a"]], grid=["relu", [64, 32]], default="relu"),
        "size": Ordinal([16, 32, 64], default=32),
        "drop": Float(0, 0.5, step=0.1),
    }
)


def refused(build, key, *parts):
    with pytest.raises(InputError) as caught:
        build()
    assert caught.value.key == key
    for part in parts:
        assert part in caught.value.message


def test_a_space_is_a_mapping_in_the_given_order():
    assert list(SPACE) == ["lr", "model/depth", "units", "act", "size", "drop"]
    assert SPACE["units"] == Int(16, 512, log=True)
    assert len(SPACE) == 6
    assert not hasattr(SPACE, "__setitem__")
    assert pickle.loads(pickle.dumps(SPACE)) == SPACE
    assert "units" in repr(SPACE)


def test_a_space_keeps_its_dimensions_when_the_callers_mapping_changes():
    given = {"a": Int(0, 1)}
    space = Space(given)
    given["b"] = Int(0, 1)
    assert list(space) == ["a"]


def test_json_and_yaml_round_trip_exactly():
    form = SPACE.to_json()
    assert form["model/depth"] == {"type": "int", "low": 1, "high": 9, "step": 2, "grid": [1, 9]}
    for back in (form, json.loads(json.dumps(form)), yaml.safe_load(yaml.safe_dump(form, sort_keys=False))):
        space = Space.from_json(back)
        assert space == SPACE
        assert json.dumps(space.to_json()) == json.dumps(form)


def test_yaml_may_write_numbers_that_yaml_takes_for_text():
    space = Space.from_json(yaml.safe_load("lr: {type: float, low: 1e-4, high: 1e-1, log: true}"))
    assert space == Space({"lr": Float(1e-4, 1e-1, log=True)})


@pytest.mark.parametrize(
    ("form", "key", "parts"),
    [
        ({}, "", ["at least one parameter"]),
        (["lr"], "", ["mapping"]),
        ({"lr": 3}, "lr", ["mapping with a 'type'"]),
        ({"lr": {"low": 0, "high": 1}}, "lr", ["'type'"]),
        ({"lr": {"type": "flaot", "low": 0}}, "lr.type", ["'flaot'", "did you mean 'float'?"]),
        ({"lr": {"type": ["float"]}}, "lr.type", ["unknown type"]),
        ({"lr": {"type": "float", "low": 0, "hgih": 1}}, "lr.hgih", ["unknown key 'hgih'; did you mean 'high'?"]),
        (
            {"c": {"type": "categorical", "values": [1, 2], "step": 1}},
            "c.step",
            ["unknown key 'step'", "known: type, values"],
        ),
        ({"lr": {"type": "float", "low": 0}}, "lr.high", ["missing", "'float'"]),
        ({"c": {"type": "categorical"}}, "c.values", ["missing"]),
        ({"lr": {"type": "float", "low": 3, "high": 1}}, "lr.low", ["low <= high"]),
        ({"c": {"type": "ordinal"}}, "c.values", ["missing", "'ordinal'"]),
        ({"lr": {"type": "int", "low": 0, "high": 8, "grid": [0, 99]}}, "lr.grid.1", ["99"]),
        ({1: {"type": "int", "low": 0, "high": 8}}, "1", ["name", "got 1"]),
    ],
)
def test_from_json_names_the_culprit(form, key, parts):
    refused(lambda: Space.from_json(form), key, *parts)


def test_from_json_tells_the_faults_of_all_parameters():
    form = {
        "lr": {"type": "float", "low": 3, "high": 1},
        "trial": {"type": "int", "low": 0, "hgih": 2, "setp": 1},
        "fine": {"type": "int", "low": 0, "high": 8},
        "c": {"type": "categorical", "values": [{}, None, math.nan], "default": 3},
    }
    with pytest.raises(InputError) as caught:
        Space.from_json(form)
    keys = ["lr.low", "trial", "trial.hgih", "trial.setp", "c.values.0", "c.values.2"]
    assert [fault.key for fault in caught.value.faults] == keys


@pytest.mark.parametrize("name", ["lr", "a.b", "a-b_c d:e/f", "x" * 243, "trials", "log10_lr2"])
def test_names_that_mlflow_takes(name):
    assert list(Space({name: Int(0, 1), "lr2": Float(0, 1)})) == [name, "lr2"]


@pytest.mark.parametrize(
    "name", ["", "a,b", "a\n", "a=b", "x" * 244, "/a", "a/", "a//b", "..", "../a", ".", "./a", *RESERVED_NAMES]
)
def test_names_that_are_refused(name):
    refused(lambda: Space({name: Int(0, 1)}), name, "name")


def test_the_names_agree_with_mlflow():
    from mlflow.exceptions import MlflowException
    from mlflow.utils.validation import _validate_metric_name, _validate_param

    for name in ("a-b_c d:e/f", "x" * 243, "..a", "é"):
        try:
            Space({name: Int(0, 1)})
        except InputError:
            continue
        _validate_param(name, "1")
        _validate_metric_name(f"log10_{name}")
    for name in ("a,b", "a/", "../a", "."):
        with pytest.raises(MlflowException):
            _validate_param(name, "1")


def test_a_name_that_the_metric_of_a_log_parameter_has_is_refused():
    shared = Float(1e-4, 1, log=True)
    refused(lambda: Space({"log10_lr": shared, "lr": shared}), "log10_lr", "'lr'")
    assert Space({"lr": Float(0, 1), "log10_lr": Float(0, 1)})


def test_size_is_the_number_of_points_or_none():
    assert Space({"a": Int(1, 9, step=2), "b": Categorical(["x"])}).size == 5
    assert SPACE.size is None


def test_check_names_the_parameter_and_the_rule():
    point = {"lr": 0.01, "model/depth": 3, "units": 16, "act": True, "size": 32, "drop": 0.3}
    SPACE.check(point)
    refused(lambda: SPACE.check({**point, "lr": 1.0}), "lr", "0.0001 <= value <= 0.1", "1.0")
    refused(lambda: SPACE.check({**point, "model/depth": 2}), "model/depth", "1 + k*2")
    refused(lambda: SPACE.check({**point, "unit": 3}), "unit", "did you mean 'units'?")
    refused(lambda: SPACE.check({"lr": 0.01}), "model/depth", "missing")
    assert SPACE.contains(point)
    assert not SPACE.contains({})


def test_identity_is_equal_for_equal_points_only():
    space = Space({"a": Float(0, 1), "b": Int(0, 9), "c": Categorical([1, True])})
    point = {"a": 1.0, "b": 2, "c": 1}
    assert space.identity(point) == space.identity({"c": 1, "b": 2.0, "a": 1})
    assert space.identity({**point, "a": 0.0}) == space.identity({**point, "a": -0.0})
    assert space.identity(point) != space.identity({**point, "c": True})
    assert space.identities([point, point, {**point, "b": 99}, {}]) == {space.identity(point)}


@given(st.lists(st.floats(0, 1), min_size=6, max_size=6))
def test_a_point_survives_mlflow_and_the_unit_cube(units):
    point = SPACE.from_unit(units)
    SPACE.check(point)
    held = {name: value_text(value) for name, value in point.items()}
    assert SPACE.decode({**held, "epochs": "3"}) == point
    assert SPACE.identity(held) == SPACE.identity(point)
    back = SPACE.from_unit(SPACE.to_unit(point))
    assert back["lr"] == pytest.approx(point["lr"])
    assert {**back, "lr": 0} == {**point, "lr": 0}


def test_a_whole_point_has_python_s_own_values():
    space = Space({"x": Float(0, 1), "hidden": Categorical([[64], None])})
    found = whole_point(space, {"hidden": np.array([64, 32]), "x": np.float64(7)})
    assert repr(found) == "{'x': 7.0, 'hidden': [64, 32]}", "in the order of the space, and possibly outside it"
    assert whole_point(space, {"x": 0.5, "hidden": None}) == {"x": 0.5, "hidden": None}
    refused(lambda: whole_point(space, {"x": 0.5}), "hidden", "missing")
    refused(lambda: whole_point(space, {"x": None, "hidden": None}), "x", "must be a number, but got nothing")
    refused(lambda: whole_point(space, {"x": [1], "hidden": None}), "x", "must be a number")
    refused(lambda: whole_point(space, {"x": 1, "hidden": [[1]]}), "hidden.0", "in a list")


def test_decode_names_the_parameter():
    refused(lambda: SPACE.decode({}), "lr", "missing")
    refused(lambda: SPACE.decode({"lr": "red"}), "lr", "'red'")


def test_importing_the_space_and_the_strategies_loads_nothing_heavy():
    code = "import sys, mlflow_tune.space, mlflow_tune.strategies; print(sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not any(f"'{name}'" in loaded for name in ("numpy", "pydantic", "mlflow", "skopt", "matplotlib"))
