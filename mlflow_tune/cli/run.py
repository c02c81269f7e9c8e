"""The commands that drive a study, or stop one that is driven: run, resume, stop."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlflow_tune.cli.common import INTERRUPTED, Common, common_options, console, print_json, print_whole
from mlflow_tune.cli.study_argument import find_record, find_study, study_argument
from mlflow_tune.cli.trust import ask_before_running, folder_option, yes_option
from mlflow_tune.errors import AccessRefused, InputError, TrackingError

if TYPE_CHECKING:
    from mlflow_tune.study.study import Study
    from mlflow_tune.trial import Trial


dask_option = click.option("--dask", metavar="ADDRESS", help="The Dask scheduler whose workers run the trials.")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="The study's name, over the file's.")
@click.option("--trials", type=click.IntRange(1), help="The budget of trials, over the file's stop.trials.")
@click.option("--workers", type=click.IntRange(1), help="How many trials run at once, over the file's.")
@click.option("--seed", type=click.IntRange(0), help="The strategy's seed, over the file's.")
@dask_option
@common_options
def run(
    file: Path, common: Common, name: str | None, trials: int | None, workers: int | None, seed: int | None,
    dask: str | None,
) -> None:  # fmt: skip
    """Run the study that FILE describes."""
    from mlflow_tune.spec.study_file import read_study_file
    from mlflow_tune.study.study import Study

    given = {
        "name": name, "stop.trials": trials, "workers": workers, "strategy.seed": seed, "experiment": common.experiment,
        "executor.dask": dask,
    }  # fmt: skip
    spec = read_study_file(file, {key: value for key, value in given.items() if value is not None})
    study = Study.of(spec, folder=file.resolve().parent, tracking_uri=common.tracking_uri)
    try:
        drive(study, common, study.run, lambda: _tell_earlier(study, common))
    except InputError as error:
        raise InputError(f"{file}: {error}" if error.key else error.message) from None


@click.command()
@study_argument()
@click.option("--trials", metavar="N|+N", help="The new budget of trials, or so many more.")
@click.option("--strategy", metavar="NAME|{...}", help="Let another strategy go on; it knows all earlier trials.")
@click.option("--workers", type=click.IntRange(1), help="How many trials run at once from now on.")
@click.option("--retry-failed", is_flag=True, help="Run failed trials again, under their own numbers.")
@folder_option
@dask_option
@yes_option
@common_options
def resume(
    study: str, common: Common, trials: str | None, strategy: str | None, workers: int | None, retry_failed: bool,
    folder: Path | None, dask: str | None, yes: bool,
) -> None:  # fmt: skip
    """Go on with STUDY, wherever it was left.

    What another user's study would run is shown first, and you are asked.
    """
    loaded = find_study(study, common, folder)
    ask_before_running(loaded, yes, folder)
    chosen = None if strategy is None else _strategy(strategy)
    where = None if dask is None else {"dask": dask}
    drive(loaded, common, lambda listener: loaded.resume(trials, retry_failed, listener, chosen, workers, where))


@click.command()
@study_argument()
@common_options
def stop(study: str, common: Common) -> None:
    """Ask a running STUDY to stop: it starts no new trial, lets others end, and can be resumed."""
    from mlflow_tune.tracking import Client, Studies

    client = Client(common.tracking_uri)
    record = find_record(study, common, client)
    asked = record.state == "running"
    if asked:
        Studies(client).request_stop(record.run_id)
    if common.as_json:
        print_json({"study": record.name, "run_id": record.run_id, "state": record.state, "asked": asked})
    elif asked:
        click.echo(f"{record.name} was asked to stop; it ends when the trials that run now have ended.")
    else:
        click.echo(f"{record.name} is not running: it is {record.state}.")


def _strategy(text: str) -> Any:
    """Return a strategy's name, or its mapping as a study file writes it."""
    from mlflow_tune.text.yaml import load_yaml

    return load_yaml(text) if text.lstrip().startswith("{") else text


def _tell_earlier(study: Study, common: Common) -> None:
    """Say which finished study of this name exists: a person may have meant to go on with that one."""
    from mlflow_tune.study.handle import resume_command

    if (record := study.earlier) is None:
        return
    shown = console(common)
    shown.print(f"a finished study {record.name!r} exists (run {record.run_id}): to go on with that one:")
    print_whole(shown, resume_command(record, study.spec, common.tracking_uri))


def drive(study: Study, common: Common, action: Any, at_start: Callable[[], None] = lambda: None) -> None:
    """Drive the study by `action`, show its progress and its end, and exit as the README's table says.

    `at_start` is called when the study is on the tracking server, before its first trial.
    """
    from mlflow_tune.cli.progress import listener_for, print_summary
    from mlflow_tune.cli.tables import study_json
    from mlflow_tune.tracking import Queue

    shown = console(common)
    try:
        with listener_for(shown, at_start) as listener:
            action(listener)
    except (KeyboardInterrupt, SystemExit):
        if study.ending is None:
            raise
    except TrackingError as error:
        if study.started and not isinstance(error, AccessRefused):
            shown.print("What ended before is safe on the tracking server. When it is back, go on by:")
            print_whole(shown, study.resume_command)
        raise
    assert study.ending is not None
    trials = study.history
    if common.as_json:
        print_json(study_json(study.record, study.spec, trials, Queue(study.client, study.record).waiting()))
    print_summary(shown, study, trials, bool(listener.ran))
    raise SystemExit(_exit_code(study, trials))


def _exit_code(study: Study, trials: Sequence[Trial]) -> int:
    from mlflow_tune.cli.progress import nothing_found

    assert study.ending is not None
    if study.ending.state == "interrupted":
        return 128 + study.ending.signal if study.ending.signal else INTERRUPTED
    return 0 if study.ending.state == "finished" and not nothing_found(trials) else 1
