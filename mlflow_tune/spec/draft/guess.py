"""What a parameter's name, type and default tell of the range in which to search it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlflow_tune.errors import InputError
from mlflow_tune.space import Float, Int
from mlflow_tune.spec.draft.parameter import Parameter
from mlflow_tune.spec.draft.words import word_set
from mlflow_tune.text import as_integer, as_number, is_number, rounded, words_of

_FIXED = {
    "it sets how long or how often, not how well": "epoch epochs step steps iteration iterations iter iters rounds "
    "round interval every frequency patience warmup timeout",
    "it is chance, not quality": "seed seeds random",
    "it is about the machine": "worker workers job jobs thread threads gpu gpus cpu cpus device devices port host",
    "it is about what is printed or kept": "verbose verbosity debug log logging save checkpoint version run id",
    "it is about the data": "path dir directory file filename folder data dataset uri url output input split fold "
    "folds class classes sample samples image images row rows limit subset target column",
}
_WHY_FIXED = {word: why for why, words in _FIXED.items() for word in words.split()}
_SWITCHES = word_set("use is with no enable disable do has")
_HELD_OUT = word_set("val valid validation test eval")
_SHARES = word_set(
    "dropout drop momentum prob probability fraction frac subsample colsample ratio smoothing quantile threshold"
)
_PENALTIES = word_set("l1 l2 alpha lambda reg regularization penalty wd")
_SIZES = word_set(
    "units hidden layers layer depth width filters channels neurons estimators leaves heads embedding embed dim nodes "
    "trees components"
)
_OF_A_SCHEDULE = word_set("decay scheduler schedule factor gamma step steps warmup patience milestones min max")
# Of what has no range of its own: a choice or a switch of these is about the model, others may be about anything.
_OF_THE_MODEL = word_set(
    "activation optimizer optim kernel booster norm normalization batchnorm layernorm pooling scheduler schedule "
    "nesterov amsgrad bias residual bidirectional"
)
_INTEGER = re.compile(r"[-+]?(0|[1-9]\d*)", re.ASCII)
_DECIMAL = re.compile(r"[-+]?((0|[1-9]\d*)\.\d*|\.\d+|\d+(?=[eE]))([eE][-+]?\d+)?", re.ASCII)
ONLY_NUMBERS = "only numbers have a range to be guessed"
ZERO_CHARACTER = "no word of a command may have a zero character"
A_CHOICE = "whether it matters to the model is not to be told"
_IMPORTANT = ("learning_rate", "regularization", "capacity", "batch_size")


@dataclass(frozen=True)
class Guess:
    """How a parameter may be searched: `range` as a study file has it, {} when there is none to be guessed.

    `why` says how the range came about; `fixed` why the parameter is better left at its default, "" when it is not.
    """

    range: Mapping[str, object] = field(default_factory=dict)
    why: str = ""
    fixed: str = ""

    @property
    def importance(self) -> int:
        """The place in which to search it, 0 first."""
        role = str(self.range.get("role"))
        return _IMPORTANT.index(role) if role in _IMPORTANT else len(_IMPORTANT)


def guess(parameter: Parameter) -> Guess:
    """Return in which range the parameter may be searched, and whether it is worth it."""
    if parameter.stays:
        return Guess(fixed=parameter.stays)
    if parameter.choices or parameter.type in ("bool", "list"):
        return _chosen(parameter)
    number = number_of(parameter)
    if number is None:
        unknown = "it has no default" if parameter.default is None else "its default is no number"
        return Guess(fixed=unknown if parameter.type in ("int", "float") else ONLY_NUMBERS)
    words = words_of(parameter.name)
    role = role_of(parameter.name)
    found, why = _int_range(number) if isinstance(number, int) else _float_range(number, words, role)
    found, why = _within(parameter, found, why)
    try:
        (Int if isinstance(number, int) else Float)(**found)
    except (InputError, OverflowError, TypeError):
        return Guess(fixed="no range can be guessed from its default")
    form = {"type": "int" if isinstance(number, int) else "float", **found, **({"role": role} if role else {})}
    taken = "its name is that of a metric in MLflow" if parameter.name.startswith("log10_") else ""
    return Guess(form, why, taken or _why_fixed(words, role, number))


def number_of(parameter: Parameter) -> int | float | None:
    """Return the default as a number of the declared type; None when it is none.

    MLproject files that give no type mean "string": there a number is what is one, and a text that is written as one.
    """
    default = parameter.default
    with contextlib.suppress(InputError):
        if parameter.type == "int":
            return as_integer(default)
        if parameter.type == "float":
            return as_number(default)
        if parameter.type == "string" and is_number(default):
            return default if isinstance(default, int) else as_number(default)
        if parameter.type == "string" and isinstance(default, str):
            return _written(default)
    return None


def _written(text: str) -> int | float | None:
    if _INTEGER.fullmatch(text):
        return int(text)
    return as_number(text) if _DECIMAL.fullmatch(text) else None


def _chosen(parameter: Parameter) -> Guess:
    """Return the values of a choice, of a switch, or of a list of sizes."""
    words = words_of(parameter.name)
    role = role_of(parameter.name)
    of_model = bool(set(words) & _OF_THE_MODEL)
    known = next((_WHY_FIXED[word] for word in words if word in _WHY_FIXED and not of_model), "")
    if parameter.choices:
        values = list(parameter.choices)
        numbers = all(map(is_number, values)) and values == sorted(values)
        form = {"type": "ordinal" if numbers else "categorical", "values": values, **({"role": role} if role else {})}
        if len(values) < 2:
            return Guess(fixed="there is one choice")
        if any("\0" in value for value in values if isinstance(value, str)):
            return Guess(fixed=ZERO_CHARACTER)
        needed = of_model or numbers or parameter.required or role in _IMPORTANT
        return Guess(form, "what its declaration allows", known or ("" if needed else A_CHOICE))
    if parameter.type == "bool":
        form = {"type": "categorical", "values": [False, True]}
        return Guess(form, "without it and with it", known or ("" if of_model else A_CHOICE))
    sizes = list(parameter.default) if isinstance(parameter.default, tuple | list) else []
    if role != "capacity" or not all(type(size) is int and size >= 4 for size in sizes) or not sizes:
        return Guess(fixed=ONLY_NUMBERS)
    values = [[size // 2 for size in sizes], sizes, [size * 2 for size in sizes]]
    return Guess({"type": "categorical", "values": values, "role": role}, "half and twice its sizes", known)


def _within(parameter: Parameter, found: dict[str, Any], why: str) -> tuple[dict[str, Any], str]:
    """Return the range within the bounds that the declaration draws."""
    low, high = parameter.low, parameter.high
    inner = dict(found)
    if low is not None:
        inner["low"] = max(found["low"], low)
    if high is not None:
        inner["high"] = min(found["high"], high)
    return (inner, why) if inner == found else (inner, f"{why}, within its declared bounds")


def role_of(name: str) -> str | None:
    """Return what a parameter of a well-known name does, as the key `role` of a study file says it."""
    words = words_of(name)
    known = set(words)
    joined = "_".join(words)
    if known & {"epoch", "epochs"}:
        return "epochs"
    if joined.endswith("batch_size") or joined in ("batch", "bs"):
        return "batch_size"
    if "weight_decay" in joined or ("dropout" in known) or (known & _PENALTIES and "ratio" not in known):
        return "regularization"
    named = "lr" in known or "learning_rate" in joined
    if joined in ("eta", "step_size") or (named and not known & _OF_A_SCHEDULE):
        return "learning_rate"
    return "capacity" if known & _SIZES else None


def _why_fixed(words: list[str], role: str | None, number: float) -> str:
    if set(words) & _HELD_OUT:
        return "it is about how the model is judged"
    if words and words[0] in _SWITCHES:
        return "it is a switch"
    below = "whole numbers below 1 often mean none or automatic" if isinstance(number, int) and number < 1 else ""
    if role not in _IMPORTANT and not (words and words[0] == "min"):  # min_samples_leaf is about the model
        known = [_WHY_FIXED[word] for word in words if word in _WHY_FIXED]
    else:
        known = []
    return next(iter(known), below)


def _float_range(value: float, words: list[str], role: str | None) -> tuple[dict[str, Any], str]:
    if set(words) & _SHARES and 0 <= value <= 1:
        low, high = max(0.0, value - 0.25), min(max(0.99, value), value + 0.25)
        return {"low": rounded(low, 3), "high": rounded(high, 3)}, "within 0 and 1"
    if value == 0 and role == "regularization":
        return {"low": 1e-6, "high": 1e-2, "log": True}, "small values on a log scale; 0 itself is not among them"
    if value == 0:
        return {"low": 0.0, "high": 1.0}, "from 0 to 1"
    if value < 0:
        return {"low": rounded(2 * value, 3), "high": 0.0}, "from twice the default to 0"
    return _fraction_range(value, role) if value < 1 else _log_range(value, 4, "a quarter to four times, log scale")


def _fraction_range(value: float, role: str | None) -> tuple[dict[str, Any], str]:
    """Return a range for a default between 0 and 1 that ends at 1: there are many numbers that may not be larger."""
    if value > 0.5 and role is None:  # such as a decay of 0.99: what counts is how far it is from 1
        low, high = max(0.0, 1 - 10 * (1 - value)), 1 - (1 - value) / 10
        return {"low": rounded(low, 9), "high": rounded(high, 9)}, "its distance from 1 a decade either side"
    found, why = _log_range(value, 10, "a decade either side, log scale")
    return ({**found, "high": 1.0}, f"{why}, but not beyond 1") if found["high"] > 1 else (found, why)


def _log_range(value: float, times: int, why: str) -> tuple[dict[str, Any], str]:
    return {"low": rounded(value / times, 3), "high": rounded(value * times, 3), "log": True}, why


def _int_range(value: int) -> tuple[dict[str, Any], str]:
    if value >= 8:
        return {"low": value // 4, "high": value * 4, "log": True}, "a quarter to four times, log scale"
    return {"low": min(1, value), "high": max(4, 2 * value)}, "from small to twice the default"
