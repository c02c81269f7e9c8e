"""The command that lists the studies: list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlflow_tune.cli.common import Answer, Common, common_options, console, example
from mlflow_tune.errors import StudyNotFound
from mlflow_tune.text import counted, local_time, number_text, table_of
from mlflow_tune.text.console import print_whole
from mlflow_tune.tracking import Client, Studies, StudyRecord, near_words, public_uri

if TYPE_CHECKING:
    from rich.console import Console

_NAMES = (
    *("name", "run_id", "experiment_id", "state", "why_stopped", "user", "start_time"),
    *("trials_done", "best_value", "last_active"),
)
_WORDS = 26  # the width of a column with its margins, below which a reason cannot be read


@click.command("list", epilog=example("mlflow-tune list --experiment houses"))
@common_options
def list_studies(common: Common) -> Answer:
    """List the studies of one experiment or of all.

    The trials, the best value and the time of a running study may be up to 15 seconds old.
    """
    try:
        client = Client(common.tracking_uri, only_read=True)
        records = Studies(client).all(common.experiment)
        where = public_uri(client.uri)
        words = f"Studies at {where}:" if records else f"No studies at {where}{near_words(client.uri)}"
    except StudyNotFound as error:  # there is no store yet, and to look makes none
        records, words = [], str(error)
    return Answer(
        lambda: {"studies": [{name: getattr(record, name) for name in _NAMES} for record in records]},
        lambda: _print(console(common), words, records),
    )


def _print(shown: Console, words: str, records: Sequence[StudyRecord]) -> None:
    print_whole(shown, words)
    if records:
        _print_records(shown, records)
    else:
        shown.print("`mlflow-tune run study.yaml` starts one.")


def _print_records(shown: Console, records: Sequence[StudyRecord]) -> None:
    """Print a table of the studies; where it has no room for whole names and run ids, a few lines for each."""
    facts = [(each.state, str(each.trials_done), _best(each), local_time(each.last_active)) for each in records]
    rows = [(each.name, *found, each.user, each.run_id) for each, found in zip(records, facts, strict=True)]
    reasons = [each.why_stopped for each in records]
    headings = ("study", "state", "trials", "best", "last active", "by", "run id")
    if shown.width - shown.measure(table_of(headings, rows, headings, ())).maximum >= _WORDS:
        wide = (*headings, "why it stopped")
        told = [(*row, reason) for row, reason in zip(rows, reasons, strict=True)]
        shown.print(table_of(wide, told, left=wide, words=wide[-1:]))
        return
    for (name, state, _, best, active, user, run_id), record, reason in zip(rows, records, reasons, strict=True):
        done = counted(record.trials_done, "trial")
        shown.print(name)
        shown.print(f"  {state}, {done} done, {f'best {best}' if best else 'no value yet'}")
        shown.print(f"  last active {active}{f', by {user}' if user else ''}")
        shown.print(f"  run {run_id}")
        if reason:
            shown.print(f"  {reason}")


def _best(record: StudyRecord) -> str:
    """Return the best value under its metric's name, empty where there is none."""
    best = record.best_value
    return "" if best is None else f"{record.definition['metric']}={number_text(best)}"
