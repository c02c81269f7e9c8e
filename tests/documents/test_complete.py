"""What exists is documented: every command, option, key, tag, metric, outcome, rule, exit code and variable."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import fields
from typing import get_args

import click
import pytest

import mlflow_tune
from mlflow_tune.cli import common
from mlflow_tune.diagnosis.finding import FindingName
from mlflow_tune.diagnosis.stopping import RULES
from mlflow_tune.errors import TuneError
from mlflow_tune.space import RESERVED_NAMES, ROLES, Categorical, Float, Int, Ordinal
from mlflow_tune.strategies import STRATEGIES, reserved_names
from mlflow_tune.trial import OutcomeKind
from tests.documents.markdown import DOCUMENTS, read, section
from tests.fixtures import ROOT
from tests.support import commands, study_keys

PACKAGE = ROOT / "mlflow_tune"
COMMAND_LINE, TRACKING = PACKAGE / "cli" / "README.md", PACKAGE / "tracking" / "README.md"
SOURCES = "\n".join(path.read_text() for path in sorted(PACKAGE.rglob("*.py")))
# What mlflow_tune's own processes tell one another.
INTERNAL_VARIABLES = {"MLFLOW_TUNE_TRIAL", "MLFLOW_TUNE_WATCHED"}
PUBLIC = {name: command for name, command in commands.COMMANDS.items() if not command.hidden}
SHARED = {"tracking_uri", "experiment", "as_json", "verbose"}
BY_SIGNAL = {0, common.INTERRUPTED, 143}


def undocumented(names: Iterable[str], text: str) -> list[str]:
    """Return the names that the text does not have in code style, alone or with more behind them."""
    return sorted(name for name in names if not re.search(rf"`{re.escape(name)}(?![\w.])", text))


# --- the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_command_has_a_row_with_its_arguments_and_options(name):
    (row,) = re.findall(rf"^\| `mlflow-tune {name}\b.*", read(COMMAND_LINE), re.MULTILINE)
    options = [each for each in PUBLIC[name].params if isinstance(each, click.Option) and each.name not in SHARED]
    missing = [option.opts[-1] for option in options if not re.search(rf"{option.opts[-1]}(?![\w-])", row)]
    assert missing == []
    known = {opt for option in options for opt in option.opts}
    assert set(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", row.split("` |")[0])) <= known


def test_the_shared_options_are_documented():
    first = read(COMMAND_LINE).partition("\n| ")[0]
    assert all(opt in first for each in PUBLIC["list"].params if each.name in SHARED for opt in each.opts)


def test_exit_codes():
    def codes(kind: type[TuneError]) -> set[int]:
        return {kind.exit_code}.union(*map(codes, kind.__subclasses__()))

    listed = re.findall(r"^\| (\d+) \|", section(COMMAND_LINE, "Exit codes"), re.MULTILINE)
    assert {int(code) for code in listed} == codes(TuneError) | BY_SIGNAL


def test_environment_variables():
    used = set(re.findall(r"(?<!_)MLFLOW_TUNE_[A-Z_]+", SOURCES)) - INTERNAL_VARIABLES
    assert undocumented(used, section(COMMAND_LINE, "Environment variables")) == []


# --- the study file --------------------------------------------------------------------------------------------------


def test_the_table_of_keys_is_that_of_the_models():
    assert study_keys.written() == study_keys.table(), "python -m tests.support.study_keys writes it anew"
    assert [key for key, meaning, _ in study_keys.rows() if not meaning] == []


def test_what_a_parameter_may_say():
    told = section(PACKAGE / "spec" / "README.md", "Parameters to search")
    keys = {field.name for kind in (Float, Int, Categorical, Ordinal) for field in fields(kind)}
    assert undocumented({*keys, *ROLES, "float", "int", "categorical", "ordinal"}, told) == []


@pytest.mark.parametrize("name", STRATEGIES)
def test_every_strategy_has_its_section_and_its_options(name):
    document = PACKAGE / "strategies" / "README.md"
    (row,) = re.findall(rf"^\| `{name}` \| (.*) \|$", read(document), re.MULTILINE)
    options = {field.name for field in fields(STRATEGIES[name])} - {"goal"}
    assert set(re.findall(r"`(\w+)(?:: [^`]+)?`", row)) == options
    assert section(document, name.capitalize())


def test_stopping_rules_and_their_keys():
    document = PACKAGE / "diagnosis" / "stopping" / "README.md"
    rules = {name: {field.name for field in fields(rule)} for name, rule in RULES.items()}
    rows = dict(re.findall(r"^\| `(\w+)(?:\((.*?)\))?` \|", section(document, "Rules"), re.MULTILINE))
    assert {name: set(re.findall(r"(\w+)=", options)) for name, options in rows.items()} == rules
    keys = [key for key, _, _ in study_keys.rows() if key.startswith("stop_trials.")]
    assert undocumented(keys, read(document)) == []


# --- what MLflow holds -----------------------------------------------------------------------------------------------


def test_every_tag():
    used = {tag.rstrip(".") for tag in re.findall(r'"(tune\.[a-z_]+(?:\.[a-z]+)?\.?)', SOURCES)}
    assert undocumented(used, re.sub(r"\.(?:N|<nonce>)`", "`", read(TRACKING))) == []


def test_every_metric():
    told = section(TRACKING, "Metrics of a trial")
    assert undocumented({*RESERVED_NAMES, *reserved_names(), "log10_<parameter>"}, told) == []
    assert undocumented(["best_<metric>", "trials_ok", "trials_failed"], read(TRACKING)) == []


def test_every_outcome():
    assert undocumented(get_args(OutcomeKind), read(PACKAGE / "launchers" / "README.md")) == []


def test_every_finding_of_the_diagnosis():
    listed = re.findall(r"^\| `([a-z-]+)` \|", read(PACKAGE / "diagnosis" / "README.md"), re.MULTILINE)
    assert sorted(listed) == sorted(get_args(FindingName))


def test_every_public_name_is_shown_somewhere():
    text = "\n".join(map(read, DOCUMENTS))
    assert [name for name in mlflow_tune.__all__ if not re.search(rf"\b{name}\b", text)] == []
