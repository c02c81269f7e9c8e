"""The command that draws a study again: report."""

from __future__ import annotations

import click

from mlflow_tune.cli.common import Common, common_options, console, print_json, print_line
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.study.display.summary import print_links


@click.command()
@study_argument()
@common_options
def report(study: str, common: Common) -> None:
    """Draw STUDY's pictures, trials.csv and report.html again, and log them on its parent run.

    All of them come from what the tracking server holds, so any machine can draw them.
    """
    found = find_study(study, common)
    print_line("Drawing the report...", err=True)
    loaded = found.report()
    if common.as_json:
        print_json({"study": loaded.record.name, "run_id": loaded.run_id})
    else:
        print_line(f"report.html, trials.csv and figures/ are artifacts of the run {loaded.run_id}.")
        print_links(console(common), loaded.handle)
