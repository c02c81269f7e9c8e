"""The question before code runs that somebody else may have written into a study."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click

from mlflow_tune.cli.common import Ended, print_line
from mlflow_tune.errors import InputError
from mlflow_tune.study.approvals import approve, unapproved
from mlflow_tune.study.study import Study
from mlflow_tune.text.redaction import without_credentials

folder_option = click.option(
    "--folder", type=click.Path(path_type=Path), help="Where the study's code is, if it has moved."
)
yes_option = click.option("--yes", is_flag=True, help="Approve what the study runs without being asked.")


def ask_before_running(study: Study, yes: bool) -> None:
    """Show what the study would run here that this user has neither started nor approved, and ask; `yes` approves.

    Raises InputError, with the command to type, where nobody can be asked, and Ended when the answer is no.
    """
    if not yes and (what := unapproved(study.handle)):
        if not sys.stdin.isatty():
            raise InputError(f"{what.sentence}; look at it, and allow it to run here with `{_with_yes()}`")
        for line in what.lines:
            print_line(line, err=True)
        if not click.confirm("Run it here?", err=True):
            raise Ended("Nothing was run.", 1)
    approve(study.handle)


def _with_yes() -> str:
    """Return the command that was typed, with --yes."""
    words = click.get_current_context().find_root().obj["words"]
    end = words.index("--") if "--" in words else len(words)
    return without_credentials(shlex.join(["mlflow-tune", *words[:end], "--yes", *words[end:]]))
