"""What every command shares: options, the console, and the one way in which it answers people and programs."""

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
JSON_VERSION = 1  # of what --json prints: a key that goes, or means something else, makes it the next
Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True)
class Common:
    """The options of every command."""

    tracking_uri: str | None
    experiment: str | None
    as_json: bool


def nothing_more() -> None:
    """Print nothing: what people read was printed while the command worked."""


@dataclass(frozen=True)
class Answer:
    """What a command returns: `form` makes the answer for programs, `show` prints the one for people.

    What is printed while the command works, on `console`, is neither. Of a study that was `driven` the exit code says
    how it ended, whether or not that could be printed.
    """

    form: Callable[[], Mapping[str, Any]]
    show: Callable[[], object] = nothing_more
    exit_code: int = 0
    driven: bool = False


class Ended(Exception):
    """The command has ended before it had an answer, and nothing is wrong: the words say why."""

    def __init__(self, words: str, exit_code: int) -> None:
        super().__init__(words)
        self.exit_code = exit_code


def example(*commands: str) -> str:
    """Return what stands last in a command's help: how it is typed."""
    heading = "Example:" if len(commands) == 1 else "Examples:"
    return "\n".join(["\b", heading, *(f"  {command}" for command in commands)])


_OPTIONS = (
    click.option("-v", "--verbose", is_flag=True, help="Report every decision on standard error."),
    click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output and nothing else."),
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
    """Add --tracking-uri, --experiment, --json and -v; the command gets them as one argument `common`.

    The `Answer` that it returns is told, and its exit code is the command's.
    """

    def wrapped(
        *args: Any, tracking_uri: str | None, experiment: str | None, as_json: bool, verbose: bool, **more: Any
    ) -> Any:
        set_up_logging(verbose)
        common = Common(tracking_uri, experiment, as_json)
        answer: Answer | None = command(*args, common=common, **more)
        if answer is not None:
            tell(answer, common)
            if answer.exit_code or answer.driven:
                raise SystemExit(answer.exit_code)

    wrapped.__name__ = command.__name__
    wrapped.__doc__ = command.__doc__
    wrapped.__click_params__ = getattr(command, "__click_params__", [])  # type: ignore[attr-defined]
    return shared_options(wrapped)  # type: ignore[return-value]


def console(common: Common) -> Console:
    """Return the console for people: standard output, or standard error beside JSON."""
    return console_for_people(on_stderr=common.as_json)


def tell(answer: Answer, common: Common) -> None:
    """Print the answer: one JSON object on standard output where that is asked for, else what people read."""
    if common.as_json:
        print_json(answer.form())
    else:
        answer.show()


def print_json(form: Mapping[str, Any], ctx: click.Context | None = None) -> None:
    """Print one JSON object on standard output, with the version of what it holds; a second one is left out."""
    typed = (ctx or click.get_current_context()).ensure_object(dict)
    if not typed.get("told"):
        click.echo(json_text({"schema": JSON_VERSION, **form}, sys.stdout.encoding or "utf-8"))
    typed["told"] = True


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
