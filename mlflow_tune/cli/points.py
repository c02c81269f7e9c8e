"""The points that a person names: `lr=0.01,0.1` and `units=64` are two, and what is left out comes from elsewhere."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import click

from mlflow_tune.cli.common import Command, Common
from mlflow_tune.cli.study_argument import file_spec, find_study, is_file
from mlflow_tune.errors import InputError, StudyNotFound
from mlflow_tune.executors.factory import checked_launcher
from mlflow_tune.space import Choice, Dimension, Space, Value
from mlflow_tune.spec.secrecy import refuse_secrets
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.study import Study
from mlflow_tune.text import as_integer, as_number, as_value, is_number, unknown, value_text
from mlflow_tune.tracking.leftovers import sweep
from mlflow_tune.trial import Params, Trial

MOST = 1000
_OPTIONS = (
    click.option(
        "-P",
        "--param",
        "texts",
        multiple=True,
        metavar="NAME=VALUE[,VALUE]",
        help="A parameter's value; several values make several trials.",
    ),
    click.option("--note", default="", help="Why, in your words; shown in the trial's description."),
    click.option(
        "--from",
        "start",
        type=click.IntRange(1),
        metavar="N",
        help="Take the values that are left out from trial N  [default: the best]",
    ),
    click.option("--outside", is_flag=True, help="Allow points outside the search space."),
)


def point_options(command: Command) -> Command:
    """Add the options by which a person chooses points."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def asked_points(
    study: str, common: Common, folder: Path | None, texts: Sequence[str], start: int | None, outside: bool
) -> tuple[Study, list[dict[str, Any]]]:
    """Return the study, and the points that a person asks for; a file's study is made when they can be read.

    Raises InputError for a secret among the values, before anything is made.
    """
    refuse_secrets(list(texts), "-P")
    try:
        loaded = find_study(study, common, folder)
    except StudyNotFound:
        if not is_file(study):
            raise
        spec = file_spec(study, common)
        place = folder or Path(study).resolve().parent
        with checked_launcher(spec, None, place) as (_, declared):
            points = _points(spec.space.with_defaults(declared), spec, [], texts, start, outside)
        return Study.of(spec, folder=place, tracking_uri=common.tracking_uri).create(), points
    points = _points(loaded.spec.space, loaded.spec, loaded.trials, texts, start, outside)
    sweep(loaded.client, loaded.record.experiment_id)
    return loaded, points


def _points(
    space: Space, spec: StudySpec, trials: Sequence[Trial], texts: Sequence[str], start: int | None, outside: bool
) -> list[dict[str, Any]]:
    if trials and not texts and start is None:
        raise InputError("give -P NAME=VALUE, or --from N to repeat trial N")
    defaults = {name: each.default for name, each in space.items() if each.default is not None}
    source = next((trial for trial in trials if trial.number == start), None) if start else spec.best(trials)
    if start and source is None:
        raise InputError(f"the study has no trial {start}; it has {len(trials)}", "--from")
    base = {**defaults, **(source.params if source else {})}
    return read_points(space, texts, base, outside, spec.run.parameters)


def read_points(
    space: Space, texts: Sequence[str], base: Params, outside: bool = False, fixed: Params | None = None
) -> list[dict[str, Value]]:
    """Return the points that texts such as `lr=0.01,0.1` name: every combination of the values, the last fastest.

    Where the space lists null or lists, `null`, `[64,32]` and `[64],[64,32]` are such values.

    A parameter that no text names has its value of `base`; `fixed` are those that the study does not search. Raises
    InputError with the parameter as key when a text names none, a value is none of it or lies outside of its range
    (allowed with `outside`), or one has no value.
    """
    given: dict[str, list[Value]] = {}
    for text in texts:
        name, _, values = text.partition("=")
        if not values:
            raise InputError(f"must be NAME=VALUE, such as lr=0.01, but got {text!r}", "-P")
        if name not in space:
            raise _not_searched(name, space, fixed or {})
        if name in given:
            raise InputError(f"is given twice; give several values as {name}=A,B", f"-P {name}")
        given[name] = _values(name, space[name], values, outside)
    choices = [given.get(name) or [_from(base, name, space[name], outside)] for name in space]
    points = [dict(zip(space, values, strict=True)) for values in product(*choices)]
    if len(points) > MOST:
        raise InputError(f"at most {MOST} points at once, but these values make {len(points)}", "-P")
    return points


def _not_searched(name: str, space: Space, fixed: Params) -> InputError:
    if name in fixed:
        held = value_text(fixed[name])
        return InputError(f"is fixed at {held} by run.parameters; search it in a new study", f"-P {name}")
    return InputError(unknown("parameter", name, space), "-P")


def _values(name: str, dimension: Dimension, text: str, outside: bool) -> list[Value]:
    whole = isinstance(dimension, Choice) and text in map(value_text, dimension.values)
    parts = [text] if whole else _parts(text) if _has_lists(dimension) else text.split(",")
    return [_value(name, dimension, part.strip(), outside) for part in parts]


def _has_lists(dimension: Dimension) -> bool:
    return isinstance(dimension, Choice) and any(isinstance(value, list) for value in dimension.values)


def _parts(text: str) -> list[str]:
    """Return the text split at its commas, but not at those within brackets."""
    found = [""]
    depth = 0
    for part in re.split(r'(\[|\]|,|"(?:[^"\\]|\\.)*")', text):
        depth += {"[": 1, "]": -1}.get(part, 0)
        if part == "," and depth <= 0:
            found.append("")
        else:
            found[-1] += part
    return found


def _value(name: str, dimension: Dimension, text: str, outside: bool) -> Value:
    try:
        value = dimension.decode(text)
        dimension.check(value)
    except InputError as error:
        if outside:
            return _listed_or_text(text) if _is_of_texts(dimension) else _number(name, dimension, text)
        hint = " (--outside allows it)" if _only_outside(name, dimension, text) else ""
        raise InputError(f"{error.message}{hint}", f"-P {name}") from None
    return value


def _only_outside(name: str, dimension: Dimension, text: str) -> bool:
    """Whether the text is a value of the dimension's kind, and merely outside its range or not among its values."""
    if _is_of_texts(dimension):
        return True
    with suppress(InputError):
        _number(name, dimension, text) if isinstance(dimension, Choice) else dimension.decode(text)
        return True
    return False


def _is_of_texts(dimension: Dimension) -> bool:
    return isinstance(dimension, Choice) and not all(is_number(value) for value in dimension.values)


def _listed_or_text(text: str) -> Value:
    """Return what the text stands for: null, or a list, where it is the JSON of one."""
    with suppress(ValueError):  # an InputError is one too
        if text == "null" or text.startswith("["):
            return as_value(json.loads(text))
    return text


def _number(name: str, dimension: Dimension, text: str) -> Value:
    with suppress(InputError):
        return dimension.decode(text)
    try:
        return as_integer(text) if isinstance(dimension, Choice) and "." not in text else as_number(text)
    except InputError as error:
        raise error.under(f"-P {name}") from None


def _from(base: Params, name: str, dimension: Dimension, outside: bool) -> Value:
    if name not in base:
        raise InputError(
            f"no value is given, and there is no trial and no default to take one from: add -P {name}=VALUE", name
        )
    if not outside and not dimension.contains(base[name]):
        held = value_text(base[name])
        raise InputError(f"{held}, taken from an earlier trial, is outside its range; --outside allows it", name)
    return base[name]
