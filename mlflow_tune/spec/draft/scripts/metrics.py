"""Which metrics training code logs, read from its text: nothing of a project is imported or run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft.scripts.modules import called, keyword
from mlflow_tune.spec.fields import as_metric
from mlflow_tune.spec.goals import goal_of
from mlflow_tune.text import words_of

# Validation before test: a study that is tuned on the test set has none left.
_SETS = ({"val", "valid", "validation", "dev", "cv"}, {"test", "eval", "holdout"})
_SKIPPED = {"venv", "env", "node_modules", "site-packages", "build", "dist", "tests", "test"}
_SEARCHES = ("GridSearchCV", "RandomizedSearchCV", "HalvingGridSearchCV", "HalvingRandomSearchCV")
_MOST_FILES = 300
_MOST_BYTES = 1_000_000


def logged_metrics(folder: Path, command: str) -> list[str]:
    """Return the metrics that the Python files of a project log, the most suitable one to tune first.

    Read are `log_metric("...")`, `log_metrics({...})` and the dicts that end there. The files that `command` runs come
    first: others are looked at when those name no metric.
    """
    files = list(_python_files(folder))
    started = [file for file in files if _starts(command, file.relative_to(folder))]
    found: list[str] = []
    for group in (started, [file for file in files if file not in started]):
        found = [name for file in group for name in _metrics_of(file) if _usable(name)]
        if found:
            break
    return sorted(dict.fromkeys(found), key=_rank)


def metrics_in(modules: Iterable[Sequence[ast.AST]]) -> list[str]:
    """Return the metrics that a script logs, the most suitable one to tune first.

    `modules` are the nodes of its syntax tree, then those of the modules that it imports.
    """
    found = [name for nodes in modules for name in _metrics_in(nodes) if _usable(name)]
    return sorted(dict.fromkeys(found), key=_rank)


def _python_files(folder: Path) -> Iterator[Path]:
    count = 0
    waiting = [folder]
    while waiting:
        inner = sorted(waiting.pop(0).iterdir())
        waiting += [each for each in inner if each.is_dir() and not each.is_symlink() and not _skipped(each.name)]
        for file in inner:
            if file.suffix == ".py" and file.is_file() and file.stat().st_size <= _MOST_BYTES:
                yield file
                count += 1
        if count >= _MOST_FILES:
            return


def _skipped(name: str) -> bool:
    return name.startswith((".", "__")) or name in _SKIPPED


def _starts(command: str, file: Path) -> bool:
    words = re.split(r"[\s'\"]+", command)
    return any(word.removeprefix("./") in (file.as_posix(), ".".join(file.with_suffix("").parts)) for word in words)


def _usable(name: str) -> bool:
    try:
        as_metric(name)
    except InputError:
        return False
    return True


def _rank(name: str) -> tuple[int, int]:
    words = set(words_of(name))
    of_set = next((index for index, names in enumerate(_SETS) if words & names), 3 if "train" in words else 2)
    return of_set, 0 if "loss" in words else 1 if goal_of(name) else 2


def _metrics_of(file: Path) -> list[str]:
    try:
        tree = ast.parse(file.read_bytes())
        return _metrics_in(list(ast.walk(tree)))
    except (SyntaxError, ValueError, RecursionError, OSError):  # no Python that we can read: look elsewhere
        return []


def _metrics_in(nodes: Sequence[ast.AST]) -> list[str]:
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    ones = [keyword(call, "key", 0) for call in calls if called(call) == "log_metric"]
    ones += [keyword(call, "name", 0) for call in calls if _of_lightning(call, "log")]
    many = [keyword(call, "metrics", 0) for call in calls if called(call) == "log_metrics"]
    many += [keyword(call, "dictionary", 0) for call in calls if _of_lightning(call, "log_dict")]
    found = [*_texts(ones), *(key for value in many for key in _keys(value))]
    passed = {value.id for value in many if isinstance(value, ast.Name)}
    found += [key for name, key in _assigned(nodes) if name in passed]
    found += _of_autolog(nodes, calls)
    if found or not (ones or many):
        return found
    # What is logged goes a longer way: any dict of this file may be it, if its keys read like metrics.
    return [key for node in nodes for key in _keys(node) if goal_of(key)]


def _of_lightning(call: ast.Call, name: str) -> bool:
    """Return whether a module of Lightning logs: `self.log(...)`, which its logger takes to MLflow."""
    return called(call) == name and isinstance(call.func, ast.Attribute) and ast.unparse(call.func.value) == "self"


def _of_autolog(nodes: Sequence[ast.AST], calls: Sequence[ast.Call]) -> Iterator[str]:
    """Yield the metrics that MLflow's autologging names after what the code gives the library."""
    loggers = [ast.unparse(call.func) for call in calls if called(call) == "autolog"]
    if not loggers:
        return
    if any(called(call) in _SEARCHES for call in calls):
        yield "best_cv_score"
    measured = [
        measure
        for node in nodes
        if isinstance(node, ast.Dict)
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and key.value in ("metric", "eval_metric")
        for measure in _texts(value.elts if isinstance(value, ast.List | ast.Tuple) else [value])
    ]
    for call in calls:
        for name in _held_out(call) if called(call) == "train" else ():
            yield from (f"{name}-{measure.replace('@', '_at_')}" for measure in measured)


def _held_out(call: ast.Call) -> Iterator[str]:
    """Yield the names of the sets on which LightGBM's or XGBoost's `train` measures the model."""
    for each in call.keywords:
        items = each.value.elts if isinstance(each.value, ast.List | ast.Tuple) else []
        if each.arg == "valid_names":
            yield from _texts(items)
        if each.arg == "evals":
            yield from _texts(item.elts[-1] for item in items if isinstance(item, ast.Tuple) and item.elts)


def _texts(nodes: Iterable[ast.AST | None]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _keys(node: ast.AST | None) -> list[str]:
    """Return the keys of `{...}` and `dict(...)` that are written out."""
    if isinstance(node, ast.Dict):
        return list(_texts(node.keys))
    if isinstance(node, ast.Call) and called(node) == "dict":
        return [each.arg for each in node.keywords if each.arg]
    return []


def _assigned(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    """Yield name and key of `name = {"key": ...}` and `name["key"] = ...`."""
    for node in nodes:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        for target in targets:
            if isinstance(target, ast.Name):
                yield from ((target.id, key) for key in _keys(getattr(node, "value", None)))
            if isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
                yield from ((target.value.id, key) for key in _texts([target.slice]))
