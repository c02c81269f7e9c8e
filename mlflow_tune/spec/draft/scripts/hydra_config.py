"""The configuration of a script that uses Hydra: its YAML files, composed as its list of defaults says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft.parameter import Parameter, kind_of
from mlflow_tune.spec.draft.scripts.interface import Interface, one_word
from mlflow_tune.spec.draft.scripts.literals import UNKNOWN
from mlflow_tune.spec.draft.scripts.modules import Module, keyword
from mlflow_tune.text import shown
from mlflow_tune.text.yaml import load_yaml

HINT = "lr: 0.01"
_MISSING = "???"
_PACKAGE = re.compile(r"#\s*@package\s+(\S+)")
_MOST_FILES = 100


@dataclass
class _Composed:
    """The values of a configuration by their path, and the choices of its groups."""

    values: dict[str, Any] = field(default_factory=dict)
    groups: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    files: int = 0


def hydra_main(module: Module) -> ast.Call | None:
    """Return the `@hydra.main(...)` of the script, None when it has none."""
    for function in module.functions():
        for node in function.decorator_list:
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "hydra.main":
                return node
    return None


def hydra_config(module: Module, main: ast.Call) -> Interface:
    """Return what the script can be told as overrides of its configuration: `optimizer.lr=0.1`.

    Raises InputError when the configuration is not written out in YAML files beside the script.
    """
    path, name = (module.value(keyword(main, key, place)) for place, key in enumerate(("config_path", "config_name")))
    if not isinstance(name, str):
        raise InputError(f"{module.path.name} names no config_name in @hydra.main: its configuration cannot be read")
    if path is UNKNOWN or (isinstance(path, str) and "://" in path):
        raise InputError(f"{module.path.name} does not write out config_path in @hydra.main")
    folder = module.path.parent / (path or "")
    composed = _Composed()
    _compose(folder, name, "", "", composed)
    parameters = [_parameter(key, value) for key, value in composed.values.items()]
    parameters += [_group(key, chosen, choices) for key, (chosen, choices) in composed.groups.items()]
    return Interface(parameters, HINT)


def _compose(folder: Path, name: str, group: str, package: str, composed: _Composed) -> None:
    """Put the values of a file and of all that it is composed of over those that are there.

    The file's own values come where its list of defaults has `_self_`, else last.
    """
    composed.files += 1
    if composed.files > _MOST_FILES:
        raise InputError(f"{str(folder)!r}: the configuration is composed of more than {_MOST_FILES} files")
    content, text = _read(folder / group / f"{name.removesuffix('.yaml').removesuffix('.yml')}.yaml")
    if found := _PACKAGE.match(text.lstrip()):
        package = {"_global_": "", "_group_": group.replace("/", ".")}.get(found[1], found[1])
    listed = content.pop("defaults", [])
    entries = [*listed] if isinstance(listed, list) else []
    if "_self_" not in entries:
        entries.append("_self_")
    for entry in entries:
        if entry == "_self_":
            composed.values.update(_flat(content, package))
        else:
            _include(folder, entry, group, package, composed)


def _include(folder: Path, entry: Any, group: str, package: str, composed: _Composed) -> None:
    if isinstance(entry, str):
        whole, _, at = entry.partition("@")
        inner, _, name = whole.rpartition("/")
        _compose(folder, name, _joined(group, inner), _placed(package, inner, at), composed)
        return
    if not isinstance(entry, Mapping) or len(entry) != 1:
        return
    ((key, name),) = entry.items()
    kind, _, place = str(key).rpartition(" ")
    if "override" in kind or place.startswith(("hydra/", "/hydra/")) or not isinstance(name, str) or name == _MISSING:
        return
    inner, _, at = place.partition("@")
    whole = _joined(group, inner)
    if not (folder / whole / f"{name}.yaml").is_file() and "optional" in kind:
        return
    choices = sorted(path.stem for path in (folder / whole).glob("*.yaml"))
    composed.groups[whole + (f"@{at}" if at else "")] = (name, choices)
    _compose(folder, name, whole, _placed(package, inner, at), composed)


def _placed(package: str, inner: str, at: str) -> str:
    """Return where the values of an included file go: to the path of its group, or where `@` says."""
    if at == "_global_":
        return ""
    return ".".join(filter(None, (package, at or inner.strip("/").replace("/", "."))))


def _joined(group: str, inner: str) -> str:
    return inner.strip("/") if inner.startswith("/") else "/".join(filter(None, (group, inner)))


def _read(path: Path) -> tuple[dict[str, Any], str]:
    try:
        text = path.read_text(encoding="utf-8")
        content = load_yaml(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(f"the configuration {str(path)!r} cannot be read: {reason}") from None
    except (InputError, yaml.YAMLError) as error:
        raise InputError(f"{path}: {error}") from None
    if content is not None and not isinstance(content, Mapping):
        raise InputError(f"the configuration {str(path)!r} is no mapping, but {shown(content)}")
    return dict(content or {}), text


def _flat(content: Mapping[Any, Any], package: str) -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        path = f"{package}.{key}" if package else str(key)
        if isinstance(value, Mapping) and value:
            yield from _flat(value, path)
        elif path.partition(".")[0] != "hydra":
            yield path, value


def _parameter(path: str, value: Any) -> Parameter:
    stays = _why_it_stays(path, value)
    word = one_word(path, path)
    if stays:
        return Parameter(path, "string", value if isinstance(value, str) else None, stays=stays)
    if value == _MISSING:
        return Parameter(path, required=True, words=word)
    if isinstance(value, bool):  # true and false are words of Hydra's own
        return Parameter(path, "string", value, choices=(False, True), words=word)
    return Parameter(path, kind_of(value), value, words=word)


def _why_it_stays(path: str, value: Any) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.]*", path, re.ASCII):
        return "its name cannot be told on a command line"
    if path.rpartition(".")[2] == "_target_":
        return "it says which code runs"
    if isinstance(value, str) and "${" in value:
        return "it is made of others"
    return "" if isinstance(value, bool | int | float | str | None) else "its value is a list or a mapping"


def _group(key: str, chosen: str, choices: Sequence[str]) -> Parameter:
    if len(choices) < 2:
        return Parameter(key, "string", chosen, stays="there is one choice")
    return Parameter(key, "string", chosen, choices=choices, words=one_word(key, key))
