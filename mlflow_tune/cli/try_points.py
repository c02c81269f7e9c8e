"""The commands by which a person chooses points: try, enqueue."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlflow_tune.cli.common import INTERRUPTED, Command, Common, common_options, console, print_json, print_whole
from mlflow_tune.cli.study_argument import file_spec, find_study, is_file, study_argument
from mlflow_tune.cli.trust import ask_before_running, folder_option, yes_option
from mlflow_tune.errors import InputError, StudyConflict, StudyNotFound
from mlflow_tune.text import counted, trial_label

if TYPE_CHECKING:
    from rich.console import Console

    from mlflow_tune.space import Space
    from mlflow_tune.spec.study_file import StudySpec
    from mlflow_tune.study.study import Study
    from mlflow_tune.trial import Trial

_POINT_OPTIONS = (
    click.option(
        "-P",
        "--param",
        "texts",
        multiple=True,
        metavar="NAME=VALUE[,VALUE]",
        help="A parameter; several values are several trials.",
    ),
    click.option("--note", default="", help="Why, in your words; it stands in the trial's description."),
    click.option(
        "--from",
        "start",
        type=click.IntRange(1),
        metavar="N",
        help="Take what is left out from trial N [default: the best].",
    ),
    click.option("--outside", is_flag=True, help="Also run points outside the search space."),
)


def _point_options(command: Command) -> Command:
    """Add the options by which a person chooses points."""
    for option in reversed(_POINT_OPTIONS):
        command = option(command)
    return command


@click.command("try")
@study_argument()
@_point_options
@folder_option
@yes_option
@common_options
def try_points(
    study: str, common: Common, texts: tuple[str, ...], note: str, start: int | None, outside: bool,
    folder: Path | None, yes: bool,
) -> None:  # fmt: skip
    """Run a trial of STUDY with parameters of your choice, and see what it did.

    The study of a file is made on first use. Parameters left out take the value of the best trial so far. While
    somebody drives the study, that driver runs the trial next.
    """
    from mlflow_tune.tracking import is_driven

    loaded, points = _asked(study, common, folder, texts, start, outside)
    shown, driven = console(common), is_driven(loaded.client, loaded.run_id)
    if not driven:  # else its driver runs it, not this machine
        ask_before_running(loaded, yes, folder)
    run_ids = [loaded.enqueue(point, note or "chosen by a person") for point in points]
    try:
        if driven:
            _follow(loaded, run_ids, shown)
        else:
            _run_queued(loaded, run_ids, shown)
    except StudyConflict:  # somebody else began to drive it since we looked
        _follow(loaded, run_ids, shown)
    _tell(loaded, run_ids, common, shown)


@click.command()
@study_argument()
@_point_options
@common_options
def enqueue(study: str, common: Common, texts: tuple[str, ...], note: str, start: int | None, outside: bool) -> None:
    """Put points before whatever STUDY would try next.

    Whoever drives the study, now or later, on any machine, runs them first. The study of a file is made on first use.
    """
    from mlflow_tune.tracking import is_driven

    loaded, points = _asked(study, common, None, texts, start, outside)
    run_ids = [loaded.enqueue(point, note or "chosen by a person") for point in points]
    driven = is_driven(loaded.client, loaded.run_id)
    if common.as_json:
        form = {"study": loaded.record.name, "run_id": loaded.run_id, "queued": run_ids, "points": points}
        print_json({**form, "driven": driven})
        return
    count, they = counted(len(points), "point"), "it runs" if len(points) == 1 else "they run"
    when = "next" if driven else f"when the study goes on: {loaded.resume_command}"
    click.echo(f"{count} queued in {loaded.record.name}; {they} {when}")


def _asked(
    study: str, common: Common, folder: Path | None, texts: Sequence[str], start: int | None, outside: bool
) -> tuple[Study, list[dict[str, Any]]]:
    """Return the study, and the points that a person asks for; a file's study is made when they can be read."""
    from mlflow_tune.executors.factory import checked_launcher
    from mlflow_tune.study.study import Study

    try:
        loaded = find_study(study, common, folder)
    except StudyNotFound:
        if not is_file(study):
            raise
        spec, place = file_spec(study, common), folder or Path(study).resolve().parent
        with checked_launcher(spec, None, place) as (_, declared):
            points = _points(spec.space.with_defaults(declared), spec, [], texts, start, outside)
        return Study.of(spec, folder=place, tracking_uri=common.tracking_uri).create(), points
    return loaded, _points(loaded.spec.space, loaded.spec, loaded.trials, texts, start, outside)


def _points(
    space: Space, spec: StudySpec, trials: Sequence[Trial], texts: Sequence[str], start: int | None, outside: bool
) -> list[dict[str, Any]]:
    from mlflow_tune.cli.points import read_points

    if trials and not texts and start is None:
        raise InputError("give -P NAME=VALUE, or --from N to repeat trial N")
    defaults = {name: each.default for name, each in space.items() if each.default is not None}
    source = next((trial for trial in trials if trial.number == start), None) if start else spec.best(trials)
    if start and source is None:
        raise InputError(f"the study has no trial {start}; it has {len(trials)}", "--from")
    base = {**defaults, **(source.params if source else {})}
    return read_points(space, texts, base, outside, spec.run.parameters)


def _follow(study: Study, run_ids: Sequence[str], shown: Console) -> None:
    from mlflow_tune.cli.follow import Follower

    shown.print(f"{study.record.name} is running elsewhere: its driver runs this next.")
    try:
        Follower(shown, study.client, study.record, study.spec.metric, elsewhere=True).follow(run_ids)
    except KeyboardInterrupt:
        shown.print("It goes on without you; see it again by:")
        print_whole(shown, f"mlflow-tune watch {study.run_id}")
        raise SystemExit(INTERRUPTED) from None


def _run_queued(study: Study, run_ids: Sequence[str], shown: Console) -> None:
    from mlflow_tune.cli.follow import Follower
    from mlflow_tune.cli.progress import Unseen
    from mlflow_tune.tracking import Client, Queue

    follower = Follower(shown, Client(study.client.uri), study.record, study.spec.metric)
    thread = threading.Thread(target=follower.follow, args=(run_ids,), daemon=True)
    thread.start()
    try:
        study.resume(only_queued=True, listener=Unseen(shown))
    except (KeyboardInterrupt, SystemExit):
        follower.over.set()
        if study.ending is None:
            raise
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
    from mlflow_tune.cli.progress import no_value_words, nothing_found, print_links
    from mlflow_tune.cli.tables import found_text
    from mlflow_tune.cli.trial_page import page_json, print_page
    from mlflow_tune.tracking import Trials

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
        best, none = study.spec.best(history), "no value yet"
        none = no_value_words(study.spec.metric, history) if nothing_found(history) else none
        told = f"best so far: {trial_label(best.number)} {found_text(study.spec.metric, best)}" if best else none
        shown.print(f"\n{told}")
        print_links(shown, study)
    if len(numbers) < len(run_ids):
        shown.print(f"{len(run_ids) - len(numbers)} still wait; they run first when the study goes on:")
        print_whole(shown, study.resume_command)
    if study.ending is not None and study.ending.state == "interrupted" and study.ending.signal:
        raise SystemExit(128 + study.ending.signal)
    if any(trial.outcome != "ok" for trial in tried) or len(numbers) < len(run_ids):
        raise SystemExit(1)
