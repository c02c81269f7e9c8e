"""What the scripts of this folder share: the objective, and how the time of a study is told."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

STEPS = 10


def loss(x: float, y: float) -> float:
    """Return the metric of a trial that trains nothing."""
    return (x - 0.5) ** 2 + y


def options() -> dict[str, Any]:
    """Return what the benchmark asks for."""
    found: dict[str, Any] = json.loads(sys.argv[1])
    return found


def measure(study: Callable[[str, int, int], None]) -> None:
    """Run `study(name, trials, steps)` as asked, after one of two trials that warms up; print when it ran.

    The times are those of `time.monotonic()`, which the benchmark reads as well.
    """
    asked = options()
    study(f"{asked['name']}-warm-up", 2, asked["steps"])
    began = time.monotonic()
    study(asked["name"], asked["trials"], asked["steps"])
    tell(began=began, ended=time.monotonic())


def tell(**found: object) -> None:
    """Print what was measured, as the last line."""
    print()
    print(json.dumps(found), flush=True)
