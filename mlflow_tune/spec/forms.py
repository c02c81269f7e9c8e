"""What may stand in a study file, as JSON Schema: the parsers take more than the types of pydantic tell, and less.

Such a form never refuses what the parsers take. It refuses what has the wrong shape; what takes a look at two keys or
at the code is left to the parsers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any, TypeAlias

from pydantic import TypeAdapter
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from mlflow_tune.diagnosis.stopping import RULES
from mlflow_tune.space import MAX_NAME, Categorical, Float, Int, Ordinal
from mlflow_tune.strategies import STRATEGIES, reserved_names
from mlflow_tune.text.documented import field_docs

Form: TypeAlias = dict[str, Any]

# No control character, and no blank at either end.
_LINE = r"^(?!\s)(?!.*\s$)[^\u0000-\u001f\u007f-\u009f]+$"
_NAME = r"^[^\u0000-\u001f!-,;-@\[-\^`{-~]+$"
_FUNCTION = r"^(?!.*\.py:)[^\s:]+:[^\s:]+$"
_NUMBER = r"^\s*[+-]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][+-]?\d[\d_]*)?\s*$"
_DURATION = r"^[ \d.]*\d[ \d.]*[smh][ \d.smh]*$"
_SIZE = r"^[ \d.]*\d[ \d.]*([KMGTkmgt] *([iI] *)?)?[bB] *$"
_NULL: Form = {"type": "null"}
_NUMBER_TEXT: Form = {"type": "string", "pattern": _NUMBER}

TEXT: Form = {"type": "string", "pattern": r"\S"}
NUMBER: Form = {"anyOf": [{"type": "number"}, _NUMBER_TEXT]}
DURATION: Form = {"type": "string", "pattern": _DURATION}
SIZE: Form = {"type": "string", "pattern": _SIZE}
FUNCTION: Form = {"type": "string", "pattern": _FUNCTION}
_PARAMETER: Form = {"pattern": _NAME, "maxLength": MAX_NAME, "not": {"enum": reserved_names()}}
METRIC: Form = {"type": "string", **_PARAMETER, "not": {"anyOf": [{"pattern": "^log10_"}, _PARAMETER["not"]]}}
_WORD: Form = {"type": ["string", "number"]}
COMMAND: Form = {
    "type": "array",
    "minItems": 1,
    "items": {"anyOf": [_WORD, {"type": "array", "minItems": 1, "items": _WORD}]},
}
PARAMETERS: Form = {
    "type": "object",
    "propertyNames": _PARAMETER,
    "additionalProperties": {"type": ["string", "number", "boolean"]},
}
GPUS: Form = {
    "anyOf": [
        {"enum": ["auto", "none"]},
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": r"[\d-]"},
        {"type": "array", "minItems": 1, "items": {"type": ["integer", "string"]}},
    ]
}
_DIMENSIONS = {"float": Float, "int": Int, "categorical": Categorical, "ordinal": Ordinal}


@dataclass(frozen=True, eq=False)
class Written:
    """Gives a field of a model its form, which is made when the schema is asked for."""

    form: Form | Callable[[], Form]

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> Form:
        """Return the form in place of the one that the type would have."""
        return dict(self.form) if isinstance(self.form, Mapping) else self.form()


@dataclass(frozen=True)
class OrElse:
    """Gives a field of a model one more form, beside the one of its type."""

    form: Callable[[], Form]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Form:
        """Return both forms."""
        return {"anyOf": [self.form(), handler(schema)]}


def line(longest: int) -> Form:
    """Return the form of one line of text."""
    return {"type": "string", "maxLength": longest, "pattern": _LINE}


def whole(least: int) -> Form:
    """Return the form of a whole number, or its text."""
    return {"anyOf": [{"type": "integer", "minimum": least}, _NUMBER_TEXT]}


def chance() -> Form:
    """Return the form of a probability that is more likely than not, or its text."""
    return {"anyOf": [{"type": "number", "minimum": 0.5, "exclusiveMaximum": 1}, _NUMBER_TEXT]}


def space_form() -> Form:
    """Return the form of the key `space`."""
    kinds = [_options_form(kind, "type", name) for name, kind in _DIMENSIONS.items()]
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": _PARAMETER,
        "additionalProperties": {"oneOf": kinds},
    }


def strategy_form() -> Form:
    """Return the form of the key `strategy`: a name, or a name and options."""
    kinds = [_options_form(kind, "name", name) for name, kind in STRATEGIES.items()]
    return {"anyOf": [{"enum": [*STRATEGIES]}, *kinds]}


def rule_form() -> Form:
    """Return the form of a rule that stops trials: `auto`, `median`, `asha(eta=3)`, or a name and options."""
    kinds = [_options_form(kind, "name", name) for name, kind in RULES.items()]
    auto = {"type": "object", "properties": {"name": {"const": "auto"}}, "required": ["name"], "maxProperties": 1}
    return {"anyOf": [rule_text(), auto, *kinds, _NULL]}


def rule_text() -> Form:
    """Return the form of a rule that stands in one text."""
    with_options = rf"^\s*({'|'.join(RULES)})\s*(\(.*\))?\s*$"
    return {"anyOf": [{"enum": ["auto", *RULES]}, {"type": "string", "pattern": with_options}]}


def _options_form(kind: type, key: str, name: str) -> Form:
    """Return the form of a mapping that names a kind of something under `key`, beside the options of its dataclass."""
    assert is_dataclass(kind)
    found = TypeAdapter(kind).json_schema()
    said = field_docs(kind)
    options = {
        option: {**_as_written(form), **({"description": said[option]} if option in said else {})}
        for option, form in found.get("properties", {}).items()
        if option != "goal"  # the study's own
    }
    return {
        "type": "object",
        "properties": {key: {"const": name}, **options},
        "required": [key, *found.get("required", [])],
        "additionalProperties": False,
    }


def _as_written(form: Any) -> Any:
    """Return the form with a number's text wherever a number may stand, and no list empty."""
    if isinstance(form, list):
        return [_as_written(each) for each in form]
    if not isinstance(form, Mapping):
        return form
    if form.get("type") in ("number", "integer"):
        default = {"default": form["default"]} if "default" in form else {}
        return {"anyOf": [{"type": form["type"]}, _NUMBER_TEXT], **default}
    if {"type": "string"} in form.get("anyOf", ()):
        return dict(form)
    found = {key: _as_written(value) for key, value in form.items()}
    is_list_of_values = "items" in form and form["items"].get("type") != "object"
    return found | ({"minItems": 1} if is_list_of_values else {})
