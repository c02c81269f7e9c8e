"""What every command shares: options, the console, JSON."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mlflow_tune.errors import InputError
from mlflow_tune.text.console import console_for_people
from mlflow_tune.text.output import SteadyStream, inert, json_text, one_printed_line

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Common:
    """The options of every command."""

    tracking_uri: str | None
    experiment: str | None
    as_json: bool


_OPTIONS = (
    click.option("-v", "--verbose", is_flag=True, help="Say every decision on standard error."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output, nothing else."),
    click.option("--experiment", metavar="NAME", help="The MLflow experiment, by name."),
    click.option(
        "--tracking-uri", metavar="URI", help="The tracking server [default: MLFLOW_TRACKING_URI, else ./mlflow.db]."
    ),
)


def shared_options(command: Command) -> Command:
    """Add --tracking-uri, --experiment, --json and -v, as options under their own names."""
    for option in _OPTIONS:
        command = option(command)
    return command


def common_options(command: Command) -> Command:
    """Add --tracking-uri, --experiment, --json and -v; the command gets them as one argument `common`."""

    def wrapped(
        *args: Any, tracking_uri: str | None, experiment: str | None, as_json: bool, verbose: bool, **more: Any
    ) -> Any:
        set_up_logging(verbose)
        return command(*args, common=Common(tracking_uri, experiment, as_json), **more)

    wrapped.__name__ = command.__name__
    wrapped.__doc__ = command.__doc__
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    return shared_options(wrapped)  # type: ignore[return-value]


def console(common: Common) -> Console:
    """Return the console for people: standard output, or standard error beside JSON."""
    return console_for_people(on_stderr=common.as_json)


def print_json(form: Mapping[str, Any]) -> None:
    """Print one JSON object on standard output."""
    click.echo(json_text(form, sys.stdout.encoding or "utf-8"))


def print_line(text: str, err: bool = False) -> None:
    """Print one line on standard output, or on standard error: whatever stands in the text, it stays one."""
    click.echo(one_printed_line(text), err=err)


def write_page(path: Path, text: str) -> Path:
    """Write an HTML page where --html says; return the path. Raises InputError when it cannot be written."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}", "--html") from None
    return path


def set_up_logging(verbose: bool) -> None:
    """Send warnings, or with `verbose` every decision, to standard error; keep MLflow's chatter out."""
    handler = logging.StreamHandler(SteadyStream(sys.stderr))
    handler.setFormatter(_Words())
    logger = logging.getLogger("mlflow_tune")
    logger.handlers = [handler]
    logger.propagate = False
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


class _Words(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        message = inert(one_printed_line(record.getMessage()))
        return message if record.levelno < logging.WARNING else f"{record.levelname.capitalize()}: {message}"
