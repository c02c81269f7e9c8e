"""The group of commands: each is loaded when it is called, and ends with the exit codes that README.md lists."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from mlflow_tune.cli.common import INTERRUPTED, print_json
from mlflow_tune.errors import TuneError
from mlflow_tune.text.output import SafeStream, safe_streams
from mlflow_tune.text.redaction import masked


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

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note what was typed, and whether JSON is asked for: an error in the arguments is then told in JSON too."""
        ctx.ensure_object(dict).update(json="--json" in args, words=list(args))
        return super().parse_args(ctx, args)

    def main(self, *args: Any, **more: Any) -> Any:
        """Run the command; whatever it prints is made safe, and an output that cannot be written ends no study."""
        with safe_streams():
            return super().main(*args, **more)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; show its error in one line a fault."""
        try:
            found = super().invoke(ctx)
            if _is_lost():  # a study that was driven has said by its exit code how it ended
                ctx.exit(1)
            return found
        except TuneError as error:
            _show_error(ctx, str(error), error.exit_code)
            ctx.exit(error.exit_code)
        except click.ClickException as error:
            error.message = masked(error.message)  # type: ignore[misc]  # it may show what was typed
            _error_json(ctx, error.format_message(), error.exit_code)
            raise
        except KeyboardInterrupt:
            _show_error(ctx, "interrupted", INTERRUPTED)
            ctx.exit(INTERRUPTED)


def _is_lost() -> bool:
    """Whether what a command printed could not be written; that nobody reads it (`| head`) is no fault."""
    sys.stdout.flush()
    failed = sys.stdout.failed if isinstance(sys.stdout, SafeStream) else None
    return failed is not None and not isinstance(failed, BrokenPipeError)


def _show_error(ctx: click.Context, message: str, exit_code: int) -> None:
    message = masked(message)  # it may show what was typed
    for line in message.splitlines():
        click.echo(f"Error: {line}", err=True)
    _error_json(ctx, message, exit_code)


def _error_json(ctx: click.Context, message: str, exit_code: int) -> None:
    if (ctx.find_object(dict) or {}).get("json"):
        print_json({"error": message, "exit_code": exit_code})
