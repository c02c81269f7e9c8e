"""What the studies share that `python -m tests.faults peers` kills: their grid, their objective, what they note."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path

from common import options

GRID = {"lr": [0.0005, 0.001, 0.01, 0.05], "alpha": [0.02, 0.1, 1.0, 5.0]}
SECONDS = 0.4
OPTIONS = options()
FOLDER, TURN, REPORT = Path(OPTIONS["folder"]), OPTIONS["turn"], OPTIONS["report"]


def point(lr: float, alpha: float) -> str:
    """Return a point as it is noted."""
    return f"{lr} {alpha}"


def loss(lr: float, alpha: float) -> float:
    """Train for a moment, and note that it came to its end."""
    time.sleep(SECONDS)
    with (FOLDER / f"calls-{TURN}").open("a") as file:
        file.write(f"{point(lr, alpha)}\n")
    return lr + alpha


def note(known: Iterable[str], left_open: int) -> None:
    """Note the points of the results in the store, and how many trials or runs are open there."""
    half = FOLDER / "half"
    half.write_text(json.dumps(sorted(known)))
    half.rename(FOLDER / f"known-{TURN}")
    (FOLDER / "open").write_text(str(left_open))
