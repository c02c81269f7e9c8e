"""The command that runs the best trials of a study again: confirm."""

from __future__ import annotations

from pathlib import Path

import click

from mlflow_tune.cli.common import Common, common_options
from mlflow_tune.cli.session import drive
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.cli.trust import ask_before_running, folder_option, yes_option
from mlflow_tune.spec.confirm import TOP


@click.command()
@study_argument()
@click.option("--top", type=click.IntRange(1), default=TOP, metavar="N", help=f"So many of the best [default: {TOP}].")
@click.option("--seeds", type=click.IntRange(1), metavar="N", help="Under so many fresh seeds each, at the most.")
@click.option("--until", type=float, metavar="P", help="End when one is the best with this probability.")
@click.option("--workers", type=click.IntRange(1), help="How many trials run at once from now on.")
@folder_option
@yes_option
@common_options
def confirm(
    study: str,
    common: Common,
    top: int,
    seeds: int | None,
    until: float | None,
    workers: int | None,
    folder: Path | None,
    yes: bool,
) -> None:
    """Run the best trials of STUDY again under fresh seeds, to tell luck from merit.

    All run under the same seeds, one after another where it tells most, until one is the best with a probability of
    0.95 or each had 4 (with --until alone 20). A parameter named seed under run.parameters, one with `role: seed`, or
    {seed} in the command gets the seed. Killed in the middle, it goes on where it was left.
    """
    loaded = find_study(study, common, folder)
    ask_before_running(loaded, yes)
    drive(
        loaded,
        common,
        lambda shown: loaded.confirm(top, seeds, until, quiet=True, callbacks=[shown], workers=workers),
    )
