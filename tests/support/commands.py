"""The commands of `mlflow-tune`, loaded."""

import click

from mlflow_tune.cli import main

CONTEXT = click.Context(main)


def command(name: str) -> click.Command:
    found = main.get_command(CONTEXT, name)
    assert found is not None, name
    return found


COMMANDS = {name: command(name) for name in main.list_commands(CONTEXT)}
