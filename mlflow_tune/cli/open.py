"""The command that prints the link to a study in MLflow's UI: open."""

from __future__ import annotations

import webbrowser

import click

from mlflow_tune.cli.common import Answer, Common, common_options, example, print_line
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.errors import InputError


@click.command("open", epilog=example("mlflow-tune open my-study --browser"))
@study_argument()
@click.option(
    "--charts", "place", flag_value="charts", default="charts", help="The charts that compare its trials (default)."
)
@click.option("--table", "place", flag_value="table", help="The table of its trials.")
@click.option("--run", "place", flag_value="run", help="Its parent run.")
@click.option("--browser", is_flag=True, help="Open the link in a browser.")
@common_options
def open_study(study: str, common: Common, place: str, browser: bool) -> Answer:
    """Print the link to STUDY in MLflow's UI."""
    loaded = find_study(study, common)
    links = loaded.links
    if not links:
        raise InputError(f"this store has no server: `{loaded.handle.command('ui')}` starts one and opens the study")
    if browser:
        webbrowser.open(links[place])
    form = {"study": loaded.record.name, "run_id": loaded.run_id, "links": links}
    return Answer(lambda: form, lambda: print_line(links[place]))
