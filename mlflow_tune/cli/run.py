"""The command that starts the study of a file: run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from mlflow_tune.cli.common import Common, common_options, console, print_line
from mlflow_tune.cli.session import dask_option, drive, gpus_option
from mlflow_tune.errors import InputError
from mlflow_tune.spec.definition import tell_goal
from mlflow_tune.spec.goals import is_odd
from mlflow_tune.spec.study_file import StudySpec, read_study_file
from mlflow_tune.study.advice import Adviser
from mlflow_tune.study.handle import resume_command
from mlflow_tune.study.study import Study
from mlflow_tune.text.console import print_whole


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="The study's name, over the file's.")
@click.option("--trials", type=click.IntRange(1), help="The budget of trials, over the file's stop.trials.")
@click.option("--workers", type=click.IntRange(1), help="How many trials run at once, over the file's.")
@click.option("--seed", type=click.IntRange(0), help="The strategy's seed, over the file's.")
@dask_option
@gpus_option
@common_options
def run(
    file: Path,
    common: Common,
    name: str | None,
    trials: int | None,
    workers: int | None,
    seed: int | None,
    dask: str | None,
    gpus: str | None,
) -> None:
    """Run the study that FILE describes."""
    given = {
        "name": name,
        "stop.trials": trials,
        "workers": workers,
        "strategy.seed": seed,
        "experiment": common.experiment,
        "executor.dask": dask,
        "gpus": gpus,
    }
    spec = read_study_file(file, {key: value for key, value in given.items() if value is not None})
    _ask_for_goal(spec)
    try:
        study = Study.of(spec, folder=file.resolve().parent, tracking_uri=common.tracking_uri)
        drive(
            study, common, lambda shown: study.run(quiet=True, callbacks=[shown]), lambda: _tell_at_start(study, common)
        )
    except InputError as error:
        raise InputError(f"{file}: {error}" if error.key else error.message) from None


def _ask_for_goal(spec: StudySpec) -> None:
    """Ask a person at a terminal whether an odd goal is meant; elsewhere it is said at the start, and no more."""
    if is_odd(spec.metric, spec.goal) and sys.stdin.isatty() and sys.stderr.isatty():
        tell_goal(spec)
        if not click.confirm("Run it so?", err=True):
            print_line("Nothing was run.", err=True)
            raise SystemExit(1)


def _tell_at_start(study: Study, common: Common) -> None:
    """Say which earlier study may be meant, and the one thing that measurements say of this one."""
    _tell_earlier(study, common)
    if advice := Adviser(study.spec).most_useful():
        console(common).print(f"advice: {advice.says} `mlflow-tune advise` says more.")


def _tell_earlier(study: Study, common: Common) -> None:
    """Say which finished study of this name exists: a person may have meant to go on with that one."""
    if (record := study.earlier) is None:
        return
    shown = console(common)
    shown.print(f"a finished study {record.name!r} exists (run {record.run_id}): to go on with that one:")
    print_whole(shown, resume_command(record, study.spec, study.client.uri))
