"""What every command shares: its options, and a line in the help of the group."""

from __future__ import annotations

import click
import pytest

from mlflow_tune import cli
from tests.support import commands

COMMON = {
    "tracking_uri": ["--tracking-uri"],
    "experiment": ["--experiment"],
    "as_json": ["--json"],
    "verbose": ["-v", "--verbose"],
}


@pytest.mark.parametrize("name", sorted(commands.COMMANDS))
def test_every_command_has_the_shared_options_as_they_are_declared_once(name):
    def declared(command: click.Command) -> dict:
        return {option.name: (option.opts, option.to_info_dict()) for option in command.params if option.name in COMMON}

    found = declared(commands.COMMANDS[name])
    assert {option: opts for option, (opts, _) in found.items()} == COMMON
    assert found == declared(commands.COMMANDS["list"])


@pytest.mark.parametrize("name", sorted(commands.COMMANDS))
def test_the_help_of_the_group_says_of_a_command_what_its_own_help_says_first(name):
    """The group's help loads no command, so each sentence stands twice."""
    command = commands.COMMANDS[name]
    said = cli._COMMANDS[name]
    assert said == ("" if command.hidden else command.get_short_help_str(1000))
