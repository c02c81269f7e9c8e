"""The command that compares studies: compare."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlflow_tune.cli.common import Common, common_options, console, print_json, write_page
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.report.comparison.comparison import Comparison
from mlflow_tune.report.comparison.table import HEADINGS, cells, comparison_json, rows
from mlflow_tune.report.comparison.words import DEFINITIONS, findings, sentences, target_reason
from mlflow_tune.study.comparison import Logged, StudyComparison
from mlflow_tune.text import table_of
from mlflow_tune.text.console import print_whole

if TYPE_CHECKING:
    from rich.table import Table


WIDEST = 10_000  # columns: a table is asked for the width that it wants, not for what a terminal has


@click.command()
@study_argument("studies", nargs=-1, required=True, metavar="STUDY STUDY...")
@click.option("--target", type=float, help="The value to reach [default: the worst of the studies' best values].")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write the comparison as a page, too.")
@click.option("--no-log", is_flag=True, help="Log nothing to MLflow.")
@common_options
def compare(studies: tuple[str, ...], common: Common, target: float | None, html: Path | None, no_log: bool) -> None:
    """Compare two or more studies of one metric.

    Those that differ in seed alone are a group, whose means have an interval. The comparison becomes a run of its own
    in the experiment of the first, with a page, figures, a table, and a link to the studies' curves side by side.
    """
    loaded = [find_study(each, common) for each in studies]
    found = StudyComparison([each.handle for each in loaded], loaded[0].client, target)
    show_comparison(found, common, html, no_log)


def show_comparison(found: StudyComparison, common: Common, html: Path | None = None, no_log: bool = False) -> None:
    """Log the comparison, write its page, and print it; end with exit code 1 when no trial has a value.

    Raises InputError for a page that cannot be written.
    """
    # Written before anything is logged, so that a path that cannot be written leaves nothing behind.
    page = None if html is None else write_page(html, found.html())
    logged = None if no_log else found.log()
    if page and logged and logged.links:
        write_page(page, found.html(logged))
    if common.as_json:
        print_json(_json(found.numbers, logged, page))
    else:
        _show(common, found.numbers, logged, page)
    if all(entrant.best is None for entrant in found.numbers.entrants):
        raise SystemExit(1)


def _json(numbers: Comparison, logged: Logged | None, page: Path | None) -> dict[str, Any]:
    return {
        **comparison_json(numbers),
        "html": page and str(page),
        "run_id": logged and logged.run_id,
        "experiment_id": logged and logged.experiment_id,
        "links": dict(logged.links) if logged else {},
    }


def _show(common: Common, numbers: Comparison, logged: Logged | None, page: Path | None) -> None:
    shown = console(common)
    table = _table(numbers)
    wanted = shown.measure(table, options=shown.options.update(max_width=WIDEST)).maximum
    if wanted > shown.width:
        for line in _lines(numbers):
            shown.print(line)
    else:
        shown.print(table)
    for line in (*sentences(numbers), "", target_reason(numbers), *findings(numbers), DEFINITIONS):
        shown.print(line)
    if page:
        print_whole(shown, f"\nThe page: {page}")
    if logged:
        shown.print(f"\nLogged to the run {logged.run_id}. Compare the studies in MLflow:")
        print_whole(shown, logged.seen)


def _lines(numbers: Comparison) -> list[str]:
    """Return the table as lines: where there is no room for a row on one, a name that is cut up tells none apart."""
    lines = []
    for member, group in rows(numbers):
        first, *others = cells(numbers, group)
        indent = "  " if member else ""
        told = (f"{heading} {cell}" for heading, cell in zip(HEADINGS[1:], others, strict=True) if cell)
        lines += [f"{indent}{first}", f"{indent}  {', '.join(told)}"]
    return lines


def _table(numbers: Comparison) -> Table:
    lines = []
    for member, group in rows(numbers):
        first, *others = cells(numbers, group)
        lines.append([f"  {first}" if member else first, *others])
    return table_of(HEADINGS, lines, left=HEADINGS, words=HEADINGS)
