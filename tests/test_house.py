"""Which room imports which, what stays unloaded, and what the package says of itself."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mlflow_tune

PACKAGE = Path(mlflow_tune.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))
# From the bottom to the top, as DESIGN.md draws it: a room imports from the layers below its own.
LAYERS: tuple[set[str], ...] = (
    {"errors"},
    {"space"},
    {"trial", "durations", "redaction", "sizes", "yaml12"},
    {"settings"},
    {"fields"},
    {"stopping", "strategies"},
    {"spec", "diagnosis", "report", "tracking", "launchers", "executors", "template"},
    {
        "adoption",
        "comparing",
        "creation",
        "crew",
        "definition",
        "driver",
        "ending",
        "interruptions",
        "judging",
        "launching",
        "listening",
        "origin",
        "outbox",
        "packing",
        "points",
        "publisher",
        "reporting",
        "session",
        "shipping",
        "study",
        "suggesting",
        "verdict",
    },
    {"cli"},
    {"backend"},  # under `mlflow run` a study shows its progress and its end as under `mlflow-tune run`: one code
)
STUDY = next(rooms for rooms in LAYERS if "study" in rooms)  # the loop in several files, which may import one another
ENTRANCES = {"__init__", "__main__"}  # they name what the rooms hold
HEAVY = {"mlflow", "skopt", "matplotlib", "numpy", "pydantic", "sklearn", "scipy", "pandas", "sqlalchemy"}


def room(module: str) -> str:
    """Return the room of `mlflow_tune.room.module`, "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of this package that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            if node.module == "mlflow_tune":
                yield from (f"mlflow_tune.{name.name}" for name in node.names)
            else:
                yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)


def layer(name: str) -> int:
    found = [index for index, rooms in enumerate(LAYERS) if name in rooms]
    assert found, f"the room {name!r} has no place in LAYERS"
    return found[0]


def may_import(importer: str, wanted: str) -> bool:
    """Whether one room may import another."""
    return importer == wanted or layer(wanted) < layer(importer) or {importer, wanted} <= STUDY


def violations(path: Path) -> list[str]:
    importer = room(module_name(path))
    wanted = {room(name) for name in imported(path) if name.startswith("mlflow_tune.")} - {"__version__"}
    return [f"{importer} imports {name}" for name in sorted(wanted) if not may_import(importer, name)]


ROOMS = [path for path in MODULES if path.parent != PACKAGE or path.stem not in ENTRANCES]


@pytest.mark.parametrize("path", ROOMS, ids=module_name)
def test_imports_run_one_way(path):
    assert not violations(path)


def test_rooms_in_braces_do_not_import_one_another():
    braces = {"spec", "strategies", "stopping", "diagnosis", "report", "tracking", "launchers", "executors", "template"}
    found = {
        (room(module_name(path)), room(name))
        for path in ROOMS
        for name in imported(path)
        if name.startswith("mlflow_tune.") and {room(module_name(path)), room(name)} <= braces
    }
    others = {pair for pair in found if pair[0] != pair[1]}
    assert others <= {("spec", "strategies"), ("spec", "stopping")}


@pytest.mark.parametrize(
    ("importer", "wanted"),
    [("space", "trial"), ("tracking", "study"), ("report", "tracking"), ("study", "cli"), ("launchers", "driver")],
)
def test_the_rule_refuses_what_it_should(importer, wanted):
    assert not may_import(importer, wanted)


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
    """They are written down twice in __init__.py: in `if TYPE_CHECKING`, and in `__all__`."""
    checked = {
        name.name
        for node in ast.walk(ast.parse((PACKAGE / "__init__.py").read_text()))
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("mlflow_tune.")
        for name in node.names
    }
    assert checked == set(mlflow_tune.__all__)


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
