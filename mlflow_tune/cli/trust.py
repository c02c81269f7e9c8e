"""The question before code runs that another user's study names."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.command import Command
from mlflow_tune.provenance import user_tags
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.study import Study
from mlflow_tune.text import escaped
from mlflow_tune.tracking import last_driver, user_here

folder_option = click.option(
    "--folder", type=click.Path(path_type=Path), help="Where the study's code lies, when it has moved."
)
yes_option = click.option("--yes", is_flag=True, help="Run another user's study without asking.")


def other_writers(study: Study) -> list[str]:
    """Return the users other than this one who made the study or drove it last, as MLflow and its claim name them."""
    ours = {user_tags().get("mlflow.user", ""), user_here()}
    wrote = dict.fromkeys([study.record.user, last_driver(study.client, study.run_id) or study.record.user])
    return [user for user in wrote if user not in ours or not user]


def foreign_code(study: Study) -> str:
    """Return in one line who else wrote the study and what of theirs it would run here, "" for one of one's own."""
    if not (others := other_writers(study)):
        return ""
    by = " and ".join(escaped(user[:100]) or "an unknown user" for user in others)
    return f"the study {escaped(study.record.name)!r} was written by {by} and runs {code_of(study.spec)}"


def ask_before_running(study: Study, yes: bool, folder: Path | None) -> None:
    """Show what another user's study would run here, and go on only when the person at the terminal says so.

    `folder` is where its code lies when that is not where it was. Nothing is asked about a study of one's own, nor
    with `yes`. Raises InputError where nobody can be asked; ends with exit code 1 when the answer is no.
    """
    if yes or not (what := foreign_code(study)):
        return
    if not sys.stdin.isatty():
        raise InputError(f"{what}; to run that here, look at it and give --yes")
    click.echo(f"{what[0].upper()}{what[1:]}\nin the folder {escaped(str(folder or study.record.folder))}", err=True)
    if not click.confirm("Run it here?", err=True):
        click.echo("Nothing was run.", err=True)
        raise SystemExit(1)


def code_of(spec: StudySpec) -> str:
    """Return in one line what a trial runs, with nothing in it that a terminal would act on."""
    run = spec.run
    words = {"command": run.command and _shell_words(run.command), "project": run.project, "function": run.function}
    kind, text = next(((kind, text) for kind, text in words.items() if text), ("objective", run.objective or ""))
    fixed = "".join(f" {name}={value}" for name, value in run.parameters.items())
    entry = f" (entry point {run.entry_point})" if kind == "project" else ""
    version = f" at {run.version}" if run.version else ""
    return escaped(f"the {kind} `{text}`{version}{entry}" + (f" with{fixed}" if fixed else ""))


def _shell_words(command: Command) -> str:
    """Return the command as a shell would take it, its groups in brackets: they go by a value."""
    return " ".join(shlex.quote(part) if isinstance(part, str) else f"[{shlex.join(part)}]" for part in command)
