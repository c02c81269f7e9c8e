"""The house: its rooms, which of them imports which, what stays unloaded, and what the package says of itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

import mlflow_tune
from tests.fixtures import ROOT
from tests.support.house_map import files_section, written_section

PACKAGE = Path(mlflow_tune.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {
    "matplotlib",
    "mlflow",
    "numpy",
    "pandas",
    "pydantic",
    "rich",
    "scipy",
    "skopt",
    "sklearn",
    "sqlalchemy",
    "torch",
} | {"yaml"}
TEXT = {"text", *(f"text.{name}" for name in ("numbers", "reading", "safe", "tables", "times", "values", "words"))}
SPACE = {"errors", "space", "space.choices", "space.dimensions", *TEXT}
MOST_ROOMS, MOST_LOOSE_FILES = 12, 8
CONTRACT = (ROOT / "pyproject.toml").read_text().partition("[tool.importlinter]")[2]
LAYERS = [re.findall(r"\w+", line) for line in re.findall(r'^    "(.+)",$', CONTRACT, re.MULTILINE)]


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def rooms() -> set[str]:
    return {path.parent.name for path in PACKAGE.glob("*/__init__.py")}


def loose_files() -> set[str]:
    return {path.stem for path in PACKAGE.glob("*.py")}


# --- rooms and directions ----------------------------------------------------------------------------------------


def check_contract(folder: Path) -> subprocess.CompletedProcess[str]:
    """Hold the package in the folder to the contract of pyproject.toml."""
    code = "import sys; sys.path.insert(0, ''); from importlinter.cli import lint_imports_command as main; main()"
    command = [sys.executable, "-c", code, "--no-cache", "--config", str(ROOT / "pyproject.toml")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_imports_run_one_way():
    done = check_contract(ROOT)
    assert done.returncode == 0, done.stdout
    assert "2 kept, 0 broken" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("importer", "wanted", "said"),
    [
        ("space/dimensions.py", "mlflow_tune.trial", "mlflow_tune.space is not allowed to import mlflow_tune.trial"),
        ("study/study.py", "mlflow_tune.cli.common", "mlflow_tune.study is not allowed to import mlflow_tune.cli"),
        (
            "report/html.py",
            "mlflow_tune.launchers.base",
            "mlflow_tune.report is not allowed to import",
        ),
        ("tracking/client.py", "mlflow_tune.tracking.trials", "No cycles are allowed in mlflow_tune.tracking"),
    ],
)
def test_the_contract_refuses_what_it_should(tmp_path, importer, wanted, said):
    shutil.copytree(PACKAGE, tmp_path / "mlflow_tune", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "mlflow_tune" / importer).open("a") as file:
        file.write(f"import {wanted}\n")
    done = check_contract(tmp_path)
    assert done.returncode == 1
    assert said in done.stdout


def circle(wanted: Mapping[str, set[str]]) -> list[str]:
    """Return files of which each imports the one before, the first the last; [] where there are no such."""
    try:
        TopologicalSorter(wanted).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_file_imports_itself_by_way_of_others():
    """The files with what a folder's `__init__` imports, which the contract leaves out."""
    graph = grimp.build_graph("mlflow_tune", cache_dir=None)
    wanted = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules - {"mlflow_tune"}}
    assert not circle(wanted)
    assert circle(wanted | {"mlflow_tune.errors": {"mlflow_tune.text.reading"}})  # as a wrong import would make it


@pytest.mark.parametrize("path", [path for path in MODULES if path != PACKAGE / "__init__.py"], ids=module_name)
def test_no_import_of_our_own_is_hidden_from_the_interpreter(path):
    hidden = [
        ast.unparse(inner)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom) and "mlflow_tune" in ast.unparse(inner)
    ]
    assert not hidden


def test_the_house_stays_small():
    assert len(rooms()) <= MOST_ROOMS
    assert len(loose_files()) <= MOST_LOOSE_FILES


def test_the_map_shows_each_room_and_the_directions_of_the_contract():
    drawn = (PACKAGE / "README.md").read_text()
    listed = set(re.findall(r"^\| \[`(\w+)/`\]\(\1\)", drawn, re.MULTILINE))
    assert listed == rooms()
    loose = set(re.findall(r"^\| \[`(\w+)\.py`\]\(\1\.py\)", drawn, re.MULTILINE))
    assert loose == loose_files()
    picture = drawn.partition("```text\n")[2].partition("```")[0]
    assert [re.findall(r"\w+", line) for line in picture.splitlines() if re.search(r"\w", line)] == LAYERS


@pytest.mark.slow
def test_the_map_lists_every_file_with_what_it_holds():
    assert written_section() == files_section(), "python -m tests.support.house_map writes it anew"


def test_every_room_says_first_what_it_holds():
    for room in sorted(rooms()):
        said = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text()))
        assert said, room
        assert said.splitlines()[0].endswith((".", ":")), room


# --- what is loaded, and what is said ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "argv", [["-c", "import mlflow_tune"], ["-m", "mlflow_tune", "--help"]], ids=["import", "help"]
)
def test_what_takes_seconds_stays_unloaded(argv):
    """A fresh interpreter says on exit which modules it has loaded."""
    code = (
        "import atexit, json, runpy, sys\n"
        "atexit.register(lambda: sys.stderr.write(json.dumps(sorted(sys.modules))))\n"
        "flag, what, *sys.argv[1:] = sys.argv[1:]\n"
        "exec(what) if flag == '-c' else runpy.run_module(what, run_name='__main__')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in json.loads(done.stderr)}
    assert "mlflow_tune" in loaded
    assert not loaded & HEAVY
    assert ("Usage: mlflow-tune" in done.stdout) == ("--help" in argv)


def test_the_public_names_exist_and_are_documented():
    assert sorted(mlflow_tune.__all__) == mlflow_tune.__all__
    for name in mlflow_tune.__all__:
        thing = getattr(mlflow_tune, name)
        assert inspect.getdoc(thing), f"{name} has no docstring"
        assert thing.__module__.startswith("mlflow_tune."), f"{name} comes from {thing.__module__}"
    assert set(mlflow_tune.__all__) <= set(dir(mlflow_tune))
    with pytest.raises(AttributeError, match="no attribute 'Nonsense'"):
        mlflow_tune.Nonsense  # noqa: B018


def test_the_names_of_type_checkers_are_those_of_the_interpreter():
    """They are written down three times in __init__.py: in `if TYPE_CHECKING`, in `__all__`, and with their modules."""
    checked = {
        name.name: node.module.removeprefix("mlflow_tune.")
        for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlflow_tune.")
        for name in node.names
    }
    assert sorted(checked) == mlflow_tune.__all__
    assert checked == mlflow_tune._MODULES


@pytest.mark.parametrize(
    ("name", "modules"),
    [
        ("__version__", set()),
        ("InputError", {"errors"}),
        *((name, SPACE) for name in ("Space", "Float", "Int", "Categorical", "Ordinal")),
        *((name, SPACE | {"trial"}) for name in ("Trial", "Suggestion")),
    ],
)
def test_a_plain_name_loads_its_own_module_and_what_that_needs(name, modules):
    """Names came from probing once, and `mlflow_tune.Trial` loaded all that a study needs."""
    code = f"import json, sys, mlflow_tune; mlflow_tune.{name}; print(json.dumps(sorted(sys.modules)))"
    loaded = json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
    ours = {each.removeprefix("mlflow_tune.") for each in loaded if each.startswith("mlflow_tune.")}
    assert ours == modules
    assert not {each.partition(".")[0] for each in loaded} & (HEAVY | {"click"})


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_everything_public_has_a_docstring(path):
    if path.stem == "__main__":
        return
    module = importlib.import_module(module_name(path))
    assert module.__doc__
    missing = []
    for name, thing in public(module):
        if not inspect.getdoc(thing):
            missing.append(name)
        if inspect.isclass(thing):
            missing += [f"{name}.{key}" for key, member in public_members(thing) if not inspect.getdoc(member)]
    assert not missing


def public(module) -> Iterator[tuple[str, object]]:
    for name, thing in vars(module).items():
        defined = inspect.isclass(thing) or inspect.isfunction(thing)
        if defined and thing.__module__ == module.__name__ and not name.startswith("_"):
            yield name, thing


def public_members(kind: type) -> Iterator[tuple[str, object]]:
    for name, member in vars(kind).items():
        if not name.startswith("_") and isinstance(member, property | classmethod | staticmethod | type(public)):
            yield name, getattr(member, "__func__", member)
