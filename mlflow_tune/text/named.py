"""Objects that a study file describes by a name and options: `{name: random, seed: 0}`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.text.reading import nearest, unknown

T = TypeVar("T")


def options_of(kind: Any, held: Mapping[str, object] | None = None) -> list[str]:
    """Return the names of the options of a dataclass: its fields, but for those that are `held`."""
    return [each.name for each in fields(kind) if each.name not in (held or {})]


def made(
    kinds: Mapping[str, type[T]], noun: str, options: Mapping[str, object], held: Mapping[str, object] | None = None
) -> T:
    """Return an object of the kind that is named, a dataclass; options left out have their defaults.

    What is `held` is no option: whoever calls gives it, where the kind has a field of that name. Raises `InputError`,
    whose key is the culprit, for an unknown name or option and for a value out of range; all such faults are told at
    once.
    """
    name = options["name"]
    if not isinstance(name, str) or name not in kinds:
        raise InputError(unknown(noun, name, kinds), "name")
    kind: Any = kinds[name]
    known = options_of(kind, held)
    chosen: dict[Any, object] = {key: value for key, value in options.items() if key != "name"}
    faults = Faults()
    strange = [key for key in chosen if key not in known]
    for key in strange:
        faults.add(InputError(unknown("key", key, ["name", *known]), str(key)))
    given = {key: value for key, value in chosen.items() if key in known}
    own = {key: value for key, value in (held or {}).items() if key in options_of(kind)}
    try:
        found: T = kind(**given, **own)
    except InputError as error:
        # It lacks what the unknown key was meant to be.
        misspelt = {nearest(str(key), known) for key in strange} - given.keys()
        for fault in error.faults:
            if fault.key not in misspelt:
                faults.add(fault)
    faults.tell()
    return found
