"""The command that says what may be expected of a study file before it runs: advise."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mlflow_tune.cli.common import Common, common_options, console, print_json
from mlflow_tune.errors import StudyNotFound
from mlflow_tune.spec.study_file import StudySpec, read_study_file
from mlflow_tune.study.advice import Advice, Adviser, Cost, earlier_cost
from mlflow_tune.tracking import Client


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--trials", type=click.IntRange(1), help="The budget of trials, over the file's stop.trials.")
@click.option("--workers", type=click.IntRange(1), help="How many trials run at once, over the file's.")
@click.option(
    "--minutes-per-trial",
    "minutes",
    type=click.FloatRange(0, min_open=True, max=1e6),
    metavar="M",
    help="What one trial takes [default: as in an earlier study of this name, or of the same code].",
)
@common_options
def advise(file: Path, common: Common, trials: int | None, workers: int | None, minutes: float | None) -> None:
    """Say what may be expected of the study that FILE describes, before it runs.

    How many trials its grid takes and how long; how far each strategy came on problems of as many parameters with
    about as many trials; whether bisection applies, and what stopping hopeless trials would save. Each sentence names
    the measurements behind it; --json has their rows. Nothing is run, and nothing is written.
    """
    given = {"stop.trials": trials, "workers": workers, "experiment": common.experiment}
    spec = read_study_file(file, {key: value for key, value in given.items() if value is not None})
    found = Adviser(spec, Cost(60 * minutes) if minutes else _earlier(spec, common)).everything()
    if common.as_json:
        print_json({"study": spec.name, "advice": [each.to_json() for each in found]})
        return
    _show(found, common)


def _earlier(spec: StudySpec, common: Common) -> Cost | None:
    """Return what a trial took earlier; a store that does not exist has no studies."""
    try:
        client = Client(common.tracking_uri, only_read=True)
    except StudyNotFound:
        return None
    return earlier_cost(spec, client)


def _show(found: Sequence[Advice], common: Common) -> None:
    shown = console(common)
    for each in found:
        shown.print(f"- {each.says}")
    shown.print("The figures are shares of the way from a middling point to the best one; in brackets 95 % intervals.")
