"""The command that shows a study, and changes nothing: show."""

from __future__ import annotations

import click

from mlflow_tune.cli.common import Common, common_options, console, print_json
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.report.answer import answer_lines
from mlflow_tune.study.display.tables import TrialsView, recommended_lines, state_text, study_json
from mlflow_tune.text import counted, one_line, point_text
from mlflow_tune.tracking import Queue


@click.command()
@study_argument()
@common_options
def show(study: str, common: Common) -> None:
    """Show STUDY: its state, every trial, and the points that wait in its queue."""
    loaded = find_study(study, common)
    record = loaded.record
    trials = loaded.trials
    waiting = Queue(loaded.client, record).waiting()
    if common.as_json:
        print_json(study_json(record, loaded.spec, trials, waiting))
        return
    shown = console(common)
    shown.print(f"{record.name}: {state_text(record.state, record.why_stopped)}")
    shown.print(f"{loaded.spec.goal} {loaded.spec.metric} by {loaded.spec.strategy.name}, run {record.run_id}")
    constraint = loaded.spec.strategy.requirement
    shown.print(TrialsView(loaded.spec.metric, trials, constraint=constraint) if trials else "No trial yet.")
    for line in answer_lines(loaded.spec, trials) if trials else ():
        shown.print(line)
    for line in recommended_lines(loaded.spec, loaded.spec.recommended(trials)):
        shown.print(line)
    if waiting:
        shown.print(f"{counted(len(waiting), 'point')} {'waits' if len(waiting) == 1 else 'wait'} in the queue:")
    for each in waiting:
        shown.print(f"  {point_text(each.suggestion.params)}  ({one_line(each.suggestion.why)})")
