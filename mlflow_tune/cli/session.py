"""A session of driving a study from the command line: its progress, its end, and the exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

import click

from mlflow_tune.cli.common import INTERRUPTED, Answer, Common, console
from mlflow_tune.driver.callbacks import Callback
from mlflow_tune.errors import AccessRefused, StudyFailed, TrackingError
from mlflow_tune.study.display.progress import screen_for
from mlflow_tune.study.display.summary import nothing_found, print_summary
from mlflow_tune.study.display.tables import study_json
from mlflow_tune.study.study import Study
from mlflow_tune.text.console import print_whole
from mlflow_tune.tracking import Queue
from mlflow_tune.trial import Trial

gpus_option = click.option(
    "--gpus", metavar="auto|N|0,1|none", help="Which GPUs the trials share: all, this many, these, or none."
)
dask_option = click.option("--dask", metavar="ADDRESS", help="The Dask scheduler whose workers run the trials.")


def drive(
    study: Study, common: Common, action: Callable[[Callback], Study], at_start: Callable[[], None] = lambda: None
) -> Answer:
    """Drive the study by `action` and show its progress and its end; return it, with the exit code of the group's help.

    `at_start` is called when the study is on the tracking server, before its first trial.
    """
    shown = console(common)
    try:
        with (
            screen_for(shown, lambda: study.handle, at_start) as screen,
            suppress(StudyFailed),
        ):  # the summary and the exit code tell
            action(screen)
    except (KeyboardInterrupt, SystemExit):
        if study.ending is None:
            raise
    except TrackingError as error:
        if study.started and not isinstance(error, AccessRefused):
            shown.print("The trials that have ended are safe on the tracking server. When it is back, continue with:")
            print_whole(shown, study.resume_command)
        raise
    assert study.ending is not None
    trials = study.history
    print_summary(shown, study.handle, trials, bool(screen.ran))
    return Answer(
        lambda: study_json(study.record, study.spec, trials, Queue(study.client, study.record).waiting()),
        exit_code=_exit_code(study, trials),
        driven=True,
    )


def _exit_code(study: Study, trials: Sequence[Trial]) -> int:
    assert study.ending is not None
    if study.ending.state == "interrupted" and not study.ending.as_asked:
        return 128 + study.ending.signal if study.ending.signal else INTERRUPTED
    return 1 if study.ending.state == "aborted" or nothing_found(trials) else 0
