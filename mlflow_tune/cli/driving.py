"""The commands that drive a study, or stop one that is driven: run, resume, stop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlflow_tune.cli.common import INTERRUPTED, Common, common_options, console, print_json
from mlflow_tune.errors import InputError, TrackingError

if TYPE_CHECKING:
    from mlflow_tune.study import Study


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="The study's name, over the file's.")
@click.option("--trials", type=click.IntRange(1), help="The budget of trials, over the file's stop.trials.")
@click.option("--workers", type=click.IntRange(1), help="How many trials run at once, over the file's.")
@click.option("--seed", type=click.IntRange(0), help="The strategy's seed, over the file's.")
@common_options
def run(
    file: Path, common: Common, name: str | None, trials: int | None, workers: int | None, seed: int | None
) -> None:
    """Run the study that FILE describes."""
    from mlflow_tune.spec import read_study_file
    from mlflow_tune.study import Study

    given = {
        "name": name, "stop.trials": trials, "workers": workers, "strategy.seed": seed, "experiment": common.experiment,
    }  # fmt: skip
    spec = read_study_file(file, {key: value for key, value in given.items() if value is not None})
    study = Study.of(spec, folder=file.resolve().parent, tracking_uri=common.tracking_uri)
    try:
        _drive(study, common, study.run)
    except InputError as error:
        raise InputError(f"{file}: {error}" if error.key else error.message) from None


@click.command()
@click.argument("study")
@click.option("--trials", metavar="N|+N", help="The new budget of trials, or so many more.")
@click.option("--retry-failed", is_flag=True, help="Run failed trials again, under their own numbers.")
@click.option("--folder", type=click.Path(path_type=Path), help="Where the study's code lies, when it has moved.")
@common_options
def resume(study: str, common: Common, trials: str | None, retry_failed: bool, folder: Path | None) -> None:
    """Go on with STUDY, a name or a run id, wherever it was left."""
    from mlflow_tune.study import Study

    loaded = Study.load(study, experiment=common.experiment, tracking_uri=common.tracking_uri, folder=folder)
    _drive(loaded, common, lambda listener: loaded.resume(trials, retry_failed, listener))


@click.command()
@click.argument("study")
@common_options
def stop(study: str, common: Common) -> None:
    """Ask a running STUDY to stop: it starts no new trial, lets those that run end, and can be resumed."""
    from mlflow_tune.tracking import Client, Studies

    studies = Studies(Client(common.tracking_uri))
    record = studies.find(study, common.experiment)
    asked = record.state == "running"
    if asked:
        studies.request_stop(record.run_id)
    if common.as_json:
        print_json({"study": record.name, "run_id": record.run_id, "state": record.state, "asked": asked})
    elif asked:
        click.echo(f"{record.name} was asked to stop; it ends when the trials that run now have ended.")
    else:
        click.echo(f"{record.name} is not running: it is {record.state}.")


def _drive(study: Study, common: Common, action: Any) -> None:
    from mlflow_tune.cli.progress import listener_for, print_summary
    from mlflow_tune.cli.views import study_json

    shown = console(common)
    try:
        with listener_for(shown) as listener:
            action(listener)
    except (KeyboardInterrupt, SystemExit):
        if study.ending is None:
            raise
    except TrackingError:
        if study.started:
            shown.print("What ended before is safe on the tracking server. When it is back, go on by:")
            shown.print(study.resume_command)
        raise
    assert study.ending is not None
    trials = study.trials
    if common.as_json:
        print_json(study_json(study.record, study.spec, trials))
    print_summary(shown, study, trials)
    raise SystemExit(_exit_code(study))


def _exit_code(study: Study) -> int:
    assert study.ending is not None
    if study.ending.state == "interrupted":
        return 128 + study.ending.signal if study.ending.signal else INTERRUPTED
    return 0 if study.ending.state == "finished" else 1
