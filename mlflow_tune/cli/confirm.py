"""The command that runs the best trials of a study again: confirm."""

from __future__ import annotations

from pathlib import Path

import click

from mlflow_tune.cli.common import Answer, Common, common_options, example
from mlflow_tune.cli.session import drive
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.cli.trust import ask_before_running, folder_option, yes_option
from mlflow_tune.spec.confirm import TOP


@click.command(epilog=example("mlflow-tune confirm my-study", "mlflow-tune confirm my-study --top 5 --until 0.9"))
@study_argument()
@click.option(
    "--top",
    type=click.IntRange(1),
    default=TOP,
    metavar="N",
    help=f"How many of the best trials run again  [default: {TOP}]",
)
@click.option("--seeds", type=click.IntRange(1), metavar="N", help="How many fresh seeds each of them gets at most.")
@click.option("--until", type=float, metavar="P", help="End when one trial is the best with this probability.")
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
) -> Answer:
    """Run the best trials of STUDY again with fresh seeds, to tell merit from luck.

    All get the same seeds. The next rerun is always the one that tells most, until one trial is the best with a
    probability of 0.95, or each had 4 seeds (with --until alone, 20). A parameter named seed under run.parameters, one
    with `role: seed`, or {seed} in the command gets the seed. If it is interrupted, the same command continues it.
    """
    loaded = find_study(study, common, folder)
    ask_before_running(loaded, yes)
    return drive(
        loaded,
        common,
        lambda shown: loaded.confirm(top, seeds, until, quiet=True, callbacks=[shown], workers=workers),
    )
