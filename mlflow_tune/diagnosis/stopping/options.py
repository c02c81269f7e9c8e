"""The options of the rules, checked."""

from __future__ import annotations

from mlflow_tune.errors import InputError
from mlflow_tune.text import as_integer, as_number, at


def read_count(rule: object, option: str, least: int) -> None:
    """Make the option a whole number. Raises `InputError`, with its name as key, for anything below `least`."""
    count = at(option, as_integer, getattr(rule, option))
    if count < least:
        raise InputError(f"must be at least {least}, but got {count}", option)
    object.__setattr__(rule, option, count)


def read_number(rule: object, option: str, above: float, below: float) -> None:
    """Make the option a number. Raises `InputError`, with its name as key, unless it lies between the two."""
    number = at(option, as_number, getattr(rule, option))
    if not above < number < below:
        raise InputError(f"{above:g} < {option} < {below:g} must hold, but got {number:g}", option)
    object.__setattr__(rule, option, number)
