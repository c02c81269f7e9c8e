"""The parameters of a W&B sweep as those of a search space, one distribution at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.space import Space
from mlflow_tune.spec.draft.guess import role_of
from mlflow_tune.text import as_number, at, is_number, rounded, shown, unknown

_MOST_ON_A_GRID = 1000
_NORMAL = "a normal distribution has no ends: the range is two standard deviations either side, drawn evenly"
_BETA = "a beta distribution is drawn evenly from 0 to 1"
_ROUNDED = "values are not rounded to multiples of {q}"
_KINDS = (
    "constant",
    "categorical",
    "categorical_w_probabilities",
    "int_uniform",
    "uniform",
    "q_uniform",
    "log_uniform",
    "log_uniform_values",
    "q_log_uniform",
    "q_log_uniform_values",
    "inv_log_uniform",
    "inv_log_uniform_values",
    "normal",
    "q_normal",
    "log_normal",
    "q_log_normal",
    "beta",
    "q_beta",
)


@dataclass(frozen=True)
class Converted:
    """A parameter of a sweep: a dimension as the study file has it, or a fixed value where `form` is empty.

    `left` says what of its distribution does not carry over, "" when all does.
    """

    form: Mapping[str, Any] = field(default_factory=dict)
    value: Any = None
    left: str = ""


def converted(name: str, given: Any) -> Converted:
    """Return what a parameter of a sweep becomes. Raises InputError, with a key below the parameter's name."""
    if not isinstance(given, Mapping):
        raise InputError(f"must be a mapping such as {{min: 0, max: 1}}, but got {shown(given)}", name)
    try:
        found = _converted(given)
        if found.form:
            role = role_of(name)
            found = Converted({**found.form, **({"role": role} if role else {})}, None, found.left)
            Space.from_json({"x": found.form})
    except InputError as error:
        raise InputError(error.message, f"{name}.{error.key.removeprefix('x.')}" if error.key else name) from None
    return found


def on_a_grid(form: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the dimension with the points that a grid of W&B tries: every whole number, every multiple of a step.

    Raises InputError when they cannot be counted.
    """
    if "low" not in form:
        return form
    step = form.get("step", 1 if form["type"] == "int" else None)
    if step is None or form.get("log"):
        raise InputError("a grid needs values that can be counted, but this is a range of real numbers")
    count = round((form["high"] - form["low"]) / step) + 1
    if count > _MOST_ON_A_GRID:
        raise InputError(f"a grid of {count} values of one parameter is more than {_MOST_ON_A_GRID}")
    return {**form, "grid": count}


def _converted(given: Mapping[str, Any]) -> Converted:
    kind = given.get("distribution") or _implied(given)
    if kind not in _KINDS:
        raise InputError(unknown("distribution", kind, _KINDS), "distribution")
    if kind == "constant":
        value = given.get("value")
        return Converted(value=value if isinstance(value, bool | int | float | str) else str(value))
    if kind.startswith("categorical"):
        return _categorical(given)
    if kind.endswith("normal"):
        return _normal(given, kind)
    if kind.endswith("beta"):
        return Converted({"type": "float", "low": 0.0, "high": 1.0}, left=_BETA)
    return _ranged(given, kind)


def _implied(given: Mapping[str, Any]) -> str:
    if "value" in given:
        return "constant"
    if "values" in given:
        return "categorical"
    if "min" in given and "max" in given:
        whole = all(isinstance(given[key], int) and not isinstance(given[key], bool) for key in ("min", "max"))
        return "int_uniform" if whole else "uniform"
    raise InputError("needs a distribution, value, values, or min and max")


def _categorical(given: Mapping[str, Any]) -> Converted:
    values = given.get("values")
    if not isinstance(values, list) or not values:
        raise InputError(f"must be a list of at least one value, but got {shown(values)}", "values")
    words = ["None" if each is None else each for each in values]  # as W&B writes it on the command line
    values = list({(type(each), str(each)): each for each in words}.values())
    if len(values) == 1:
        return Converted(value=values[0])
    ordered = all(map(is_number, values)) and values == sorted(values)
    left = "probabilities: each value is as likely as the others" if "probabilities" in given else ""
    return Converted({"type": "ordinal" if ordered else "categorical", "values": values}, left=left)


def _number(given: Mapping[str, Any], key: str, default: float | None = None) -> int | float:
    value = given.get(key, default)
    return value if isinstance(value, int) and not isinstance(value, bool) else at(key, as_number, value)


def _normal(given: Mapping[str, Any], kind: str) -> Converted:
    mu, sigma = _number(given, "mu", 0.0), _number(given, "sigma", 1.0)
    low, high = mu - 2 * sigma, mu + 2 * sigma
    if kind.endswith("log_normal"):
        return Converted({"type": "float", "low": _exp(low), "high": _exp(high), "log": True}, left=_NORMAL)
    return Converted({"type": "float", "low": rounded(low, 6), "high": rounded(high, 6)}, left=_NORMAL)


def _exp(number: float) -> float:
    try:
        return rounded(math.exp(number), 6)
    except OverflowError:
        raise InputError(f"is the exponent of e, and e**{number} is no number", "max") from None


def _ranged(given: Mapping[str, Any], kind: str) -> Converted:
    low, high = _number(given, "min"), _number(given, "max")
    name = kind.removeprefix("q_")
    if name == "inv_log_uniform":
        low, high = _exp(-high), _exp(-low)
    if name == "log_uniform":
        low, high = _exp(low), _exp(high)
    if low == high:
        return Converted(value=low)
    log = {"log": True} if "log" in name else {}
    if kind == "int_uniform":
        return Converted({"type": "int", "low": low, "high": high})
    if not kind.startswith("q_"):
        return Converted({"type": "float", "low": float(low), "high": float(high), **log})
    return _stepped(low, high, _number(given, "q", 1), log)


def _stepped(low: float, high: float, q: float, log: Mapping[str, bool]) -> Converted:
    """Return a range whose values are multiples of `q`, where a study has such a range."""
    if q <= 0:
        raise InputError(f"q > 0 must hold, but got {q}", "q")
    if log:
        if q == 1 and round(low) >= 1 and round(low) < round(high):
            return Converted({"type": "int", "low": round(low), "high": round(high), **log})
        return Converted({"type": "float", "low": float(low), "high": float(high), **log}, left=_ROUNDED.format(q=q))
    first, last = math.ceil(low / q - 1e-9), math.floor(high / q + 1e-9)
    if first >= last:
        return Converted({"type": "float", "low": float(low), "high": float(high)}, left=_ROUNDED.format(q=q))
    if isinstance(q, int) or float(q).is_integer():
        step = int(q)
        return Converted(
            {"type": "int", "low": first * step, "high": last * step, **({"step": step} if step > 1 else {})}
        )
    return Converted({"type": "float", "low": rounded(first * q, 12), "high": rounded(last * q, 12), "step": q})
