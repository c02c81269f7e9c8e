"""The commands that look at studies and change nothing: list, show, best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlflow_tune.cli.common import Common, common_options, console, print_json, trial_json

if TYPE_CHECKING:
    from mlflow_tune.study import Study


@click.command("list")
@common_options
def list_studies(common: Common) -> None:
    """List the studies, of one experiment or of all."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from mlflow_tune.cli.views import time_text
    from mlflow_tune.tracking import Client, Studies

    records = Studies(Client(common.tracking_uri)).all(common.experiment)
    if common.as_json:
        names = ("name", "run_id", "experiment_id", "state", "why_stopped", "user", "start_time")
        print_json({"studies": [{name: getattr(record, name) for name in names} for record in records]})
        return
    table = Table(box=box.SIMPLE)
    for column in ("study", "state", "started", "by", "run id", "why it stopped"):
        table.add_column(column, no_wrap=column != "why it stopped")
    for record in records:
        cells = (
            record.name,
            record.state,
            time_text(record.start_time),
            record.user,
            record.run_id,
            record.why_stopped,
        )
        table.add_row(*map(Text, cells))
    console(common).print(table if records else "No studies yet: `mlflow-tune run study.yaml` starts one.")


@click.command()
@click.argument("study")
@common_options
def show(study: str, common: Common) -> None:
    """Show STUDY, a name or a run id: its state and every trial."""
    from mlflow_tune.cli.views import study_json, trials_table

    loaded = _load(study, common)
    trials = loaded.trials
    if common.as_json:
        print_json(study_json(loaded.record, loaded.spec, trials))
        return
    record, shown = loaded.record, console(common)
    shown.print(f"{record.name}: {record.state}{f' ({record.why_stopped})' if record.why_stopped else ''}")
    shown.print(f"{loaded.spec.goal} {loaded.spec.metric} by {loaded.spec.strategy.name}, run {record.run_id}")
    shown.print(trials_table(loaded.spec.metric, trials) if trials else "No trial yet.")


@click.command()
@click.argument("study")
@common_options
def best(study: str, common: Common) -> None:
    """Show the best trial of STUDY, with the parameters to use.

    Of a search for a boundary, the trial that it has come to stands beside the best one.
    """
    from mlflow_tune.cli.views import number_text, point_text
    from mlflow_tune.strategies.base import answer

    loaded = _load(study, common)
    spec, trials = loaded.spec, loaded.trials
    trial, found = spec.best(trials), answer(spec.strategy, spec.space, trials)
    if common.as_json:
        best, answered = trial and trial_json(trial), found and trial_json(found)
        print_json({"study": loaded.record.name, "metric": spec.metric, "best": best, "answer": answered or best})
    elif trial is None:
        click.echo(f"No trial of {loaded.record.name} has a value of {spec.metric}.")
    else:
        click.echo(f"{spec.metric}={number_text(trial.value)} at trial {trial.number}, run {trial.run_id}")
        for name, value in trial.params.items():
            click.echo(f"{name}={value}")
        if found and found.params != trial.params:
            where = f"trial {found.number}, run {found.run_id}"
            click.echo(f"{spec.strategy.name} has come to {point_text(found.params)} at {where}")
    if trial is None:
        raise SystemExit(1)


def _load(study: str, common: Common) -> Study:
    from mlflow_tune.study import Study

    return Study.load(study, experiment=common.experiment, tracking_uri=common.tracking_uri)
