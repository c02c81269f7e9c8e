"""The command that asks a running study to stop: stop."""

from __future__ import annotations

import click

from mlflow_tune.cli.common import Common, common_options, print_json, print_line
from mlflow_tune.cli.study_argument import find_record, study_argument
from mlflow_tune.tracking import Client, Studies


@click.command()
@study_argument()
@common_options
def stop(study: str, common: Common) -> None:
    """Ask a running STUDY to stop: it starts no new trial, lets others end, and can be resumed."""
    client = Client(common.tracking_uri, only_read=True)
    record = find_record(study, common, client)
    asked = record.state == "running"
    if asked:
        Studies(client).request_stop(record.run_id)
    if common.as_json:
        print_json({"study": record.name, "run_id": record.run_id, "state": record.state, "asked": asked})
    elif asked:
        print_line(f"{record.name} was asked to stop; it ends when the trials that run now have ended.")
    else:
        print_line(f"{record.name} is not running: it is {record.state}.")
