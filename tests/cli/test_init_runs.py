"""What `init` drafts runs as it stands: each source is drafted and then run for real, and the values arrive."""

from __future__ import annotations

import json
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner

from mlflow_tune.cli import main
from tests.fixtures.drafted import DRAFTED
from tests.support.required import required

Point = Mapping[str, Any]


@dataclass(frozen=True)
class Source:
    """What is drafted: what is searched then, and which loss the code logs at a point."""

    word: str
    searched: list[str]
    loss: Callable[[Point], float]
    package: str = ""
    trials: int = 2


SOURCES = [
    Source(
        ".",
        ["rate", "trees", "momentum", "eta"],
        lambda point: point["rate"] + point["trees"] + point["momentum"] + point["eta"],
    ),
    Source(
        "with_argparse.py",
        ["shift", "learning_rate", "dropout", "hidden", "batch_size", "optimizer"],
        lambda point: (
            point["shift"]
            + point["learning_rate"]
            + point["dropout"]
            + sum(point["hidden"])
            + {"sgd": 1000, "adam": 2000}[point["optimizer"]]
        ),
    ),
    Source(
        "with_click.py",
        ["lr", "drop_rate", "depth", "no_bias", "activation"],
        lambda point: (
            point["lr"]
            + point["drop_rate"]
            + point["depth"]
            + 100 * point["no_bias"]
            + 1000 * (point["activation"] == "tanh")
        ),
    ),
    Source(
        "with_typer.py",
        ["power", "lr", "batch_size", "optimizer", "nesterov", "no_bias"],
        lambda point: (
            point["power"]
            + point["lr"]
            + point["batch_size"]
            + 1000 * (point["optimizer"] == "SGD")
            + 10_000 * point["nesterov"]
            + 100_000 * point["no_bias"]
        ),
        "typer",
    ),
    Source(
        "with_hydra.py",
        ["model.units", "model.dropout", "model.bias", "optimizer.lr"],
        lambda point: (
            point["model.units"] + point["model.dropout"] + point["optimizer.lr"] + 1000 * (not point["model.bias"])
        ),
        "hydra",
    ),
    Source("with_experiment.py", ["lr"], lambda point: point["lr"], trials=1),
    Source(
        "sweep.yaml",
        ["lr", "batch_size", "optimizer", "amp"],
        lambda point: point["lr"] + point["batch_size"] + 10 + 1000 * (point["optimizer"] == "sgd"),
    ),
]


IMPORTS_MLFLOW = ("with_experiment.py",)


@pytest.mark.parametrize(
    "source",
    [
        pytest.param(each, id=each.word, marks=pytest.mark.long if each.word in IMPORTS_MLFLOW else pytest.mark.slow)
        for each in SOURCES
    ],
)
def test_what_init_writes_runs_as_it_stands(server, tmp_path, source):
    if source.package:
        required(source.package, "integrations")
    for path in DRAFTED.iterdir():
        (shutil.copytree if path.is_dir() else shutil.copy)(path, tmp_path / path.name)
    drafted = CliRunner().invoke(
        main, ["init", source.word, "--tracking-uri", server, "--experiment", f"draft {source.word}"]
    )
    assert drafted.exit_code == 0, drafted.output
    command = drafted.stdout.splitlines()[-1]
    run = CliRunner().invoke(main, [*shlex.split(command)[1:], "--trials", str(source.trials), "--json"])
    assert run.exit_code == 0, run.output
    trials = json.loads(run.stdout)["trials"]
    assert [trial["outcome"] for trial in trials] == ["ok"] * source.trials
    for trial in trials:
        assert list(trial["params"]) == source.searched
        assert trial["value"] == pytest.approx(source.loss(trial["params"]), rel=1e-12)
