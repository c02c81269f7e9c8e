"""Reading what people write: numbers, words and lists, with errors that state the rule and the value."""

from __future__ import annotations

import difflib
import math
import reprlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from numbers import Integral, Real
from typing import Any, TypeVar, cast

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.text.safe import cut
from mlflow_tune.text.values import Scalar, Value, plain, value_text

_T = TypeVar("_T")
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 80


def shown(value: object) -> str:
    """Return the value as a message shows it: in Python's notation, cut where it is long; "nothing" for None."""
    text = "nothing" if value is None else _SHORT.repr(value)
    return cut(text, 200)


def as_number(value: object) -> float:
    """Return `value`, a real number or its text such as "1e-4", as a float; `InputError` unless it is finite."""
    value = plain(value)
    number = math.nan
    if isinstance(value, str | Real) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise InputError(f"must be a finite number, but got {shown(value)}")
    return number + 0.0  # -0.0 and 0.0 are equal, so they must be one text


def as_integer(value: object) -> int:
    """Return `value`, a whole number such as 16, 16.0, "16" or "1e3", as an int; else raise `InputError`."""
    value = plain(value)
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        with suppress(ValueError):
            return int(value)
    number = as_number(value)
    if not number.is_integer():
        raise InputError(f"must be a whole number, but got {shown(value)}")
    return int(number)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that `word` is most likely a misspelling of, if any comes near."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1)), None)


def unknown(kind: str, word: object, known: Iterable[str]) -> str:
    """Return the message for an unknown `word`: it names the nearest known word, or else all of them."""
    names = list(known)
    near = nearest(str(word), names)
    return f"unknown {kind} {shown(word)}; " + (f"did you mean {near!r}?" if near else f"known: {', '.join(names)}")


def at(key: str, read: Callable[[Any], _T], value: object) -> _T:
    """Return `read(value)`; an `InputError` gets `key` before its own."""
    try:
        return read(value)
    except InputError as error:
        raise error.under(key) from None


def listed(values: object, key: str, read: Callable[[Any], _T]) -> tuple[_T, ...]:
    """Return what `read` makes of the `values`; `InputError` unless they are a list, not empty, distinct as text."""
    values = plain(values)
    if isinstance(values, str) or not isinstance(values, Sequence) or not values:
        raise InputError(f"must be a list of at least one value, but got {shown(values)}", key)
    found: list[_T] = []
    faults = Faults()
    for index, value in enumerate(values):
        with faults.at(f"{key}.{index}"):
            found.append(read(value))
    faults.tell()
    seen: set[str] = set()
    for index, text in enumerate(map(value_text, found)):
        if text in seen:
            message = f"values must be distinct as text, which is what MLflow keeps, but {text!r} is there twice"
            faults.add(InputError(message, f"{key}.{index}"))
        seen.add(text)
    faults.tell()
    return tuple(found)


def as_value(value: object) -> Value:
    """Return a parameter's value as Python's own: null, a text, a finite number, a boolean, or a list of these three.

    Raises `InputError` for anything else; its key is the place in the list.
    """
    value = plain(value)
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        return _as_scalar(value, "must be a text, a finite number, a boolean, null or a list of such")
    faults = Faults()
    found: list[Scalar] = []
    for index, each in enumerate(value):
        with faults.at(str(index)):
            found.append(_as_scalar(plain(each), "in a list it must be a text, a finite number or a boolean"))
    faults.tell()
    return found


def _as_scalar(value: object, rule: str) -> Scalar:
    if type(value) not in (bool, int, float, str) or (isinstance(value, float) and not math.isfinite(value)):
        raise InputError(f"{rule}, but got {shown(value)}")
    return cast(Scalar, value)
