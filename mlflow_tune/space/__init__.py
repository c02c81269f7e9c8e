"""The search space: its dimensions, their checks, and their encodings.

A value has three forms: the Python object that training code gets, the text that MLflow holds (`decode` reads it),
and a number from 0 to 1 that strategies work on (`to_unit`, `from_unit`). Whatever breaks a rule raises `InputError`
whose key is the path to the culprit, such as `lr.low` or `lr.grid.2`; what else is wrong is told with it.
"""

from __future__ import annotations

import contextlib
import math
import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, replace
from typing import Any, TypeAlias

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.space.choices import Categorical, Choice, Ordinal
from mlflow_tune.space.dimensions import ROLES, Float, Int
from mlflow_tune.text import Scalar, Value, as_value, at, is_number, nearest, plain, shown, unknown, value_text

__all__ = [
    "RESERVED_NAMES",
    "ROLES",
    "Categorical",
    "Choice",
    "Dimension",
    "Float",
    "Int",
    "Ordinal",
    "Scalar",
    "Space",
    "Value",
    "check_name",
    "whole_point",
]

# `expected_end` and its deviation are what a stopped trial would have come to; `steps_used` are those that it took.
RESERVED_NAMES = (
    "trial",
    "objective",
    "constraint",
    "expected_end",
    "expected_end_std",
    "steps_used",
)  # in a study, the evidence of its strategies is reserved as well
MAX_NAME = 243  # MLflow's keys have at most 250 characters, and `log10_` goes before some of them
Dimension: TypeAlias = Float | Int | Categorical | Ordinal
_KINDS: dict[str, type[Dimension]] = {"float": Float, "int": Int, "categorical": Categorical, "ordinal": Ordinal}


class Space(Mapping[str, Dimension]):
    """The parameters of a study by name, in the given order; it does not change.

    `InputError` unless there is a parameter and each name is a key that MLflow takes and that is not reserved.
    """

    def __init__(self, dimensions: Mapping[str, Dimension]) -> None:
        if not isinstance(dimensions, Mapping) or not dimensions:
            raise InputError(f"must be a mapping with at least one parameter, but got {shown(dimensions)}")
        self._dimensions = dict(dimensions)
        for name, dimension in self._dimensions.items():
            check_name(name)
            if not isinstance(dimension, Dimension):
                kinds = "a Float, an Int, a Categorical or an Ordinal"
                raise InputError(f"must be {kinds}, but got {shown(dimension)}", name)
            if dimension.log and f"log10_{name}" in self._dimensions:
                raise InputError(f"the name is taken by the metric that goes with {name!r}", f"log10_{name}")

    @classmethod
    def from_json(cls, form: Any, reserved: Sequence[str] = RESERVED_NAMES) -> Space:
        """Build the space from `{name: {type: float, low: 1e-4, high: 1e-1, log: true}, ...}`, or from dimensions.

        `reserved` are names that no parameter may have. Raises `InputError` with the faults of all parameters.
        """
        if not isinstance(form, Mapping):
            hint = "{lr: {type: float, low: 1e-4, high: 1e-1}}"
            raise InputError(f"must be a mapping of parameters to ranges, such as {hint}, but got {shown(form)}")
        faults = Faults()
        found: dict[str, Dimension] = {}
        for name, each in form.items():
            with faults.at():
                check_name(name, reserved)
            with faults.at(str(name)):
                found[name] = _dimension(each)
        faults.tell()
        return cls(found)

    def to_json(self) -> dict[str, dict[str, Any]]:
        """Return the form that `from_json` reads back to an equal space."""
        return {name: dimension.to_json() for name, dimension in self.items()}

    @property
    def size(self) -> int | None:
        """The number of points; None when they cannot be counted."""
        sizes = [dimension.size for dimension in self.values()]
        return None if None in sizes else math.prod(size for size in sizes if size is not None)

    def check(self, params: Mapping[str, object]) -> None:
        """Raise `InputError` naming the parameter and the rule unless `params` is a point of the space."""
        for name in params:
            if name not in self:
                raise InputError(unknown("parameter", name, self), str(name))
        for name, dimension in self.items():
            at(name, dimension.check, _value(params, name))

    def contains(self, params: Mapping[str, object]) -> bool:
        """Return whether `check` accepts the point."""
        try:
            self.check(params)
        except InputError:
            return False
        return True

    def decode(self, texts: Mapping[str, object]) -> dict[str, Value]:
        """Return the point that MLflow holds as text; params that the space does not name are left out."""
        return {name: at(name, dimension.decode, _value(texts, name)) for name, dimension in self.items()}

    def identity(self, params: Mapping[str, object]) -> tuple[str, ...]:
        """Return the texts of the point's values: a key that equal points share and others do not."""
        return tuple(map(value_text, self.decode(params).values()))

    def identities(self, points: Iterable[Mapping[str, object]]) -> set[tuple[str, ...]]:
        """Return the identities of those of `points` that lie in the space."""
        return {self.identity(params) for params in points if self.contains(params)}

    def to_unit(self, params: Mapping[str, object]) -> list[float]:
        """Return the point's coordinates in the unit cube, one a parameter, in the order of the space."""
        return [at(name, dimension.to_unit, _value(params, name)) for name, dimension in self.items()]

    def from_unit(self, units: Sequence[float]) -> dict[str, Value]:
        """Return the point at these coordinates of the unit cube, one a parameter, in the order of the space."""
        return {name: dimension.from_unit(unit) for (name, dimension), unit in zip(self.items(), units, strict=True)}

    def log10_metrics(self, params: Mapping[str, object]) -> dict[str, float]:
        """Return `log10_<name>` of each log-scale parameter: MLflow's scatter plots have linear axes only.

        A person may have asked for a point outside the space: what has no logarithm is left out.
        """
        found = {name: plain(value) for name, value in params.items() if name in self and self[name].log}
        return {f"log10_{name}": math.log10(value) for name, value in found.items() if is_number(value) and value > 0}

    def with_defaults(self, defaults: Mapping[str, object]) -> Space:
        """Return the space with these defaults where a parameter has none; those outside its range are left out."""
        dimensions = dict(self)
        for name, dimension in self.items():
            if dimension.default is None and name in defaults:
                with contextlib.suppress(InputError):
                    dimensions[name] = replace(dimension, default=dimension.decode(defaults[name]))  # type: ignore[arg-type]
        return Space(dimensions)

    def __getitem__(self, name: str) -> Dimension:
        return self._dimensions[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dimensions)

    def __len__(self) -> int:
        return len(self._dimensions)

    def __repr__(self) -> str:
        return f"Space({self._dimensions!r})"


def _value(params: Mapping[str, object], name: str) -> object:
    if name not in params:
        raise InputError("the parameter is missing", name)
    return params[name]


def whole_point(space: Space, params: Mapping[str, Any]) -> dict[str, Value]:
    """Return a point with Python's own values, in the order of the space; it may lie outside the ranges.

    Raises InputError unless there is exactly one value for each parameter, and it is a text, a finite number or a
    boolean; where the space lists the values also null or a list.
    """
    for name in params:
        if name not in space:
            raise InputError(unknown("parameter", name, space), str(name))
    found: dict[str, Value] = {}
    for name, dimension in space.items():
        value = at(name, as_value, _value(params, name))
        if not isinstance(value, Scalar) and not isinstance(dimension, Choice):
            raise InputError(f"must be a number, but got {shown(value)}", name)
        found[name] = value
    return found


def check_name(name: object, reserved: Sequence[str] = RESERVED_NAMES) -> None:
    """Raise `InputError` unless MLflow takes the name for a param or a metric and it is not reserved."""
    check_mlflow_name(name)
    if name in reserved:
        listed = ", ".join(reserved)
        message = f"the name {name!r} is reserved for metrics of mlflow_tune ({listed}): take another"
        raise InputError(message, str(name))


def check_mlflow_name(name: object) -> None:
    """Raise `InputError` unless MLflow takes the name for a param or a metric."""
    if not isinstance(name, str):
        raise InputError(f"a name must be text, but got {shown(name)}; write it in quotes", str(name))
    if not re.fullmatch(r"[\w\-. :/]+", name):
        raise InputError(f"a name must be of letters, digits and '_-. :/', but got {shown(name)}", name)
    if len(name) > MAX_NAME:
        raise InputError(f"a name must have at most {MAX_NAME} characters, but this has {len(name)}", name)
    if posixpath.normpath(name) != name or name.startswith(("/", "..")) or name == ".":
        raise InputError(
            f"a name must read as a plain path, without '//', '.', '..' or a '/' at its ends, but got {name!r}",
            name,
        )


def _dimension(form: Any) -> Dimension:
    if isinstance(form, Dimension):
        return form
    if not isinstance(form, Mapping) or "type" not in form:
        raise InputError(f"must be a mapping with a 'type' ({', '.join(_KINDS)}), but got {shown(form)}")
    if not isinstance(form["type"], str) or form["type"] not in _KINDS:
        raise InputError(unknown("type", form["type"], _KINDS), "type")
    kind = _KINDS[form["type"]]
    options = {key: value for key, value in form.items() if key != "type"}
    known = {each.name: each.default is MISSING for each in fields(kind)}
    strange = [key for key in options if key not in known]
    misspelt = {nearest(str(key), known) for key in strange}
    faults = Faults()
    for key in strange:
        faults.add(InputError(unknown("key", key, ["type", *known]), str(key)))
    for key in (key for key, needed in known.items() if needed and key not in options and key not in misspelt):
        faults.add(InputError(f"the key is missing; type {form['type']!r} needs it", key))
    if all(key in options for key, needed in known.items() if needed):
        with faults.at():
            made: Dimension = kind(**{key: value for key, value in options.items() if key in known})
    faults.tell()
    return made
