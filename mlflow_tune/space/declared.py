"""The parameters that a project says its code takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class DeclaredParameter:
    """A parameter that an entry point declares; `default` is None when it has none."""

    name: str
    type: str
    default: Any
