"""Field types of the study file: text, names, numbers, durations, sizes, commands.

pydantic alone would take True for 1 and its messages speak of types: these accept a number however it is written, and
nothing else, and say in plain words what is expected and what is there.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.space import Choice, Scalar, Space, check_name
from mlflow_tune.spec import forms
from mlflow_tune.spec.forms import Written
from mlflow_tune.spec.secrecy import refuse_password
from mlflow_tune.strategies import reserved_names
from mlflow_tune.text import as_integer, as_number, at, plain, shown, value_text
from mlflow_tune.text.durations import as_duration, duration_text
from mlflow_tune.text.redaction import holds_credentials, without_credentials
from mlflow_tune.text.sizes import as_size, size_text

_FUNCTION = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_MAX_NAME = 200
_MAX_EXPERIMENT = 500  # MLflow's own limit


def as_text(value: object) -> str:
    """Return the value when it is text and not blank; raise InputError otherwise."""
    if not isinstance(value, str):
        hint = "; write it in quotes" if isinstance(value, bool | int | float) else ""
        raise InputError(f"must be text, but got {shown(value)}{hint}")
    if not value.strip():
        raise InputError(f"must not be blank, but got {value!r}")
    return value


def as_line(value: object, longest: int = _MAX_NAME) -> str:
    """Return the value when it is one line of text without blanks at its ends; raise InputError otherwise."""
    text = as_text(value)
    if any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in text) or text != text.strip():
        raise InputError(f"must be one line of text without blanks at its ends, but got {shown(text)}")
    if len(text) > longest:
        raise InputError(f"must have at most {longest} characters, but this has {len(text)}")
    return text


def as_metric(value: object) -> str:
    """Return the value when MLflow takes it as a metric's name that is not one of ours; raise InputError otherwise."""
    name = as_text(value)
    try:
        check_name(name, reserved_names())
    except InputError as error:
        raise InputError(error.message) from None
    if name.startswith("log10_"):
        raise InputError(f"names that begin with log10_ are reserved, but got {name!r}")
    return name


def as_project(value: object) -> str:
    """Return the project's folder or URI; raise InputError for one with credentials in it."""
    text = as_text(value)
    if holds_credentials(text):
        public = without_credentials(text)
        raise InputError(
            f"must hold no user name and no password, because MLflow stores it: write {public!r}, and let git's "
            "credential helper or ssh log in"
        )
    return text


def refuse_passwords(space: Space) -> None:
    """Raise InputError for every listed value of a parameter that holds a URI with a password."""
    faults = Faults()
    for name, dimension in space.items():
        for index, value in enumerate(dimension.values if isinstance(dimension, Choice) else ()):
            with faults.at(f"space.{name}.values.{index}"):
                refuse_password(value_text(value))
    faults.tell()


def as_address(value: object) -> str:
    """Return the address of a cluster; raise InputError for one with a password in it."""
    text = as_text(value)
    refuse_password(text)
    return text


def as_command(value: object) -> list[str | list[str]]:
    """Return the command's words as texts, the words of a group as a list; raise InputError for anything else."""
    if not isinstance(value, list) or not value:
        raise InputError(f"must be a list such as [python, train.py, --lr, '{{lr}}'], but got {shown(value)}")
    if isinstance(value[0], list):
        raise InputError(f"the first word is the program, and no group, but got {shown(value[0])}", "0")
    faults = Faults()
    found: list[str | list[str]] = []
    for index, word in enumerate(value):
        with faults.at(str(index)):
            found.append(_group(word) if isinstance(word, list) else _word(word))
    faults.tell()
    return found


def _group(words: list[object]) -> list[str]:
    if not words:
        raise InputError("a group must hold a word, as in [--amp, '{amp}'], but got []")
    return [at(str(index), _word, word) for index, word in enumerate(words)]


def _word(word: object) -> str:
    if isinstance(word, Mapping):
        raise InputError(f"braces need quotes, as in '{{lr}}', but got {shown(word)}")
    if isinstance(word, bool) or not isinstance(word, str | int | float):
        raise InputError(f"a word of the command must be text or a number, but got {shown(word)}")
    refuse_password(str(word))
    return str(word)


def as_function(value: object) -> str:
    """Return the value when it has the form `package.module:function`; raise InputError otherwise."""
    text = as_text(value)
    if not _FUNCTION.fullmatch(text):
        raise InputError(f"must be of the form module:function, such as train:objective, but got {text!r}")
    if ".py:" in text:
        raise InputError(f"must name the module without .py: {text.replace('.py:', ':')}, but got {text!r}")
    return text


def as_parameters(value: object) -> dict[str, Scalar]:
    """Return the fixed parameters; raise InputError unless they are names with texts, numbers or truth values."""
    if not isinstance(value, Mapping):
        raise InputError(f"must be a mapping of names to fixed values, such as {{epochs: 12}}, but got {shown(value)}")
    faults = Faults()
    found: dict[str, Scalar] = {}
    for name, fixed in value.items():
        with faults.at():
            check_name(name, reserved_names())
            found[name] = at(str(name), _fixed, plain(fixed))
    faults.tell()
    return found


def _fixed(value: object) -> Scalar:
    if not isinstance(value, bool | int | float | str):
        raise InputError(f"must be text, a number, true or false, but got {shown(value)}")
    refuse_password(str(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"must be finite, but got {value}; write it in quotes if the text is meant")
    return value


Text = Annotated[str, BeforeValidator(as_text), Written(forms.TEXT)]
Name = Annotated[str, BeforeValidator(as_line), Written(forms.line(_MAX_NAME))]
Experiment = Annotated[
    str, BeforeValidator(lambda value: as_line(value, _MAX_EXPERIMENT)), Written(forms.line(_MAX_EXPERIMENT))
]
Metric = Annotated[str, BeforeValidator(as_metric), Written(forms.METRIC)]
Project = Annotated[str, BeforeValidator(as_project), Written(forms.TEXT)]
Address = Annotated[str, BeforeValidator(as_address), Written(forms.TEXT)]
Command = Annotated[list[str | list[str]], BeforeValidator(as_command), Written(forms.COMMAND)]
Function = Annotated[str, BeforeValidator(as_function), Written(forms.FUNCTION)]
Parameters = Annotated[dict[str, Scalar], BeforeValidator(as_parameters), Written(forms.PARAMETERS)]
Number = Annotated[float, BeforeValidator(as_number), Written(forms.NUMBER)]
Count = Annotated[int, BeforeValidator(as_integer), Field(ge=1), Written(forms.whole(1))]
CountFromZero = Annotated[int, BeforeValidator(as_integer), Field(ge=0), Written(forms.whole(0))]
Duration = Annotated[float, BeforeValidator(as_duration), PlainSerializer(duration_text), Written(forms.DURATION)]
Size = Annotated[int, BeforeValidator(as_size), PlainSerializer(size_text), Written(forms.SIZE)]
