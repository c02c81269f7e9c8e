"""The command that shows a study, and changes nothing: show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlflow_tune.cli.common import Answer, Common, common_options, console, example
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.report.answer import answer_lines
from mlflow_tune.study.display.tables import TrialsView, recommended_lines, state_text, study_json
from mlflow_tune.study.study import Study
from mlflow_tune.text import counted, one_line, point_text
from mlflow_tune.tracking import Queue, Queued
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console


@click.command(epilog=example("mlflow-tune show my-study"))
@study_argument()
@common_options
def show(study: str, common: Common) -> Answer:
    """Show STUDY: its state, every trial, and the points in its queue."""
    loaded = find_study(study, common)
    trials = loaded.trials
    waiting = Queue(loaded.client, loaded.record).waiting()
    return Answer(
        lambda: study_json(loaded.record, loaded.spec, trials, waiting),
        lambda: _print(console(common), loaded, trials, waiting),
    )


def _print(shown: Console, loaded: Study, trials: Sequence[Trial], waiting: Sequence[Queued]) -> None:
    record = loaded.record
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
