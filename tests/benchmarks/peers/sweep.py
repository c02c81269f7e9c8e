"""mlflow-sweep: what `mlflow sweep init` and `mlflow sweep run` do; each trial is a process that imports MLflow.

It reads its own artifacts as local files, so the experiment's artifacts lie in a folder of this machine.
"""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import mlflow
import yaml
from common import measure, options
from mlflow_sweep.commands import determine_sweep, init_command, run_command

TRIAL = Path(__file__).with_name("sweep_trial.py")
PARAMETERS = {name: {"distribution": "uniform", "min": 0.0, "max": 1.0} for name in ("x", "y")}


def study(name: str, trials: int, steps: int) -> None:
    """Run a sweep of so many trials."""
    folder = Path(options()["folder"])
    if mlflow.get_experiment_by_name("sweep") is None:
        mlflow.create_experiment("sweep", artifact_location=(folder / "sweep-artifacts").as_uri())
    config = {
        "command": f"{sys.executable} {TRIAL} ${{x}} ${{y}} {steps}", "experiment_name": "sweep", "sweep_name": name,
        "method": "random", "metric": {"name": "objective", "goal": "minimize"}, "parameters": PARAMETERS,
        "run_cap": trials,
    }  # fmt: skip
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    with contextlib.redirect_stdout(sys.stderr):
        init_command(path)
        mlflow.end_run()
        run_command(determine_sweep("").info.run_id)
        mlflow.end_run()


measure(study)
