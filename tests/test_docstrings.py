"""The public names as pdoc renders them: each is there, says what it is, and names the errors that it raises."""

from __future__ import annotations

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from types import FunctionType

import pytest

import mlflow_tune
from mlflow_tune.errors import TuneError
from tests.support.docstrings import write_page

NAMES = mlflow_tune.__all__


def promised(thing: object) -> Iterator[tuple[str, FunctionType, str]]:
    """Yield each function of a public name, with what its docstring says; a class speaks for how it is made."""
    if isinstance(thing, FunctionType):
        yield thing.__name__, thing, inspect.getdoc(thing) or ""
    for kind in (each for each in getattr(thing, "__mro__", ()) if each.__module__.startswith("mlflow_tune.")):
        for name, member in vars(kind).items():
            function = getattr(member, "__func__", getattr(member, "fget", member))
            made = name in ("__init__", "__post_init__", "__new__")
            written = isinstance(function, FunctionType) and function.__code__.co_filename != "<string>"
            if written and (made or not name.startswith("_")):
                yield f"{kind.__name__}.{name}", function, inspect.getdoc(kind if made else function) or ""


def raised(function: FunctionType) -> set[str]:
    """Return the names of our errors that stand behind `raise` in the function itself."""
    nodes = ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function))))
    words = {ast.unparse(node.exc).partition("(")[0] for node in nodes if isinstance(node, ast.Raise) and node.exc}
    return {word for word in words if isinstance(getattr(mlflow_tune, word, None), type)}


@pytest.mark.parametrize("name", NAMES)
def test_a_public_name_says_what_it_is_and_what_it_raises(name):
    thing = getattr(mlflow_tune, name)
    assert inspect.getdoc(thing)
    silent = [where for where, _, said in promised(thing) if not said]
    assert not silent
    for where, function, said in promised(thing):
        missing = {error for error in raised(function) if error not in said}
        assert not missing, f"{where} does not say that it raises {missing}"


def test_an_error_says_who_acts_next():
    for name in NAMES:
        kind = getattr(mlflow_tune, name)
        if isinstance(kind, type) and issubclass(kind, TuneError):
            assert re.search(rf"{name} +(exit code +)?\d", mlflow_tune.errors.__doc__), name


@pytest.mark.slow
def test_pdoc_renders_every_public_name(tmp_path):
    write_page(tmp_path)
    page = (tmp_path / "mlflow_tune.html").read_text()
    assert [name for name in NAMES if f'id="{name}"' not in page] == []
    assert "What the draws depend on" in page, "what is said of an option"
