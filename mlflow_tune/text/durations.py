"""Durations as a study file writes them: 90s, 10m, 2h."""

from __future__ import annotations

import math
import re

from mlflow_tune.errors import InputError
from mlflow_tune.text import shown

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smh])+")
_SHORTEST = 0.001


def as_duration(value: object) -> float:
    """Return the seconds that `90s`, `10m`, `2h` or `1h30m` stand for; raise InputError otherwise."""
    text = str(value).replace(" ", "")
    if not isinstance(value, str) or not _DURATION.fullmatch(text):
        raise InputError(f"must be a duration such as 90s, 10m or 2h, but got {shown(value)}")
    seconds = sum(float(amount) * _UNITS[unit] for amount, unit in re.findall(r"([\d.]+)([smh])", text))
    if not _SHORTEST <= seconds < math.inf:
        raise InputError(f"must be at least {_SHORTEST}s and finite, but got {shown(value)}")
    return seconds


def duration_text(seconds: float) -> str:
    """Return the duration as a study file writes it: 90s, 10m, 2h; to the microsecond."""
    for unit in "hm":
        if seconds >= _UNITS[unit] and seconds % _UNITS[unit] == 0:
            return f"{seconds / _UNITS[unit]:.0f}{unit}"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
