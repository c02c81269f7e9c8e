"""The command that draws a study again: report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from mlflow_tune.cli.common import Answer, Common, common_options, console, example, print_line
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.study.display.summary import print_links
from mlflow_tune.study.study import Study
from mlflow_tune.tracking.artifacts import Artifacts

if TYPE_CHECKING:
    from rich.console import Console


@click.command(epilog=example("mlflow-tune report my-study"))
@study_argument()
@common_options
def report(study: str, common: Common) -> Answer:
    """Redraw STUDY's pictures, trials.csv and report.html, and log them to its parent run.

    They are drawn from what the tracking server holds, so any machine can do it.
    """
    found = find_study(study, common)
    print_line("Drawing the report...", err=True)
    loaded = found.report()
    return Answer(
        lambda: {"study": loaded.record.name, "run_id": loaded.run_id},
        lambda: _print(console(common), loaded),
    )


def _print(shown: Console, study: Study) -> None:
    print_line(f"report.html, trials.csv and figures/ are artifacts of the run {study.run_id}.")
    if (folder := Artifacts(study.client, study.run_id).folder()) is not None:
        print_line(f"Open {folder / 'report.html'} in a browser.")
    print_links(shown, study.handle)
