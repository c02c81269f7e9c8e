"""The commands that look at studies and change nothing: list, show, best."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlflow_tune.cli.common import Common, common_options, console, print_json, trial_json
from mlflow_tune.cli.study_argument import find_study, study_argument

if TYPE_CHECKING:
    from rich.console import Console

    from mlflow_tune.tracking import StudyRecord

_WORDS = 26  # the width of a column with its margins, below which a reason cannot be read


@click.command("list")
@common_options
def list_studies(common: Common) -> None:
    """List the studies, of one experiment or of all."""
    from mlflow_tune.tracking import Client, Studies

    records = Studies(Client(common.tracking_uri)).all(common.experiment)
    if common.as_json:
        names = ("name", "run_id", "experiment_id", "state", "why_stopped", "user", "start_time")
        print_json({"studies": [{name: getattr(record, name) for name in names} for record in records]})
    elif records:
        _print_records(console(common), records)
    else:
        console(common).print("No studies yet: `mlflow-tune run study.yaml` starts one.")


def _print_records(shown: Console, records: Sequence[StudyRecord]) -> None:
    """Print a table of the studies; where it has no room for whole names and run ids, a few lines for each study."""
    from mlflow_tune.text import local_time, table_of

    rows = [(each.name, each.state, local_time(each.start_time), each.user, each.run_id) for each in records]
    headings, reasons = ("study", "state", "started", "by", "run id"), [each.why_stopped for each in records]
    if shown.width - shown.measure(table_of(headings, rows, headings, ())).maximum >= _WORDS:
        wide, why = (*headings, "why it stopped"), ("why it stopped",)
        shown.print(table_of(wide, [(*row, reason) for row, reason in zip(rows, reasons, strict=True)], wide, why))
        return
    for (name, state, started, user, run_id), reason in zip(rows, reasons, strict=True):
        shown.print(f"{name}\n  {state}, started {started}{f' by {user}' if user else ''}\n  run {run_id}")
        if reason:
            shown.print(f"  {reason}")


@click.command()
@study_argument()
@common_options
def show(study: str, common: Common) -> None:
    """Show STUDY: its state, every trial, and the points that wait in its queue."""
    from mlflow_tune.cli.tables import TrialsView, state_text, study_json
    from mlflow_tune.text import counted, one_line, point_text
    from mlflow_tune.tracking import Queue

    loaded = find_study(study, common)
    trials, waiting = loaded.trials, Queue(loaded.client, loaded.record).waiting()
    if common.as_json:
        print_json(study_json(loaded.record, loaded.spec, trials, waiting))
        return
    record, shown = loaded.record, console(common)
    shown.print(f"{record.name}: {state_text(record.state, record.why_stopped)}")
    shown.print(f"{loaded.spec.goal} {loaded.spec.metric} by {loaded.spec.strategy.name}, run {record.run_id}")
    shown.print(TrialsView(loaded.spec.metric, trials) if trials else "No trial yet.")
    if waiting:
        shown.print(f"{counted(len(waiting), 'point')} {'waits' if len(waiting) == 1 else 'wait'} in the queue:")
    for each in waiting:
        shown.print(f"  {point_text(each.suggestion.params)}  ({one_line(each.suggestion.why)})")


@click.command()
@study_argument()
@common_options
def best(study: str, common: Common) -> None:
    """Show the best trial of STUDY, with the parameters to use.

    Of a search for a boundary, the trial that it has come to stands beside the best one.
    """
    from mlflow_tune.cli.tables import found_text
    from mlflow_tune.text import point_text

    loaded = find_study(study, common)
    spec, trials = loaded.spec, loaded.trials
    trial, found = spec.best(trials), spec.strategy.answer(spec.space, trials)
    if common.as_json:
        best, answered = trial and trial_json(trial), found and trial_json(found)
        print_json({"study": loaded.record.name, "metric": spec.metric, "best": best, "answer": answered or best})
    elif trial is None:
        click.echo(f"No trial of {loaded.record.name} has a value of {spec.metric}.")
    else:
        click.echo(f"{found_text(spec.metric, trial)} at trial {trial.number}, run {trial.run_id}")
        for name, value in trial.params.items():
            click.echo(f"{name}={value}")
        if found and found.params != trial.params:
            where = f"trial {found.number}, run {found.run_id}"
            click.echo(f"{spec.strategy.name} has come to {point_text(found.params)} at {where}")
    if trial is None:
        raise SystemExit(1)
