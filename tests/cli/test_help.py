"""`--help`: what a command does, its options, an example that can be typed; of the group the exit codes as well."""

from __future__ import annotations

import re
import shlex

import click
import pytest
from click.testing import CliRunner

from mlflow_tune import errors
from mlflow_tune.cli import main
from tests.support import commands


def helped(*words: str) -> str:
    result = CliRunner().invoke(main, [*words, "--help"])
    assert result.exit_code == 0
    return result.stdout


def examples(shown: str) -> list[list[str]]:
    """Return the words of each example, behind `mlflow-tune`."""
    _, _, below = shown.partition("Example")
    found = [line.strip() for line in below.splitlines() if line.startswith("    mlflow-tune ")]
    return [shlex.split(line.partition(" > ")[0])[1:] for line in found]


@pytest.mark.parametrize("name", sorted(commands.COMMANDS))
def test_every_command_shows_an_example_that_it_takes(name):
    shown = helped(name)
    assert examples(shown)
    for first, *words in examples(shown):
        assert first == name
        with commands.COMMANDS[name].make_context(
            name, words
        ) as context:  # raises UsageError for what it does not take
            assert context.params
    assert max(map(len, shown.splitlines())) <= 80, "lines of examples are not wrapped"


def test_the_group_shows_examples_and_the_exit_codes():
    shown = helped()
    assert [first for first, *_ in examples(shown)] == ["run", "best", "COMMAND"]
    told = {int(code) for code in re.findall(r"^    (\d+)  ", shown, re.MULTILINE)}
    raised = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "exit_code")}
    assert told == raised | {0, 130, 143}


def test_options_say_what_they_take_and_end_as_sentences_do():
    for name, command in commands.COMMANDS.items():
        for option in (each for each in command.params if isinstance(each, click.Option)):
            assert re.search(r"[.\])]$", option.help or ""), (name, option.name)
            assert (option.help or "")[0].isupper(), (name, option.name)
