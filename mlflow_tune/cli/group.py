"""The group of commands: each is loaded when it is called, and ends with the exit codes that README.md lists."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import click
from click.shell_completion import CompletionItem

from mlflow_tune.cli.common import INTERRUPTED, Ended, print_json, print_line
from mlflow_tune.errors import TuneError
from mlflow_tune.text.output import SafeStream, one_printed_line, safe_streams
from mlflow_tune.text.redaction import masked

COMPLETION = "_MLFLOW_TUNE_COMPLETE"  # what a shell that completes a word puts into the environment


class TuneGroup(click.Group):
    """A group whose commands end with the exit codes of README.md, without a traceback for what people can fix.

    `loaded` tells of each command its module, and what the group's help says of it: nothing, if it is hidden.
    """

    def __init__(self, *args: Any, loaded: Mapping[str, tuple[str, str]], **more: Any) -> None:
        super().__init__(*args, **more)
        self._loaded = loaded

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the names of all commands."""
        return sorted(self._loaded)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return a command by its name, None when there is none."""
        if cmd_name not in self._loaded:
            return None
        module = import_module(self._loaded[cmd_name][0])
        found: click.Command = next(
            thing for thing in vars(module).values() if isinstance(thing, click.Command) and thing.name == cmd_name
        )
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the commands that people call, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in sorted(self._loaded.items()) if said])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin so, without loading a command."""
        found = [
            (name, said) for name, (_, said) in sorted(self._loaded.items()) if said and name.startswith(incomplete)
        ]
        items = [CompletionItem(name, help=said) for name, said in found]
        return [*items, *click.Command.shell_complete(self, ctx, incomplete)]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note what was typed, and whether JSON is asked for: an error in the arguments is then told in JSON too."""
        options = args[: args.index("--")] if "--" in args else args
        ctx.ensure_object(dict).update(json="--json" in options, words=list(args))
        with _in_json_too(ctx):
            return super().parse_args(ctx, args)

    def main(self, *args: Any, **more: Any) -> Any:
        """Run the command; whatever it prints is made safe, and an output that cannot be written ends no study."""
        if COMPLETION in os.environ:  # click writes bytes, and `complete_study` gives nothing that acts on a terminal
            return super().main(*args, **{**more, "complete_var": COMPLETION})
        with safe_streams():
            return super().main(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; show its error in one line a fault."""
        try:
            with _in_json_too(ctx):
                found = super().invoke(ctx)
            if _is_lost():  # a study that was driven has said by its exit code how it ended
                ctx.exit(1)
            return found
        except TuneError as error:
            _show_error(str(error))
            ctx.exit(error.exit_code)
        except click.ClickException as error:
            # It may show what was typed.
            error.message = one_printed_line(masked(error.message))  # type: ignore[misc]
            raise
        except Ended as end:
            print_line(str(end), err=True)
            ctx.exit(end.exit_code)
        except KeyboardInterrupt:
            _show_error("interrupted")
            ctx.exit(INTERRUPTED)


def _is_lost() -> bool:
    """Whether what a command printed could not be written; that nobody reads it (`| head`) is no fault."""
    sys.stdout.flush()
    failed = sys.stdout.failed if isinstance(sys.stdout, SafeStream) else None
    return failed is not None and not isinstance(failed, BrokenPipeError)


def _show_error(message: str) -> None:
    for line in masked(message).splitlines():  # it may show what was typed
        click.echo(f"Error: {line}", err=True)


@contextmanager
def _in_json_too(ctx: click.Context) -> Iterator[None]:
    """Print what ends the command as one JSON object, where JSON is asked for and there is no answer yet."""
    try:
        yield
    except BaseException as error:
        words, exit_code = _words_and_code(error)
        if exit_code and (ctx.find_object(dict) or {}).get("json"):
            print_json({"error": masked(words), "exit_code": exit_code}, ctx)
        raise


def _words_and_code(error: BaseException) -> tuple[str, int]:
    """Return what is to be said of what ends a command, and its exit code; 0 when it ends well."""
    match error:
        case TuneError() | Ended():
            found = str(error), error.exit_code
        case click.ClickException():
            found = error.format_message(), error.exit_code
        case click.exceptions.Exit():
            found = "ended without an answer", error.exit_code
        case SystemExit():
            found = "ended without an answer", error.code if isinstance(error.code, int) else int(bool(error.code))
        case KeyboardInterrupt():
            found = "interrupted", INTERRUPTED
        case click.Abort():
            found = "the question was not answered", 1
        case _:  # a bug, of which its traceback tells more
            found = f"unexpected {type(error).__name__}: {error}", 1
    return found
