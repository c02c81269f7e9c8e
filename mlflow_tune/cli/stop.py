"""The command that asks a running study to stop: stop."""

from __future__ import annotations

import click

from mlflow_tune.cli.common import Answer, Common, common_options, example, print_line
from mlflow_tune.cli.study_argument import find_record, study_argument
from mlflow_tune.tracking import Client, Studies


@click.command(epilog=example("mlflow-tune stop my-study"))
@study_argument()
@common_options
def stop(study: str, common: Common) -> Answer:
    """Ask a running STUDY to stop: it starts no new trial, lets the others end, and can be resumed."""
    client = Client(common.tracking_uri, only_read=True)
    record = find_record(study, common, client)
    asked = record.state == "running"
    if asked:
        Studies(client).request_stop(record.run_id)
    form = {"study": record.name, "run_id": record.run_id, "state": record.state, "asked": asked}
    asked_words = f"{record.name} was asked to stop; it ends once the trials that are running have ended."
    words = asked_words if asked else f"{record.name} is not running: it is {record.state}."
    return Answer(lambda: form, lambda: print_line(words))
