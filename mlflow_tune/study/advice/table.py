"""The measured tables behind advice, and the figures that are read from them.

`strategies.csv` and `stopping.csv` beside this file are made by `tests/benchmarks/advice.py`, whose docstring tells how
a figure is measured. A row of `strategies.csv` is a problem under one strategy and one condition, the mean of several
studies; a figure is a mean over problems.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mlflow_tune.report.comparison.statistics import Sample

FOLDER = Path(__file__).parent
BUDGETS = (10, 25, 50)  # trials
GROUPS = ((1, 1), (2, 2), (3, 6), (7, 10))  # how many parameters: problems of a group are taken for alike
LOW, HIGH = -10.0, 1.0  # no share is above 1


@dataclass(frozen=True)
class Row:
    """A problem under one strategy: by budget the share of the way from a middling point to the best one."""

    problem: str
    kind: str
    parameters: int
    noise: float
    workers: int
    strategy: str
    studies: int
    ran: float
    reached: Mapping[int, float]


@dataclass(frozen=True)
class Condition:
    """Which problems are looked at (`parameters` from and to, `kind`), and how they were searched."""

    parameters: tuple[int, int]
    kind: str | None = None
    noise: bool = False
    workers: int = 1


@dataclass(frozen=True)
class Figure:
    """What a strategy had reached on some problems after so many trials: the mean, and its 95 % interval.

    `ran` is how many trials its studies took in the mean, where that is fewer.
    """

    strategy: str
    trials: int
    condition: Condition
    problems: tuple[str, ...]
    shares: tuple[float, ...]
    studies: int
    ran: float

    @property
    def mean(self) -> float:
        """The mean over the problems."""
        return math.fsum(self.shares) / len(self.shares)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean; None of one problem."""
        found = Sample(self.shares, independent=True).interval
        return found and (max(found[0], LOW), min(found[1], HIGH))

    def to_json(self) -> dict[str, Any]:
        """Return the figure with the rows of the table that it comes from."""
        return {
            "table": "strategies.csv",
            "strategy": self.strategy,
            "trials": self.trials,
            "ran": self.ran,
            "parameters": list(self.condition.parameters),
            "kind": self.condition.kind,
            "noise": self.condition.noise,
            "workers": self.condition.workers,
            "problems": list(self.problems),
            "studies": self.studies,
            "reached": round(self.mean, 4),
            "interval": self.interval and [round(end, 4) for end in self.interval],
        }


@dataclass(frozen=True)
class Stopping:
    """What a rule saved of the epochs of recorded curves, and how often the best trial survived it."""

    project: str
    curves: int
    epochs: int
    trials: int
    studies: int
    rule: str
    after: int
    saved: float
    kept: float

    def to_json(self) -> dict[str, Any]:
        """Return the row of the table."""
        return {"table": "stopping.csv", **vars(self)}


@cache
def strategies_table() -> tuple[Row, ...]:
    """Return the rows of `strategies.csv`."""
    return tuple(_row(form) for form in _read("strategies.csv"))


@cache
def stopping_table() -> tuple[Stopping, ...]:
    """Return the rows of `stopping.csv`."""
    kinds = {"project": str, "rule": str, "saved": float, "kept": float}
    return tuple(
        Stopping(**{name: kinds.get(name, int)(text) for name, text in form.items()}) for form in _read("stopping.csv")
    )


def group_of(parameters: int) -> tuple[int, int]:
    """Return the group of problems whose number of parameters is this one, or next to it."""
    return next(((low, high) for low, high in GROUPS if parameters <= high), GROUPS[-1])


def nearest_budget(trials: int, budgets: Sequence[int] = BUDGETS) -> int:
    """Return the measured budget that is nearest, by the factor between the two."""
    return min(budgets, key=lambda budget: abs(math.log(budget / max(trials, 1))))


def measured(strategy: str, trials: int, condition: Condition) -> Figure | None:
    """Return what a strategy reached under a condition; None where that was not measured.

    Only bisection and Bayesian search depend on the number of workers; the others have one figure for all.
    """
    rows = [row for row in strategies_table() if row.strategy == strategy and _holds(row, condition)]
    rows = [row for row in rows if trials in row.reached]
    if not rows:
        return None
    studies = sum(row.studies for row in rows)
    ran = math.fsum(row.ran for row in rows) / len(rows)
    names, shares = zip(*((row.problem, row.reached[trials]) for row in rows), strict=True)
    return Figure(strategy, trials, condition, names, shares, studies, ran)


def lead(first: Figure, second: Figure) -> Sample:
    """Return by how much the first is ahead on each of the problems that both were measured on."""
    theirs = dict(zip(second.problems, second.shares, strict=True))
    pairs = zip(first.problems, first.shares, strict=True)
    return Sample(tuple(share - theirs[name] for name, share in pairs if name in theirs), independent=True)


def _holds(row: Row, condition: Condition) -> bool:
    low, high = condition.parameters
    alike = low <= row.parameters <= high and condition.kind in (None, row.kind)
    return alike and bool(row.noise) == condition.noise and row.workers == condition.workers


def _row(form: Mapping[str, str]) -> Row:
    return Row(
        form["problem"],
        form["kind"],
        int(form["parameters"]),
        float(form["noise"]),
        int(form["workers"]),
        form["strategy"],
        int(form["studies"]),
        float(form["ran"]),
        {budget: float(form[str(budget)]) for budget in BUDGETS if form[str(budget)]},
    )


def _read(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
