"""The command that holds two trials of a study against each other: diff.

Names, reasons and contents are other people's: each goes through `short` or `printable`, so that no control character
of theirs reaches the terminal.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mlflow_tune.cli.common import Common, common_options, console, print_json, write_page
from mlflow_tune.cli.plots import curves_text
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.report.difference.difference import (
    Artifact,
    Content,
    Difference,
    told,
    unified,
)
from mlflow_tune.report.difference.page import diff_html
from mlflow_tune.report.table import seconds_of
from mlflow_tune.study.difference import difference_of
from mlflow_tune.study.display.tables import trial_json
from mlflow_tune.text import (
    bytes_text,
    json_number,
    number_text,
    seconds_text,
    short,
    table_of,
    trial_label,
)
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


WIDEST = 100
MOST_LINES = 200
LOOKS = {"+": "green", "-": "red", "@": "cyan"}


@click.command()
@study_argument()
@click.argument("trials", type=click.IntRange(1), nargs=2, metavar="TRIAL TRIAL")
@click.option(
    "--artifact", "paths", multiple=True, metavar="PATH", help="Compare this file of both trials; may come many times."
)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write it as a page, too.")
@common_options
def diff(study: str, common: Common, trials: tuple[int, int], paths: tuple[str, ...], html: Path | None) -> None:
    """Hold two trials of STUDY against each other, by their numbers.

    What was changed from the first to the second, their metrics and curves, how each ended, and the files that they
    logged. With --artifact, images stand side by side on the page that --html writes, and texts are compared line by
    line. Nothing is written to MLflow.
    """
    found = difference_of(find_study(study, common).handle, trials, paths)
    if html:
        _write_page(html, found)
    if common.as_json:
        print_json({**difference_json(found), "html": html and str(html)})
    else:
        print_difference(console(common), found, html)


def _write_page(path: Path, found: Difference) -> None:
    from mlflow_tune.report.difference.figures import curve_figures

    write_page(path, diff_html(found, curve_figures(found), time.time_ns() // 1_000_000))


def difference_json(difference: Difference) -> dict[str, Any]:
    """Return the difference for programs: all that is shown but for the artifacts' contents.

    A number that JSON does not have is text: "nan", "inf".
    """
    return {
        "study": difference.study,
        "run_id": difference.run_id,
        "metric": difference.direction.metric,
        "goal": difference.direction.goal,
        "against": difference.sentence,
        "trials": [
            {**_trial_form(trial), "findings": list(lines)}
            for trial, lines in zip(difference.trials, difference.findings, strict=True)
        ],
        "params": [
            {"name": row.name, "values": list(row.values), "changed": row.changed, "factor": json_number(row.factor)}
            for row in difference.param_rows()
        ],
        "metrics": [
            {
                "name": row.name,
                "values": list(map(json_number, row.values)),
                "difference": json_number(row.difference),
                "better": row.better,
            }
            for row in difference.metric_rows()
        ],
        "curves": {
            name: [[[step, json_number(value)] for step, value in curve] for curve in pair]
            for name, pair in difference.curves.items()
        },
        "files": _files_form(difference),
        "files_complete": difference.files.complete if difference.files else None,
        "artifacts": [_artifact_form(artifact) for artifact in difference.artifacts],
    }


def _trial_form(trial: Trial) -> dict[str, Any]:
    return {**trial_json(trial), "seconds": seconds_of(trial)}


def _files_form(difference: Difference) -> list[dict[str, Any]] | None:
    if difference.files is None:
        return None
    return [{"name": name, "in": list(held), "sizes": list(sizes)} for name, held, sizes in difference.files.rows()]


def _artifact_form(artifact: Artifact) -> dict[str, Any]:
    files = [file and _content_form(file) for file in artifact.files]
    return {"name": artifact.name, "kind": artifact.kind, "equal": artifact.equal, "files": files}


def _content_form(file: Content) -> dict[str, Any]:
    return {"size": file.size, "sha256": file.sha256 or None, "pixels": file.pixels and list(file.pixels)}


def print_difference(console: Console, difference: Difference, page: Path | None = None) -> None:
    """Print the difference for people; `page` is where it was written as a page."""
    first, second = difference.labels
    console.print(f"{short(difference.study)}, from {first} to {second}: {short(difference.sentence, 2000)}")
    for trial, label, lines in zip(difference.trials, difference.labels, difference.findings, strict=True):
        _print_trial(console, difference.direction.metric, trial, label, lines)
    console.print(_params(difference))
    console.print(_metrics(difference) if difference.metric_rows() else "No metric.")
    _print_curve(console, difference)
    _print_files(console, difference)
    for artifact in difference.artifacts:
        _print_artifact(console, difference, artifact, page)
    if page:
        console.print(f"\nThe page: {page}")


def _print_trial(console: Console, metric: str, trial: Trial, label: str, findings: Sequence[str]) -> None:
    value = f"  {short(metric)}={number_text(trial.value)}" if trial.value is not None else ""
    seconds = f"  ({seconds_text(seconds_of(trial))})" if trial.end_time is not None else ""
    console.print(f"\n{label} {trial.outcome or 'running'}{value}{seconds}")
    told = [("why", trial.why), ("reason", trial.reason), *(("diagnosis", line) for line in findings)]
    for heading, words in told:
        if words:
            console.print(f"  {heading}: {short(words, 1000)}")


def _params(difference: Difference) -> Table:
    headings = ("parameter", *difference.labels, "change")
    found = difference.param_rows()
    rows = [[short(row.name), *map(short, row.texts), row.change] for row in found]
    changed = [index for index, row in enumerate(found) if row.changed]
    return table_of(headings, rows, left=headings[:1], words=headings, bold=changed)


def _metrics(difference: Difference) -> Table:
    headings = ("metric, last value", *difference.labels, "difference", "better")
    rows = [
        [short(row.name), *map(number_text, row.values), row.gain, trial_label(row.better)]
        for row in difference.metric_rows()
    ]
    return table_of(headings, rows, left=headings[:1], words=headings)


def _print_curve(console: Console, difference: Difference) -> None:
    metric = difference.direction.metric
    if metric in difference.curves:
        named = zip(difference.labels, difference.curves[metric], strict=True)
        curves = {f"{label} {short(metric, 40)}": curve for label, curve in named}
        console.print(curves_text(curves, min(console.width, WIDEST)))


def _print_files(console: Console, difference: Difference) -> None:
    if difference.files is None:
        return
    rows = difference.files.rows()
    if not rows:
        console.print("Neither trial has an artifact.")
        return
    headings = ("artifact", *difference.labels)
    told_sizes = [
        [bytes_text(size) if has else "none" for has, size in zip(held, sizes, strict=True)] for _, held, sizes in rows
    ]
    cells = [[short(name), *sizes] for (name, _, _), sizes in zip(rows, told_sizes, strict=True)]
    console.print(table_of(headings, cells, left=headings[:1], words=headings))
    if not difference.files.complete:
        console.print("The list is cut: there are more.")


def _print_artifact(console: Console, difference: Difference, artifact: Artifact, page: Path | None) -> None:
    console.print(f"\n{short(artifact.name)}: {short(told(difference, artifact))}")
    for label, file in zip(difference.labels, artifact.files, strict=True):
        if file is not None:
            pixels = f", {file.pixels[0]} x {file.pixels[1]} pixels" if file.pixels else ""
            digest = f", SHA-256 {file.sha256}" if file.sha256 and artifact.kind == "other" else ""
            console.print(f"  {label} {bytes_text(file.size)}{pixels}{digest}")
    if artifact.kind == "image" and page is None and any(file and file.shown for file in artifact.files):
        console.print("  --html FILE writes a page on which the images are seen side by side.")
    _print_diff(console, unified(difference, artifact))


def _print_diff(console: Console, lines: Sequence[str]) -> None:
    from rich.text import Text

    for line in lines[:MOST_LINES]:
        console.print(Text(line, style=LOOKS.get(line[:1], "")))
    if len(lines) > MOST_LINES:
        console.print(f"… {len(lines) - MOST_LINES} more lines, which --html FILE shows")
