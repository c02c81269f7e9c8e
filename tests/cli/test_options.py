"""The options that every command shares."""

from __future__ import annotations

import click
import pytest

from mlflow_tune.cli import main

COMMON = {
    "tracking_uri": ["--tracking-uri"],
    "experiment": ["--experiment"],
    "as_json": ["--json"],
    "verbose": ["-v", "--verbose"],
}


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_the_shared_options_as_they_are_declared_once(name):
    def declared(command: click.Command) -> dict:
        return {option.name: (option.opts, option.to_info_dict()) for option in command.params if option.name in COMMON}

    found = declared(main.commands[name])
    assert {option: opts for option, (opts, _) in found.items()} == COMMON
    assert found == declared(main.commands["list"])
