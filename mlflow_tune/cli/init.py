"""The command that drafts a study file from an MLproject: init."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click

from mlflow_tune.cli.common import Common, common_options, print_json
from mlflow_tune.cli.study_argument import run_command
from mlflow_tune.errors import InputError, InternalError
from mlflow_tune.launchers import mlproject
from mlflow_tune.spec.draft import Draft, DraftRequest, draft, logged_metrics
from mlflow_tune.spec.fields import as_line, as_metric
from mlflow_tune.spec.study_file import parse_study
from mlflow_tune.text import at, short
from mlflow_tune.text.yaml import load_yaml

_STANDARD_OUTPUT = "-"


@click.command()
@click.argument("project")
@click.option("-e", "--entry-point", default="main", show_default=True, help="Which of the project's entry points.")
@click.option(
    "-o", "--output", metavar="FILE", default="study.yaml", show_default=True, help="The file to write; - prints it."
)
@click.option("--metric", metavar="NAME", help="The metric to tune [default: one that the project's code logs].")
@common_options
def init(project: str, common: Common, entry_point: str, output: str, metric: str | None) -> None:
    """Draft a study file for PROJECT, a folder with an MLproject file or a git URI.

    Its numeric parameters are searched around their defaults, the others are fixed. Each line of the file is explained
    in a comment. The project's code is read, never run.
    """
    if output == _STANDARD_OUTPUT and common.as_json:
        raise InputError("both the file and the JSON would go to standard output: give another -o FILE", "--output")
    path = None if output == _STANDARD_OUTPUT else Path(output)
    _refuse_to_overwrite(path)
    found = draft(_request(project, entry_point, metric, common.experiment, path))
    _check(found)
    if path is not None:
        _write(path, found.text)
    following = run_command(path or "study.yaml", common.tracking_uri)
    if common.as_json:
        print_json(_json(found, path, following))
    elif path is None:
        click.echo(found.text, nl=False)
        _tell(found, "", following, to_error=True)
    else:
        _tell(found, f"{path} is written: ", following)


def _request(
    project: str, entry_point: str, metric: str | None, experiment: str | None, path: Path | None
) -> DraftRequest:
    with tempfile.TemporaryDirectory(prefix="mlflow-tune-", ignore_cleanup_errors=True) as temporary:
        into = Path(temporary, "project").resolve()
        root = mlproject.fetch(project, None, Path.cwd(), into)
        loaded = mlproject.entry_point(root, entry_point)
        metrics = logged_metrics(root, loaded.template)
        name = mlproject.project_name(project, root)
    if metric is not None:
        metrics = [at("--metric", as_metric, metric), *(each for each in metrics if each != metric)]
    if not metrics:
        raise InputError(
            'no metric is found in the project\'s Python files, as log_metric("...") or log_metrics({...}): '
            "name the one that it logs by --metric NAME"
        )
    if experiment:
        experiment = at("--experiment", as_line, experiment)
    home = (path.parent if path else Path()).resolve()
    place = project if root.is_relative_to(into) else os.path.relpath(root.resolve(), home)
    parameters = list(loaded.declared.values())
    return DraftRequest(place, entry_point, short(name, 200) or "study", parameters, metrics, experiment)


def _refuse_to_overwrite(path: Path | None) -> None:
    if path is None:
        return
    if path.exists() or path.is_symlink():
        raise InputError(f"{str(path)!r} exists, and init overwrites nothing: give another -o FILE", "--output")
    if not path.parent.is_dir():
        raise InputError(f"there is no folder {str(path.parent)!r}", "--output")


def _check(found: Draft) -> None:
    try:
        parse_study(load_yaml(found.text))
    except InputError as error:
        raise InternalError(f"the study file that init drafted is not valid, please report it: {error}") from error


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror}", "--output") from error


def _json(found: Draft, path: Path | None, following: str) -> dict[str, object]:
    names = ("metric", "goal", "searched", "fixed", "missing")
    return {"file": str(path), **{name: getattr(found, name) for name in names}, "next": following}


def _tell(found: Draft, begin: str, following: str, to_error: bool = False) -> None:
    file = sys.stderr if to_error else sys.stdout
    click.echo(f"{begin}{found.goal} {found.metric} over {', '.join(found.searched)}.", file)
    if not found.goal_known:
        click.echo(f"Check `goal`: the name {found.metric} does not tell which way is better.", file)
    if found.missing:
        click.echo(f"Before it can run, give a value under run.parameters to: {', '.join(found.missing)}.", file)
    click.echo("Read it, then start the study by:", file)
    click.echo(following, file)
