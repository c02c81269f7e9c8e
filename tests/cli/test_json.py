"""`--json`: one object on standard output from every command, as cli/JSON.md says; an error is one, too."""

from __future__ import annotations

import json
import shutil

import click
import pytest
from click.testing import CliRunner, Result

from mlflow_tune.cli import main
from mlflow_tune.cli.common import Ended
from mlflow_tune.cli.show import show
from mlflow_tune.errors import TrackingError
from tests.cli.test_study_argument import COMMANDS as OF_A_STUDY
from tests.fixtures import TRAINING_CODE
from tests.fixtures.small_studies.helpers import study_file
from tests.support import commands
from tests.support.json_answers import PAGE, answered, documented
from tests.support.server import copy_store

HERE = {"advise", "run", "list", "init", "schema", "best"}  # all others are tried on a study by test_study_argument


def invoke(*words: object) -> Result:
    return CliRunner().invoke(main, [*map(str, words)])


@pytest.fixture(scope="module")
def uri(store_template, tmp_path_factory):
    """A store with one study."""
    folder = tmp_path_factory.mktemp("answers")
    uri = copy_store(store_template, folder)
    ran = invoke("run", study_file(folder, name="s", stop={"trials": 1}), "--tracking-uri", uri, "--json")
    answered("run", json.loads(ran.stdout))
    answered("advise", json.loads(invoke("advise", folder / "study.yaml", "--tracking-uri", uri, "--json").stdout))
    return uri


def test_the_page_has_every_command():
    shown = {name for name, command in commands.COMMANDS.items() if not command.hidden}
    assert set(documented()) == shown == {*OF_A_STUDY, *HERE}


@pytest.mark.slow
def test_the_keys_of_commands_that_take_no_study(uri):
    answered("list", listed := json.loads(invoke("list", "--tracking-uri", uri, "--json").stdout))
    assert all(f"`{key}`" in PAGE.read_text() for key in listed["studies"][0])
    answered("schema", json.loads(invoke("schema", "--json").stdout))
    shutil.copytree(TRAINING_CODE.parent / "drafted", "drafted")
    answered("init", json.loads(invoke("init", "drafted/with_argparse.py", "--json").stdout))


def test_what_a_command_adds_on_request(uri):
    told = json.loads(invoke("best", "s", "--command", "--tracking-uri", uri, "--json").stdout)
    assert list(told)[-1] == "command"


@pytest.mark.parametrize(
    "words", [["show", "nobody"], ["show"], ["show", "a", "b"], ["dance"], ["--colour", "list"], []]
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_what_is_wrong_is_one_object_with_the_exit_code(words, place):
    result = invoke(*(["--json", *words] if place == "before" else [*words, "--json"]))
    told = json.loads(result.stdout)
    assert list(told) == ["schema", "error", "exit_code"]
    assert (result.exit_code, told["exit_code"], told["schema"]) == (2, 2, 1)
    assert told["error"].splitlines()[0] in result.stderr


@pytest.mark.parametrize(
    ("error", "said", "code"),
    [
        (TrackingError("away"), "away", 3),
        (Ended("Nothing was run.", 1), "Nothing was run.", 1),
        (SystemExit(130), "ended without an answer", 130),
        (click.Abort(), "the question was not answered", 1),
        (KeyboardInterrupt(), "interrupted", 130),
        (ZeroDivisionError("oh"), "unexpected ZeroDivisionError: oh", 1),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else "",
)
def test_however_a_command_ends_there_is_one_object(monkeypatch, error, said, code):
    def end(**_options: object) -> None:
        raise error

    monkeypatch.setattr(show, "callback", end)
    result = invoke("show", "s", "--json")
    assert json.loads(result.stdout) == {"schema": 1, "error": said, "exit_code": code}
    assert result.exit_code == code


def test_a_word_behind_two_dashes_asks_for_no_json():
    result = invoke("show", "--", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
