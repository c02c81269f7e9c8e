"""Sizes of memory as a study file writes them: 512MiB, 2GiB, 1.5GB."""

from __future__ import annotations

import math
import re
from decimal import Decimal

from mlflow_tune.errors import InputError
from mlflow_tune.text import shown

_BINARY = {"TiB": 2**40, "GiB": 2**30, "MiB": 2**20, "KiB": 2**10}
_UNITS = {**_BINARY, "TB": 10**12, "GB": 10**9, "MB": 10**6, "KB": 10**3, "B": 1}
_BY_NAME = {name.lower(): size for name, size in _UNITS.items()}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)([a-z]+)")
_SMALLEST = 2**20  # less than any interpreter takes: a slip of the unit


def as_size(value: object) -> int:
    """Return the bytes that `512MiB`, `2 GiB` or `1.5gb` stand for; raise InputError otherwise."""
    found = _SIZE.fullmatch(value.replace(" ", "").lower()) if isinstance(value, str) else None
    if found is None or found[2] not in _BY_NAME:
        raise InputError(f"must be a size such as 512MiB, 2GiB or 1.5GB, but got {shown(value)}")
    size = Decimal(found[1]) * _BY_NAME[found[2]]
    if not _SMALLEST <= size < 2**63:
        raise InputError(f"must be at least 1MiB and less than 8388608TiB, but got {shown(value)}")
    return round(size)


def size_text(size: int, blank: str = "") -> str:
    """Return the bytes as a study file writes them, exactly: 2GiB, 1500MB, 1048577B; `blank` stands before the unit."""
    units = [name for name, unit in _UNITS.items() if size % unit == 0]
    return min((f"{size // _UNITS[name]}{blank}{name}" for name in units), key=len)


def size_words(size: int) -> str:
    """Return the bytes in words for people, rounded up to a hundredth of the unit: 2.31 GiB."""
    name, unit = next(((name, unit) for name, unit in _BINARY.items() if size >= unit), ("B", 1))
    return f"{math.ceil(size * 100 / unit) / 100:g} {name}"
