"""The commands that train by hand what a trial trained."""

from __future__ import annotations

import shlex

from mlflow_tune.launchers.by_hand import command_by_hand, function_by_hand, project_by_hand


def test_values_stand_where_a_trial_has_them():
    command = ["python", "train.py", "--lr={lr}", ["--amp", "{amp}"], "--name={ name }"]
    assert command_by_hand(command, {"lr": 0.1, "amp": None}) == "python train.py --lr=0.1 '--name={ name }'"
    assert shlex.split(project_by_hand("a b", "train", "v1", {"x": True, "y": "it's"})) == [
        *("mlflow", "run", "a b", "-e", "train", "--version", "v1", "-P", "x=True", "-P", "y=it's"),
    ]
    assert project_by_hand(".", "main", None, {}) == "mlflow run ."
    words = shlex.split(function_by_hand("math:fabs", {"x": -1, "of": [None, "a"]}))
    assert words == ["python", "-c", "import math; print(math.fabs(x=-1, of=[None, 'a']))"]
    words = shlex.split(function_by_hand("math:fabs", {"not a name": 1}))
    assert words[2] == "import math; print(math.fabs(**{'not a name': 1}))"
