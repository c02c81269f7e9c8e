"""The command that drafts a study file from an MLproject, a script or a sweep of W&B: init."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import click

from mlflow_tune.cli.common import Answer, Common, common_options, example
from mlflow_tune.cli.study_argument import run_command
from mlflow_tune.errors import InputError, InternalError
from mlflow_tune.launchers import mlproject
from mlflow_tune.spec.draft import Draft, DraftRequest, Parameter, ProjectRun, draft
from mlflow_tune.spec.draft.scripts import script_request
from mlflow_tune.spec.draft.scripts.metrics import logged_metrics
from mlflow_tune.spec.draft.sweeps import is_sweep, sweep_draft
from mlflow_tune.spec.fields import as_line, as_metric
from mlflow_tune.spec.schema import MODELINE, write_beside
from mlflow_tune.spec.study_file import parse_study
from mlflow_tune.text import at, escaped, short
from mlflow_tune.text.yaml import load_yaml

_STANDARD_OUTPUT = "-"


@click.command(epilog=example("mlflow-tune init train.py --metric val_loss", "mlflow-tune init train.py -o study.yaml"))
@click.argument("source")
@click.option(
    "-e",
    "--entry-point",
    default="main",
    show_default=True,
    help="The entry point of a project, or the command of a script.",
)
@click.option(
    "-o",
    "--output",
    metavar="FILE",
    default="study.yaml",
    show_default=True,
    help="The file to write; - prints it instead.",
)
@click.option("--metric", metavar="NAME", help="The metric to tune  [default: one that the code logs]")
@common_options
def init(source: str, common: Common, entry_point: str, output: str, metric: str | None) -> Answer:
    """Draft a study file from SOURCE: a script, an MLflow project or a W&B sweep.

    A script ends in .py and takes its parameters through argparse, click, typer, Hydra or LightningCLI. A project is a
    folder with an MLproject file, or a git URI. A sweep file ends in .yaml or .yml. Numeric parameters are searched
    around their defaults; the others stay as they are. A comment explains each line of the file. Your code is read,
    never run. Beside the file, study.schema.json lets editors complete and check it.
    """
    if output == _STANDARD_OUTPUT and common.as_json:
        raise InputError("the file and the JSON would both go to standard output: give another -o FILE", "--output")
    path = None if output == _STANDARD_OUTPUT else Path(output)
    _refuse_to_overwrite(path)
    asked = _Asked(source, entry_point, metric, common.experiment, (path.parent if path else Path()).resolve())
    found = _drafted(asked.checked())
    _check(found)
    if path is not None:
        _write(path, found.text)
    following = run_command(path or "study.yaml", common.tracking_uri)
    return Answer(lambda: _json(found, path, following), lambda: _print(found, path, following))


@dataclass(frozen=True)
class _Asked:
    """What a person has asked for; `home` is where the study file is to lie."""

    source: str
    entry_point: str
    metric: str | None
    experiment: str | None
    home: Path

    def checked(self) -> _Asked:
        """Return this when the metric and the experiment are such as a study has. Raises InputError."""
        if self.metric is not None:
            at("--metric", as_metric, self.metric)
        if self.experiment:
            at("--experiment", as_line, self.experiment)
        return self

    @property
    def metrics(self) -> list[str]:
        """The metric that was asked for, if one was."""
        return [] if self.metric is None else [self.metric]


def _drafted(asked: _Asked) -> Draft:
    path = Path(asked.source)
    if path.suffix in (".yaml", ".yml") and not path.is_dir():
        return _sweep(asked, path)
    if path.suffix == ".py" and path.is_file():
        return draft(_with_metric(script_request(path, asked.home, asked.entry_point, asked.metrics, asked.experiment)))
    return draft(_with_metric(_project(asked)))


def _with_metric(request: DraftRequest) -> DraftRequest:
    if not request.metrics:
        raise InputError(
            'no metric was found in the code, as log_metric("...") or log_metrics({...}): name the one that it logs '
            "with --metric NAME"
        )
    return request


def _project(asked: _Asked) -> DraftRequest:
    with tempfile.TemporaryDirectory(prefix="mlflow-tune-", ignore_cleanup_errors=True) as temporary:
        into = Path(temporary, "project").resolve()
        root = mlproject.fetch(asked.source, None, Path.cwd(), into)
        loaded = mlproject.entry_point(root, asked.entry_point)
        metrics = logged_metrics(root, loaded.template)
        name = mlproject.project_name(asked.source, root)
    place = asked.source if root.is_relative_to(into) else os.path.relpath(root.resolve(), asked.home)
    parameters = [
        Parameter(each.name, each.type, each.default, each.default is None) for each in loaded.declared.values()
    ]
    metrics = [*asked.metrics, *(each for each in metrics if each != asked.metric)]
    run = ProjectRun(place, asked.entry_point)
    return DraftRequest(run, short(name, 200) or "study", parameters, metrics, asked.experiment)


def _sweep(asked: _Asked, path: Path) -> Draft:
    try:
        form = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"{str(path)!r} cannot be read: {reason}") from None
    if not is_sweep(form):
        hint = "; it is a study file already" if isinstance(form, dict) and "space" in form else ""
        raise InputError(f"{str(path)!r} is not a W&B sweep, which has a method and parameters{hint}")
    found = sweep_draft(form, path, asked.home, asked.metric, asked.experiment)
    try:
        parse_study(load_yaml(found.text))
    except InputError as error:  # a name that MLflow refuses, a password, more text than a tag holds
        raise InputError(f"the sweep does not make a valid study: {error}") from None
    return found


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
    """Write the file, and beside it the schema that its first line names."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(f"{MODELINE}{text}")
        write_beside(path.parent)
    except OSError as error:
        raise InputError(f"{str(path)!r} cannot be written: {error.strerror}", "--output") from error


def _json(found: Draft, path: Path | None, following: str) -> dict[str, object]:
    names = ("metric", "goal", "searched", "fixed", "missing", "notes")
    return {"file": str(path), **{name: getattr(found, name) for name in names}, "next": following}


def _print(found: Draft, path: Path | None, following: str) -> None:
    """Print the file, or where it was written, and what to know of it."""
    if path is None:
        click.echo(found.text, nl=False)
    file = sys.stderr if path is None else sys.stdout
    click.echo(
        f"{f'{path} is written: ' if path else ''}{found.goal} {found.metric} over {', '.join(found.searched)}.", file
    )
    if not found.goal_known:
        click.echo(f"Check `goal`: the name {found.metric} does not say which way is better.", file)
    for note in found.notes:
        click.echo(f"{escaped(note)}.", file)
    if found.missing:
        click.echo(f"Before it can run, give these a value under run.parameters: {', '.join(found.missing)}.", file)
    click.echo("Read it, then start the study:", file)
    click.echo(following, file)
