"""The YAML of study files: YAML 1.1, as PyYAML reads it, but with YAML 1.2's numbers and booleans, and no key twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import yaml

from mlflow_tune.errors import InputError
from mlflow_tune.text import escaped


def load_yaml(text: str) -> Any:
    """Return the YAML document; raise InputError for broken YAML and for a key that stands twice.

    Numbers and booleans are those of YAML 1.2: `1e-4` is a number, `010`, `12:30` and dates are text, and so are `on`
    and `off`, `yes` and `no`.
    """
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        _check_node(node, "", set())
        return None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise InputError(_yaml_words(error)) from None
    except InputError:
        raise
    except RecursionError:
        raise InputError("this is no study file: it is nested too deeply") from None
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"this is not YAML: {str(error).splitlines()[0]}") from None


def dump_yaml(value: object) -> str:
    """Return the YAML that `load_yaml`, and any reader of YAML 1.1, reads back to an equal value."""
    return yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True)


class _Dumper(yaml.SafeDumper):
    """Puts text in quotes that either kind of reader would take for something else."""


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {  # noqa: RUF012 - as in PyYAML
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] in ("null", "merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


for _kind, _form in (
    ("int", r"[-+]?(0|[1-9][0-9]*|0x[0-9a-fA-F]+)$"),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?$|[-+]?[0-9]+[eE][-+]?[0-9]+$"),
    ("float", r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$"),
    ("bool", r"(true|True|TRUE|false|False|FALSE)$"),
):
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_form), list("-+.0123456789tTfF"))


def _check_node(node: Any, path: str, checked: set[int]) -> None:
    """Raise InputError for a key that stands twice and for text that MLflow or a process cannot take."""
    if id(node) in checked:  # an alias: it may even stand within what it repeats
        return
    checked.add(id(node))
    if isinstance(node, yaml.ScalarNode) and re.search(r"[\x00\ud800-\udfff]", node.value):
        raise InputError("text must have no zero character and no half of a surrogate pair", escaped(path))
    lines: dict[str, int] = {}
    for word, line, key, value in _children(node):
        inner = f"{path}.{word}" if path else word
        if word in lines and word != "<<":
            where = f"in lines {lines[word]} and {line}" if line != lines[word] else f"in line {line}"
            raise InputError(f"the key stands twice, {where}; take one out", escaped(inner))
        lines[word] = line
        _check_node(key, inner, checked)
        _check_node(value, inner, checked)


def _children(node: Any) -> Iterator[tuple[str, int, Any, Any]]:
    """Yield each child of a mapping or a list: its key or index as text, its line, its key's node, its node."""
    for index, child in enumerate(node.value if isinstance(node, yaml.CollectionNode) else ()):
        key, value = child if isinstance(node, yaml.MappingNode) else (None, child)
        yield str(key.value) if key else str(index), (key or value).start_mark.line + 1, key, value


_PROBLEMS = {
    r"'\t'": "a tab stands where YAML takes spaces only",
    "mapping values": "a colon stands where none may be; put text that holds ': ' in quotes, and check the indentation",
    "<block end>": "the indentation does not fit the lines above",
    "parsing a flow": "the bracket or brace that opens here is not closed, or a comma is missing in it",
    "undefined alias": "nothing above defines this alias with '&'; put text that begins with '*' in quotes",
    "another document": "a second document begins here; a study file holds one, so take the line out",
}


def _yaml_words(error: yaml.MarkedYAMLError) -> str:
    """Return the line and what is wrong with it, in words for people who do not know YAML's grammar."""
    said = f"{error.context or ''} {error.problem or ''}".strip()
    words = next((words for part, words in _PROBLEMS.items() if part in said), f"this is not YAML: {said}")
    if tag := re.search(r"constructor for the tag '(.*)'", said):
        words = f"the tag {tag[1].replace('tag:yaml.org,2002:', '!!')} is not allowed in a study file; take it out"
    mark = error.context_mark if "parsing a flow" in said else error.problem_mark
    return f"line {mark.line + 1}: {words}" if mark else words
