"""The command that lists the studies: list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlflow_tune.cli.common import Common, common_options, console, print_json
from mlflow_tune.text import local_time, table_of
from mlflow_tune.tracking import Client, Studies, StudyRecord

if TYPE_CHECKING:
    from rich.console import Console


_WORDS = 26  # the width of a column with its margins, below which a reason cannot be read


@click.command("list")
@common_options
def list_studies(common: Common) -> None:
    """List the studies, of one experiment or of all."""
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
    rows = [(each.name, each.state, local_time(each.start_time), each.user, each.run_id) for each in records]
    reasons = [each.why_stopped for each in records]
    headings = ("study", "state", "started", "by", "run id")
    if shown.width - shown.measure(table_of(headings, rows, headings, ())).maximum >= _WORDS:
        wide = (*headings, "why it stopped")
        told = [(*row, reason) for row, reason in zip(rows, reasons, strict=True)]
        shown.print(table_of(wide, told, left=wide, words=wide[-1:]))
        return
    for (name, state, started, user, run_id), reason in zip(rows, reasons, strict=True):
        shown.print(name)
        shown.print(f"  {state}, started {started}{f' by {user}' if user else ''}")
        shown.print(f"  run {run_id}")
        if reason:
            shown.print(f"  {reason}")
