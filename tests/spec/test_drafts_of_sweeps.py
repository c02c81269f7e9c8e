"""What becomes of a sweep file of W&B; what does not carry over is listed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft import Draft
from mlflow_tune.spec.draft.sweeps import is_sweep, sweep_draft
from mlflow_tune.spec.study_file import parse_study
from mlflow_tune.text.yaml import load_yaml

METRIC = {"name": "val_loss", "goal": "minimize"}
SWEEP = """
program: train.py
name: my sweep
project: digits
method: bayes
metric: {name: val_acc, goal: maximize, target: 0.98}
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1e-5, max: 0.1}
  batch_size: {values: [16, 32, 64]}
  optimizer: {values: [adam, sgd], probabilities: [0.9, 0.1]}
  epochs: {value: 10}
  dropout: {min: 0.0, max: 0.5}
  layers: {min: 1, max: 4}
early_terminate: {type: hyperband, min_iter: 3}
description: a sweep
run_cap: 30
command: ["${env}", "${interpreter}", "-u", "${program}", "${args}"]
"""


def converted(form: dict[str, Any]) -> tuple[Draft, dict[str, Any]]:
    """Return the draft for a sweep, and its study file as plain data: it is a valid one."""
    found = sweep_draft(form, Path("sweep.yaml"), Path.cwd())
    study = load_yaml(found.text)
    parse_study(study)
    return found, study


def one(parameter: dict[str, Any], **more: Any) -> tuple[Draft, dict[str, Any]]:
    form = {
        "method": "random",
        "program": "t.py",
        "metric": METRIC,
        "parameters": {"x": parameter, "y": {"min": 0.0, "max": 1.0}},
    }
    return converted({**form, **more})


def refusal(form: dict[str, Any]) -> str:
    with pytest.raises(InputError) as raised:
        sweep_draft(form, Path("sweep.yaml"), Path.cwd())
    return str(raised.value)


def test_a_whole_sweep():
    found, study = converted(yaml.safe_load(SWEEP.replace("1e-5", "0.00001")))
    assert study == {
        "name": "my sweep",
        "experiment": "digits",
        "run": {
            "command": [
                "python",
                "-u",
                "train.py",
                "--learning_rate={learning_rate}",
                "--batch_size={batch_size}",
                "--optimizer={optimizer}",
                "--epochs={epochs}",
                "--dropout={dropout}",
                "--layers={layers}",
            ],
            "parameters": {"epochs": 10},
        },
        "metric": "val_acc",
        "goal": "maximize",
        "value": "last",
        "space": {
            "learning_rate": {"type": "float", "low": 1e-5, "high": 0.1, "log": True, "role": "learning_rate"},
            "batch_size": {"type": "ordinal", "values": [16, 32, 64], "role": "batch_size"},
            "optimizer": {"type": "categorical", "values": ["adam", "sgd"]},
            "dropout": {"type": "float", "low": 0.0, "high": 0.5, "role": "regularization"},
            "layers": {"type": "int", "low": 1, "high": 4, "role": "capacity"},
        },
        "strategy": {"name": "bayesian", "initial": 5, "seed": 0},
        "stop": {"trials": 30, "target": 0.98},
        "workers": 1,
    }
    assert found.notes == [
        "Not carried over: early_terminate: every trial runs to its end",
        "Not carried over: description",
        "Not carried over: optimizer: probabilities: each value is as likely as the others",
    ]
    for note in found.notes:
        assert f"# {note}" in found.text.splitlines()
    assert (found.searched, found.fixed) == ([*study["space"]], ["epochs"])


def of(distribution: str, low: float, high: float, **more: float) -> dict[str, Any]:
    """Return a range as a sweep has it."""
    return {"distribution": distribution, "min": low, "max": high, **more}


def real(low: float, high: float, **more: Any) -> dict[str, Any]:
    return {"type": "float", "low": low, "high": high, **more}


def whole(low: int, high: int, **more: Any) -> dict[str, Any]:
    return {"type": "int", "low": low, "high": high, **more}


DISTRIBUTIONS = [
    ({"min": 1, "max": 9}, whole(1, 9)),
    ({"min": 0.5, "max": 9}, real(0.5, 9.0)),
    (of("int_uniform", 1, 9), whole(1, 9)),
    (of("uniform", 1, 9), real(1.0, 9.0)),
    (of("q_uniform", 8, 64, q=8), whole(8, 64, step=8)),
    (of("q_uniform", 0, 5), whole(0, 5)),
    (of("q_uniform", 0, 1, q=0.25), real(0.0, 1.0, step=0.25)),
    (of("log_uniform", -1, 0), real(0.367879, 1.0, log=True)),
    (of("log_uniform_values", 1, 9), real(1.0, 9.0, log=True)),
    (of("inv_log_uniform", 0, 1), real(0.367879, 1.0, log=True)),
    (of("inv_log_uniform_values", 1, 9), real(1.0, 9.0, log=True)),
    (of("q_log_uniform_values", 8, 256), whole(8, 256, log=True)),
    ({"values": ["a", "b"]}, {"type": "categorical", "values": ["a", "b"]}),
    ({"values": [True, False]}, {"type": "categorical", "values": [True, False]}),
    ({"values": [None, 0.5]}, {"type": "categorical", "values": ["None", 0.5]}),
    ({"values": [3, 1]}, {"type": "categorical", "values": [3, 1]}),
    ({"values": [1, 3, 3]}, {"type": "ordinal", "values": [1, 3]}),
]
APPROXIMATE = [
    ({"distribution": "normal", "mu": 1, "sigma": 0.5}, real(0.0, 2.0), "has no ends"),
    ({"distribution": "log_normal", "mu": 0, "sigma": 0.5}, real(0.367879, 2.71828, log=True), "has no ends"),
    ({"distribution": "q_normal"}, real(-2.0, 2.0), "has no ends"),
    ({"distribution": "beta", "a": 2, "b": 3}, real(0.0, 1.0), "beta"),
    (of("q_log_uniform_values", 8, 256, q=8), real(8.0, 256.0, log=True), "multiples of 8"),
]


@pytest.mark.parametrize(("given", "form"), DISTRIBUTIONS)
def test_distributions_that_carry_over(given, form):
    found, study = one(given)
    assert study["space"]["x"] == form
    assert found.notes == []


@pytest.mark.parametrize(("given", "form", "told"), APPROXIMATE)
def test_distributions_that_carry_over_in_part(given, form, told):
    found, study = one(given)
    assert study["space"]["x"] == form
    [note] = found.notes
    assert note.startswith("Not carried over: x: ")
    assert told in note


@pytest.mark.parametrize(
    ("given", "value"),
    [({"value": "a"}, "a"), ({"values": [3]}, 3), ({"min": 2, "max": 2}, 2), ({"value": None}, "None")],
)
def test_one_value_is_fixed(given, value):
    _, study = one(given)
    assert study["run"]["parameters"] == {"x": value}
    assert list(study["space"]) == ["y"]


COMMANDS = [
    (None, ["python", "t.py", "--x={x}", "--y={y}"]),
    (["python3", "${program}", "run", "${args_no_hyphens}"], ["python3", "t.py", "run", "x={x}", "y={y}"]),
    (["${program}", "${args_no_boolean_flags}"], ["t.py", ["--x", "{x}"], "--y={y}"]),
    (["${interpreter}", "${program}", "${args_json}"], ["python", "t.py", '{"x": {x}, "y": {y}}']),
    (["${interpreter}", "${program}", "--x={x}", "{y}"], ["python", "t.py", "--x={x}", "{y}"]),
]


@pytest.mark.parametrize(("command", "expected"), COMMANDS)
def test_commands(command, expected):
    found, study = one({"values": [True, False]}, **({} if command is None else {"command": command}))
    assert study["run"]["command"] == expected
    assert found.notes == []


def test_commands_that_carry_over_in_part():
    found, study = one({"values": ["a", "b"]}, command=["${interpreter}", "${program}", "--key=${envvar:KEY}"])
    assert study["run"]["command"] == ["python", "t.py", "--x={x}", "--y={y}"]
    assert [note.partition(": ")[2][:30] for note in found.notes] == [
        "command: ${envvar:KEY} has no ",
        "the command has no ${args}, so",
    ]


def test_nested_parameters_bear_their_path():
    _, study = one({"parameters": {"lr": {"min": 0.1, "max": 0.2}, "kind": {"value": "sgd"}}})
    assert list(study["space"]) == ["x.lr", "y"]
    assert study["run"]["parameters"] == {"x.kind": "sgd"}
    assert "--x.lr={x.lr}" in study["run"]["command"]


def test_a_grid_tries_every_value_and_ends_by_itself():
    found, study = one(
        {"min": 2, "max": 5},
        method="grid",
        parameters={
            "x": {"min": 2, "max": 5},
            "y": of("q_uniform", 0, 1, q=0.5),
            "z": {"values": ["a", "b"]},
        },
    )
    spec = parse_study(study)
    assert [dimension.grid_values() for dimension in spec.space.values()] == [(2, 3, 4, 5), (0.0, 0.5, 1.0), ("a", "b")]
    assert "stop" not in study
    assert spec.strategy.length(spec.space) == 24
    assert found.notes == []


def test_a_program_that_logs_to_wandb_alone_is_told_of():
    Path("t.py").write_text("import wandb\nwandb.log({'val_loss': 1})\n")
    found, _ = one({"values": ["a", "b"]})
    assert found.notes == [
        "t.py logs to W&B alone: let it log val_loss by mlflow.log_metric, which is where a study reads it"
    ]
    Path("t.py").write_text("import wandb, mlflow\n")
    assert one({"values": ["a", "b"]})[0].notes == []


def test_hostile_text_stays_a_comment():
    found, study = one({"values": ["a\nspace: 1", "b"]}, **{"evil\nmetric: other": 1})
    assert study["metric"] == "val_loss"
    assert study["space"]["x"]["values"] == ["a\nspace: 1", "b"]
    assert "# Not carried over: evil\\nmetric: other" in found.text


SOUND: dict[str, Any] = {"method": "grid", "program": "t.py", "metric": METRIC, "parameters": {"x": {"values": [1, 2]}}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"method": "hyperband"}, "method: must be grid, random or bayes, but got 'hyperband'"),
        ({"metric": {}}, "metric: the sweep names no metric"),
        ({"metric": "loss"}, "metric: must be a mapping with name and goal, but got 'loss'"),
        ({"metric": {**METRIC, "goal": "up"}}, "metric.goal: must be minimize or maximize, but got 'up'"),
        ({"program": None}, "program: the sweep names no program"),
        ({"command": "python t.py"}, "command: must be a list of words, but got 'python t.py'"),
        ({"parameters": []}, "parameters: must be a mapping of names to values or ranges, but got []"),
        ({"parameters": {"x": {"value": 1}}}, "parameters: none has more than one value"),
        ({"parameters": {"x": 1}}, "parameters.x: must be a mapping such as {min: 0, max: 1}, but got 1"),
        ({"parameters": {"x": {"min": 1}}}, "parameters.x: needs a distribution, value, values, or min and max"),
        (
            {"parameters": {"x": {"distribution": "unifrom"}}},
            "parameters.x.distribution: unknown distribution 'unifrom'",
        ),
        ({"parameters": {"x": {"min": 2.0, "max": 1.0}}}, "parameters.x.low: low "),
        ({"parameters": {"x": {"min": "a", "max": 1.0}}}, "parameters.x.min: must be a finite number, but got 'a'"),
        ({"parameters": {"x": {"min": 1.0, "max": 2.0}}}, "parameters.x: a grid needs values that can be counted"),
        ({"parameters": {"x": {"min": 1, "max": 20000}}}, "parameters.x: a grid of 20000 values of one parameter"),
    ],
)
def test_what_is_refused(changes, said):
    form = {key: value for key, value in {**SOUND, **changes}.items() if value is not None}
    assert refusal(form).startswith(said)


def test_what_a_sweep_is():
    assert is_sweep(SOUND)
    assert not is_sweep({"parameters": {}})
    assert not is_sweep({"name": "a", "space": {}})
    assert not is_sweep([1])
