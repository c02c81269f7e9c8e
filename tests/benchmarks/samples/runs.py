"""Runs of methods on problems, and the files that hold them: what each would return after 10, 20, 50 and 100 trials."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mlflow_tune.trial import Params
from tests.benchmarks.samples.methods import BY_BUDGET, OURS_CONFIRMED, PEERS, quietly, version_of
from tests.benchmarks.samples.problems import Problem, problem_of

BUDGETS = (10, 20, 50, 100)
RECORDED = Path(__file__).parent / "recorded"
FIRST = {OURS_CONFIRMED: 50}  # budgets that leave too little of a study beside its confirmation are none
DRAWN, FEW = 400, 100  # points whose median true value is 0 on the scale; few where they are trained
HEAD = ["problem", "seed", "version", *(f"{what}_{at}" for what in ("true", "seen", "seconds") for at in BUDGETS)]


@dataclass
class Run:
    """What a method would return after each budget: its best seen. Seconds are of processor time, evaluations apart."""

    problem: str
    seed: int
    version: str
    true: dict[int, float] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)


@dataclass
class Watched:
    """The objective of a run: notes the best seen at each budget, and how long the method itself took."""

    problem: Problem
    seed: int
    budgets: Sequence[int]
    number: int = 0
    best: float = float("inf")
    at: Params = field(default_factory=dict)
    points: dict[int, Params] = field(default_factory=dict)
    seen: dict[int, float] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    spent: float = 0.0
    since: float = field(default_factory=time.process_time)

    def __call__(self, params: Params) -> float:
        self._begin()
        value = self.problem.value(params, self.seed, self.number)
        if value < self.best:
            self.best, self.at = value, params
        if self.number in self.budgets:
            self._note(self.number, self.at)
        self.since = time.process_time()
        return value

    def again(self, params: Params, seed: int) -> float:
        self._begin()
        value = self.problem.again(params, self.seed, self.number, seed)
        self.since = time.process_time()
        return value

    def recommend(self, params: Params) -> None:
        """Take it that the study ends, and that it returns this point."""
        self.spent += time.process_time() - self.since
        self._note(self.budgets[-1], params)

    def _begin(self) -> None:
        self.spent += time.process_time() - self.since
        self.number += 1

    def _note(self, budget: int, params: Params) -> None:
        self.points[budget], self.seen[budget], self.seconds[budget] = params, self.best, self.spent


def run(method: str, problem: Problem, seed: int, trials: int) -> Run:
    """Run a study of a method on a problem."""
    budgets = [at for at in BUDGETS if FIRST.get(method, 0) <= at <= trials]
    found = Run(problem.name, seed, version_of(method))
    known: dict[str, float] = {}
    for study in [[at] for at in budgets] if method in BY_BUDGET else [budgets]:
        watched = Watched(problem, seed, study)
        recommended = quietly(method, problem.space, watched, study[-1], seed)
        if recommended is not None:
            watched.recommend(recommended)
        for at, point in watched.points.items():
            key = repr(point)
            known[key] = known[key] if key in known else problem.truth(point)
            found.true[at], found.seen[at], found.seconds[at] = known[key], watched.seen[at], watched.seconds[at]
    return found


def read(file: Path) -> dict[tuple[str, int, str], Run]:
    """Return the runs of a file by problem, seed and version; of one that was run again, the last."""
    if not file.exists():
        return {}
    found = {}
    with file.open(newline="") as lines:
        for row in csv.DictReader(lines):
            parts = {
                what: {at: float(row[f"{what}_{at}"]) for at in BUDGETS if row[f"{what}_{at}"]}
                for what in ("true", "seen", "seconds")
            }
            one = Run(row["problem"], int(row["seed"]), row["version"], **parts)
            found[one.problem, one.seed, one.version] = one
    return found


def add(file: Path, one: Run) -> None:
    """Write a run at the end of a file, which is made where it is missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = not file.exists()
    parts = ((one.true, ".6g"), (one.seen, ".6g"), (one.seconds, ".3g"))
    numbers = [format(part[at], form) if at in part else "" for part, form in parts for at in BUDGETS]
    with file.open("a", newline="") as lines:
        writer = csv.writer(lines, lineterminator="\n")
        if new:
            writer.writerow(HEAD)
        writer.writerow([one.problem, one.seed, one.version, *numbers])


def record(
    method: str, problems: Sequence[Problem], seeds: Iterable[int], trials: int, file: Path, jobs: int = 1
) -> list[Run]:
    """Return the runs of a method, those of the file as they stand, and add the others to it, `jobs` at a time."""
    held, version = read(file), version_of(method)
    wanted = [(problem.name, seed, version) for seed in seeds for problem in problems]
    missing = [key for key in wanted if key not in held or max(held[key].true) < trials]
    with ProcessPoolExecutor(jobs) as pool:
        for each in [pool.submit(_named, method, name, seed, trials) for name, seed, _ in missing]:
            add(file, each.result())
    held = read(file)  # in as many digits as those of others, so that equals are equal
    return [held[key] for key in wanted]


def _named(method: str, problem: str, seed: int, trials: int) -> Run:
    return run(method, problem_of(problem), seed, trials)


@dataclass(frozen=True)
class Scale:
    """What scores are counted from: 0 at the median of random points, 100 at the best that is known."""

    middle: float
    best: float
    wide: bool = False

    def score(self, value: float) -> float:
        """Return the score of a true value."""
        middle, best, at = np.log([self.middle, self.best, value]) if self.wide else (self.middle, self.best, value)
        return float(100 * (middle - at) / (middle - best))


def scale_of(problem: Problem, file: Path = RECORDED / "scale.csv") -> Scale:
    """Return the scale of a problem, which the file holds once it was asked for."""
    if file.exists():
        with file.open(newline="") as lines:
            for row in csv.DictReader(lines):
                if row["problem"] == problem.name:
                    return Scale(float(row["middle"]), float(row["best"]), problem.wide)
    draws = np.random.default_rng(5)
    points = [problem.space.from_unit(draws.random(len(problem.space)).tolist()) for _ in range(DRAWN)]
    if problem.optimum is None:  # a model, whose points are trained: each once
        middle = float(np.median([problem.value(point, 0, number) for number, point in enumerate(points[:FEW])]))
        best = least_recorded(problem.name)
    else:
        middle, best = float(np.median([problem.truth(point) for point in points])), problem.optimum
    with file.open("a") as lines:
        new = "" if file.stat().st_size else "problem,middle,best\n"
        lines.write(f'{new}"{problem.name}",{middle:.10g},{best:.10g}\n')
    return Scale(middle, best, problem.wide)


def least_recorded(problem: str) -> float:
    """Return the least true value that a peer whose runs are recorded has returned."""
    runs = (one for file in RECORDED.glob("*.csv") if file.stem in PEERS for one in read(file).values())
    return min(value for one in runs if one.problem == problem for value in one.true.values())
