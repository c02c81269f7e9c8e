"""The command that runs the points that a person chooses: try."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mlflow_tune.cli.common import INTERRUPTED, Common, common_options, console, print_json
from mlflow_tune.cli.follow import Follower
from mlflow_tune.cli.points import asked_points, point_options
from mlflow_tune.cli.study_argument import study_argument
from mlflow_tune.cli.trial_page import page_json, print_page
from mlflow_tune.cli.trust import ask_before_running, folder_option, yes_option
from mlflow_tune.errors import StudyConflict, StudyFailed
from mlflow_tune.spec.secrecy import refuse_secrets
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.display.progress import Unseen
from mlflow_tune.study.display.summary import no_value_words, nothing_found, print_links
from mlflow_tune.study.display.tables import found_text
from mlflow_tune.study.study import Study
from mlflow_tune.text import trial_label
from mlflow_tune.text.console import print_whole
from mlflow_tune.tracking import Client, Queue, Trials, is_driven
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console


@click.command("try")
@study_argument()
@point_options
@folder_option
@yes_option
@common_options
def try_points(
    study: str,
    common: Common,
    texts: tuple[str, ...],
    note: str,
    start: int | None,
    outside: bool,
    folder: Path | None,
    yes: bool,
) -> None:
    """Run a trial of STUDY with parameters of your choice, and see what it did.

    The study of a file is made on first use. Parameters left out take the value of the best trial so far. While
    somebody drives the study, that driver runs the trial next.
    """
    refuse_secrets(note, "--note")
    loaded, points = asked_points(study, common, folder, texts, start, outside)
    shown = console(common)
    driven = is_driven(loaded.client, loaded.run_id)
    if not driven:  # else its driver runs it, not this machine
        ask_before_running(loaded, yes)
    run_ids = [loaded.enqueue(point, note or "chosen by a person") for point in points]
    try:
        if driven:
            _follow(loaded, run_ids, shown)
        else:
            _run_queued(loaded, run_ids, shown)
    except StudyConflict:  # somebody else began to drive it since we looked
        _follow(loaded, run_ids, shown)
    _tell(loaded, run_ids, common, shown)


def _follow(study: Study, run_ids: Sequence[str], shown: Console) -> None:
    shown.print(f"{study.record.name} is running elsewhere: its driver runs this next.")
    try:
        Follower(shown, study.client, study.record, study.spec, elsewhere=True).follow(run_ids)
    except KeyboardInterrupt:
        shown.print("It goes on without you; see it again by:")
        print_whole(shown, study.handle.command("watch"))
        raise SystemExit(INTERRUPTED) from None


def _run_queued(study: Study, run_ids: Sequence[str], shown: Console) -> None:
    follower = Follower(shown, Client(study.client.uri), study.record, study.spec)
    thread = threading.Thread(target=follower.follow, args=(run_ids,), daemon=True)
    thread.start()
    try:
        study.resume(only_queued=True, quiet=True, callbacks=[Unseen(shown, lambda: study.handle)])
    except (KeyboardInterrupt, SystemExit):
        follower.over.set()
        if study.ending is None:
            raise
    except StudyFailed:  # the trial's page tells
        pass
    except StudyConflict:
        raise
    except BaseException:
        follower.over.set()
        Queue(study.client, study.record).withdraw(run_ids)
        raise
    finally:
        thread.join(timeout=5)
        follower.over.set()


def _tell(study: Study, run_ids: Sequence[str], common: Common, shown: Console) -> None:
    history = study.trials
    trials = Trials(study.client, study.record)
    numbers = {found.number for run_id in run_ids if (found := trials.of_run(run_id)) is not None}
    tried = [trial for trial in history if trial.number in numbers]  # its latest attempt may be another run
    if common.as_json:
        pages = [page_json(study.spec, trial, history) for trial in tried]
        waiting = len(run_ids) - len(numbers)
        print_json({"study": study.record.name, "run_id": study.run_id, "trials": pages, "waiting": waiting})
    for trial in tried:
        print_page(shown, study.spec, trial, history)
    if not common.as_json:
        shown.print(f"\n{_best_words(study.spec, history)}")
        print_links(shown, study.handle)
    if len(numbers) < len(run_ids):
        shown.print(f"{len(run_ids) - len(numbers)} still wait; they run first when the study goes on:")
        print_whole(shown, study.handle.resume_now())
    if study.ending is not None and study.ending.state == "interrupted" and study.ending.signal:
        raise SystemExit(128 + study.ending.signal)
    if any(trial.outcome != "ok" for trial in tried) or len(numbers) < len(run_ids):
        raise SystemExit(1)


def _best_words(spec: StudySpec, history: Sequence[Trial]) -> str:
    """Return in one line the best trial so far, or that there is none."""
    if best := spec.best(history):
        return f"best so far: {trial_label(best.number)} {found_text(spec, best)}"
    return no_value_words(spec.metric, history, told=True) if nothing_found(history) else "no value yet"
