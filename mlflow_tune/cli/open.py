"""The command that prints the link to a study in MLflow's UI: open."""

from __future__ import annotations

import webbrowser

import click

from mlflow_tune.cli.common import Common, common_options, print_json, print_line
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.errors import InputError


@click.command("open")
@study_argument()
@click.option(
    "--charts", "place", flag_value="charts", default="charts", help="The charts that compare its trials (default)."
)
@click.option("--table", "place", flag_value="table", help="The table of its trials.")
@click.option("--run", "place", flag_value="run", help="Its parent run.")
@click.option("--browser", is_flag=True, help="Open the link in a browser.")
@common_options
def open_study(study: str, common: Common, place: str, browser: bool) -> None:
    """Print the link to STUDY in MLflow's UI."""
    loaded = find_study(study, common)
    links = loaded.links
    if not links:
        raise InputError(f"this store has no server: `{loaded.handle.command('ui')}` starts one and opens the study")
    if common.as_json:
        print_json({"study": loaded.record.name, "run_id": loaded.run_id, "links": links})
    else:
        print_line(links[place])
    if browser:
        webbrowser.open(links[place])
