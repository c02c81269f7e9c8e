"""Every code block in every document is run or checked here, or is listed with the reason why it is not."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from mlflow_tune.space import Space
from mlflow_tune.spec.study_file import StudySpec, parse_study, read_study_file
from mlflow_tune.strategies import reserved_names
from mlflow_tune.text.yaml import load_yaml
from tests.documents.markdown import Block, all_blocks, block_of
from tests.documents.test_python import RUN as RUN_PYTHON
from tests.documents.test_session import RUN as RUN_SHELL
from tests.fixtures import ROOT
from tests.support.commands import COMMANDS

CHECK = (
    "python3 -m venv --upgrade-deps .venv && . .venv/bin/activate && pip install -q -e '.[test]' && "
    "ruff check && ruff format --check && mypy && pytest"
)
SUITE = "it is this suite; .ci/run runs it in a fresh clone"
# By document and first line. A file that a reason names is a test that runs the same.
NOT_RUN = {
    ("README.md", "pip install ."): "it installs; .ci/run does in a fresh clone",
    (
        "README.md",
        "python3 -m venv --upgrade-deps .venv && . .venv/bin/activate && pip install -q . && "
        "mlflow-tune run examples/digits.yaml",
    ): "it installs; tests/browser/picture.py runs the study",
    ("README.md", CHECK): SUITE,
    ("README.md", "mlflow-tune init PROJECT"): "PROJECT stands for yours: tests/cli/test_init_runs.py",
    ("tests/README.md", CHECK): SUITE,
    ("tests/README.md", 'pytest -m "not slow"                          # the quick part'): SUITE,
    ("mlflow_tune/README.md", CHECK): SUITE,
    (
        "mlflow_tune/README.md",
        "python -m tests.support.house_map       # the list of files at the end of this page",
    ): "it writes into the repository: tests/test_house.py, tests/documents/test_complete.py",
    (
        "mlflow_tune/README.md",
        '"""Local random search: draws around the best point so far."""',
    ): "tests/strategies/test_new_strategy.py",
    (
        "mlflow_tune/spec/README.md",
        "mlflow-tune init train.py       # a script; -e COMMAND if it has several, --metric NAME, -o FILE",
    ): "PROJECT stands for yours: tests/cli/test_init_runs.py",
    (
        "mlflow_tune/diagnosis/stopping/README.md",
        "mlflow-tune resume alpha-and-depth --train-on 3,7             "
        "# 7 was stopped: to its end; 3 had finished: twice as long",
    ): "it needs a stopped trial: tests/study/test_train_on.py",
    ("mlflow_tune/executors/README.md", "class RayExecutor(Executor):"): "tests/executors/test_executors.py",
    (
        "projects/README.md",
        "mlflow run projects/grid --env-manager local -P project=projects/digits -P metric=val_loss \\",
    ): "it takes minutes: tests/projects/test_mlprojects.py",
    (
        "projects/README.md",
        "mlflow run PROJECT -b tune --backend-config study.json -P epochs=12",
    ): "PROJECT stands for yours: tests/test_backend.py",
    (
        "tests/benchmarks/README.md",
        "python -m tests.benchmarks       # the benchmarks of speed, each against its peers in one run; about an hour",
    ): "it takes an hour",
    ("examples/alpha/README.md", "pip install -e '.[torch]'"): "minutes: tests/examples/test_lessons_alpha.py",
    (
        "examples/alpha/README.md",
        "python projects/pnet/train.py --alpha 0.12599210498948726 --networks 20 --seed 2001",
    ): "minutes: tests/examples/test_lessons_alpha.py",
    (
        "examples/babysitting/README.md",
        "python examples/babysitting/session.py             # types the five commands; --short types three",
    ): "minutes: tests/examples/test_lessons_torch.py",
    (
        "examples/bayes_1d/README.md",
        "mlflow-tune run examples/bayes_1d/uncertainty.yaml",
    ): "its pictures take a while: tests/strategies/test_sequential.py",
    ("examples/dropout_grid/README.md", "pip install -e '.[torch]'"): "minutes: tests/examples/test_lessons_torch.py",
    (
        "examples/dropout_grid/README.md",
        "python examples/dropout_grid/lesson.py             # five seeds, 192 trainings; --short takes seconds",
    ): "minutes: tests/examples/test_lessons_torch.py",
}
HELD_BY = {"examples/README.md": "tests/examples/test_recipes.py"}  # all commands of a document are run there
SAID = ("text", "")  # pictures in characters, and what commands have said; its commands are checked
BASE = {"name": "base", "metric": "loss", "stop": {"trials": 4}, "strategy": "random"}


def key(block: Block) -> tuple[str, str]:
    return block.document, block.first


# --- nothing is forgotten --------------------------------------------------------------------------------------------


def test_every_block_is_run_or_listed_with_its_reason():
    run = {key(block) for block in all_blocks("yaml")} | set(RUN_SHELL) | set(RUN_PYTHON)
    said = {key(block) for block in all_blocks() if block.language in SAID or block.document in HELD_BY}
    everything = [key(block) for block in all_blocks()]
    assert [each for each in everything if each not in run | said | set(NOT_RUN)] == []
    assert sorted((set(RUN_SHELL) | set(RUN_PYTHON) | set(NOT_RUN)) - set(everything)) == []
    assert not set(NOT_RUN) & run


def test_the_tests_that_reasons_name_exist():
    named = re.findall(r"tests/[\w/.]+|\.ci/run", " ".join([*NOT_RUN.values(), *HELD_BY.values()]))
    assert [name for name in named if not (ROOT / name).exists()] == []


# --- study files -----------------------------------------------------------------------------------------------------


def parts(block: Block) -> list[dict]:
    """Return what the block says; where a key comes twice, its lines are examples by themselves."""
    lines = block.text.splitlines()
    names = re.findall(r"^(\w+):", block.text, re.MULTILINE)
    texts = lines if len(set(names)) < len(names) else [block.text]
    return [load_yaml(text) for text in texts]


def whole(part: dict) -> dict:
    """Return a study of which the part is one, with whatever parameters its command names."""
    if not set(part) <= set(StudySpec.model_fields):
        return {**BASE, "run": {"function": "train:loss"}, "space": part}
    study = {**BASE, "run": {"function": "train:loss"}, **part}
    names = re.findall(r"\{(\w+)\}", str(study["run"])) or ["x"]
    return {"space": {name: {"type": "float", "low": 0.1, "high": 1} for name in names}, **study}


@pytest.mark.parametrize("block", all_blocks("yaml"), ids=lambda block: f"{block.document}:{block.first}")
def test_study_files_and_their_parts_are_accepted(block):
    for part in parts(block):
        study = parse_study(whole(part))
        assert set(part) <= {*StudySpec.model_fields, *study.space}


def test_the_tour_shows_the_files_of_its_folder():
    folder = ROOT / "examples" / "tour"
    assert block_of("README.md", "parser = argparse.ArgumentParser()").text in (folder / "train.py").read_text()
    assert block_of("README.md", "name: diabetes").text == (folder / "study.yaml").read_text()
    read_study_file(folder / "study.yaml")


# --- commands --------------------------------------------------------------------------------------------------------


def lines() -> list[tuple[str, str]]:
    """Return each command of each document: where it stands, and its words."""
    shell = [(block.document, line) for block in all_blocks("sh") for line in block.lines]
    said = [
        (block.document, line.removeprefix("$ "))
        for block in all_blocks("")
        for line in block.text.splitlines()
        if line.startswith("$ ")
    ]
    return [(document, part.strip()) for document, line in shell + said for part in line.split("&&")]


def test_every_command_of_ours_is_one_that_its_own_parser_takes():
    found = [(document, shlex.split(line)) for document, line in lines() if line.startswith("mlflow-tune ")]
    assert len(found) > 30
    for document, (_, name, *words) in found:
        try:
            COMMANDS[name].make_context(name, [word for word in words if word != "..."])
        except click.ClickException as error:
            pytest.fail(f"{document}: mlflow-tune {name} {shlex.join(words)}: {error.format_message()}")


def environment_and_words(line: str) -> list[str]:
    return [word for word in shlex.split(line) if not re.fullmatch(r"[A-Z_]+=.*", word)]


def test_every_script_module_and_extra_that_a_command_names_exists():
    optional = (ROOT / "pyproject.toml").read_text().partition("[project.optional-dependencies]")[2].partition("\n[")[0]
    extras = re.findall(r"^(\w+) = \[", optional, re.MULTILINE)
    for document, line in lines():
        words = environment_and_words(line)
        if words[0].startswith("python") and words[1] == "-m" and words[2].startswith("tests."):
            path = ROOT / words[2].replace(".", "/")
            assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), (document, line)
        elif words[0].startswith("python") and words[1].endswith(".py"):
            assert (ROOT / words[1]).exists(), (document, line)
        elif words[:2] == ["pip", "install"]:
            assert set(re.findall(r"\[(\w+)\]", line)) <= set(extras), (document, line)
        elif words[0] == "pytest":
            assert all((ROOT / word).exists() for word in words if word.startswith("tests/")), (document, line)


def test_every_parameter_of_mlflow_run_is_declared_by_its_project():
    found = [shlex.split(line) for _, line in lines() if line.startswith("mlflow run projects/")]
    assert len(found) == 3
    for words in found:
        declared = yaml.safe_load((ROOT / words[2] / "MLproject").read_text())["entry_points"]["main"]["parameters"]
        given = dict(words[index + 1].split("=", 1) for index, word in enumerate(words) if word == "-P")
        assert set(given) <= set(declared)
        if "space" in given:
            Space.from_json(load_yaml(given["space"]), reserved_names())
        if "project" in given:
            assert Path(ROOT, given["project"], "MLproject").exists()


def test_what_ci_runs_is_the_readmes_first_line_under_test_it():
    (command,) = re.findall(r"^command=\$\((.*)\)$", (ROOT / ".ci" / "run").read_text(), re.MULTILINE)
    told = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert told.strip() == CHECK
