"""The command that goes on with a study: resume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from mlflow_tune.cli.common import Answer, Common, common_options, example
from mlflow_tune.cli.session import dask_option, drive, gpus_option
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.cli.trust import ask_before_running, folder_option, yes_option
from mlflow_tune.study.training_on import asked_on
from mlflow_tune.text.yaml import load_yaml


@click.command(epilog=example("mlflow-tune resume my-study", "mlflow-tune resume my-study --trials +20"))
@study_argument()
@click.option("--trials", metavar="N|+N", help="The new budget of trials, or how many more.")
@click.option("--strategy", metavar="NAME|{...}", help="Continue with another strategy; it knows all earlier trials.")
@click.option("--workers", type=click.IntRange(1), help="How many trials run at once from now on.")
@click.option("--retry-failed", is_flag=True, help="Run failed trials again, under the same numbers.")
@click.option(
    "--train-on",
    metavar="N[,M]",
    help="Train these finished or stopped trials further first: each runs again, for longer. MLFLOW_TUNE_RESUME_FROM "
    "names the run whose checkpoint it may load.",
)
@click.option(
    "--epochs",
    type=click.IntRange(1),
    help="For how many epochs in all these train  [default: twice as many as they had; of a stopped trial, as many]",
)
@folder_option
@dask_option
@gpus_option
@yes_option
@common_options
def resume(
    study: str,
    common: Common,
    trials: str | None,
    strategy: str | None,
    workers: int | None,
    retry_failed: bool,
    train_on: str | None,
    epochs: int | None,
    folder: Path | None,
    dask: str | None,
    gpus: str | None,
    yes: bool,
) -> Answer:
    """Continue STUDY from where it stopped.

    The study goes on as the server holds it; its file is not read again. Code that you have neither started nor
    approved on this machine is shown first, and you are asked.
    """
    asked = asked_on(train_on or (), epochs)
    loaded = find_study(study, common, folder)
    ask_before_running(loaded, yes)
    chosen = None if strategy is None else _strategy(strategy)
    changes: dict[str, Any] = {"strategy": chosen, "workers": workers, "gpus": gpus, "retry_failed": retry_failed}
    changes |= dict(zip(("train_on", "epochs"), asked, strict=True))
    changes["executor"] = None if dask is None else {"dask": dask}
    return drive(loaded, common, lambda shown: loaded.resume(trials, quiet=True, callbacks=[shown], **changes))


def _strategy(text: str) -> Any:
    """Return a strategy's name, or its mapping as a study file writes it."""
    return load_yaml(text) if text.lstrip().startswith("{") else text
