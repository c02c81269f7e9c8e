"""Scripts of `examples/` in the manner of their libraries' documents, drafted by `init`, each a finished study.

Each script prints the metric that it has reached: so the trial's output tells which value belongs in the trial's run.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.entities import Run

from mlflow_tune.cli import main
from tests.fixtures import ROOT
from tests.support.required import required

SCRIPTS = ROOT / "examples"


@dataclass(frozen=True)
class Script:
    """A script, what its draft searches, and what the runs of its trials hold besides.

    `params` are given as they stand in MLflow, or by the name of the searched parameter whose text they have.
    `followed` is the experiment of the runs that the script opens, where those are not the trials' own.
    """

    path: str
    needs: Sequence[str]
    metric: str
    searched: Sequence[str]
    params: Mapping[str, str] = field(default_factory=dict)
    experiment: str | None = None
    followed: str | None = None
    trials: int = 2


SCRIPTS_OF = [
    Script(
        "sklearn_search/grid_in_a_trial.py", ["sklearn"], "best_cv_score", ["min_samples_leaf"], {"cv": "3"}, trials=1
    ),
    Script(
        "lightgbm_autolog/train.py",
        ["lightgbm"],
        "val-multi_logloss",
        ["learning_rate", "colsample_bytree", "subsample"],
        {"num_class": "3"},
        trials=1,
    ),
    Script(
        "hydra_app/train.py",
        ["hydra"],
        "val_loss",
        ["model.units", "model.dropout", "optimizer.lr", "optimizer.nesterov"],
        {"folder": "outputs"},
    ),
    Script(
        "pytorch_loop/train.py",
        ["torch"],
        "loss",
        ["hidden", "lr", "bias", "nesterov"],
        {"sizes": "hidden", "with_bias": "bias", "with_nesterov": "nesterov"},
        experiment="torch-loop",
    ),
    Script(
        "lightning_trainer/train.py",
        ["torch", "pytorch_lightning"],
        "val/loss",
        ["lr", "hidden"],
        followed="lightning_logs",
    ),
    Script(
        "lightning_trainer/with_cli.py",
        ["torch", "pytorch_lightning", "jsonargparse"],
        "val_loss",
        ["model.lr", "model.bias", "data.batch_size"],
        {"note": "none"},
        trials=1,
    ),
]


@dataclass(frozen=True)
class Finished:
    """A study that ran: its trials in MLflow by number, and what each of them printed last."""

    study: dict[str, Any]
    client: MlflowClient
    trials: list[Run] = field(default_factory=list)

    def printed(self, run: Run) -> float:
        """Return the metric that the script has printed."""
        path = self.client.download_artifacts(run.info.run_id, "output.log")
        return float(re.findall(r"^result (\S+)$", Path(path).read_text(), re.MULTILINE)[-1])


def tune(script: Script, uri: str, folder: Path) -> Finished:
    """Draft a study of the script by `init`, run it, and return what MLflow holds."""
    shutil.copytree(SCRIPTS / Path(script.path).parts[0], folder / Path(script.path).parts[0])
    more = [] if script.experiment else ["--experiment", f"of {script.path}"]
    drafted = CliRunner().invoke(main, ["init", script.path, "--tracking-uri", uri, *more, "--json"])
    assert drafted.exit_code == 0, drafted.output
    found = json.loads(drafted.stdout)
    assert (found["metric"], found["searched"], found["missing"]) == (script.metric, list(script.searched), [])
    budget = ["--trials", str(script.trials)]
    run = CliRunner().invoke(main, ["run", "study.yaml", "--tracking-uri", uri, *budget, "--json"])
    assert run.exit_code == 0, run.output
    study = json.loads(run.stdout)
    client = MlflowClient(uri)
    return Finished(study, client, [client.get_run(trial["run_id"]) for trial in study["trials"]])


@pytest.mark.long
@pytest.mark.parametrize("script", SCRIPTS_OF, ids=lambda script: script.path)
def test_the_right_value_is_in_the_right_run(server, tmp_path, script):
    for package in script.needs:
        required(package, "torch" if package == "torch" else "integrations")
    found = tune(script, server, tmp_path)
    assert [trial["outcome"] for trial in found.study["trials"]] == ["ok"] * script.trials
    experiment = found.client.get_experiment(found.study["experiment_id"])
    assert experiment.name == (script.experiment or f"of {script.path}")
    for trial, run in zip(found.study["trials"], found.trials, strict=True):
        assert run.data.metrics["objective"] == run.data.metrics[script.metric] == trial["value"]
        assert found.printed(run) == pytest.approx(trial["value"], rel=1e-5)
        assert (run.data.tags["mlflow.parentRunId"], run.info.status) == (found.study["run_id"], "FINISHED")
        assert set(script.searched) <= set(run.data.params)
        for name, text in script.params.items():
            assert run.data.params[name] == run.data.params.get(text, text)
        assert ("tune.followed" in run.data.tags) == (script.followed is not None)
        if script.followed:
            opened = found.client.get_run(run.data.tags["tune.followed"])
            assert found.client.get_experiment(opened.info.experiment_id).name == script.followed
            assert opened.data.metrics[script.metric] == trial["value"]
            assert opened.data.tags["mlflow.parentRunId"] == run.info.run_id
