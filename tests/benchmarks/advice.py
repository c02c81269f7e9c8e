"""What each strategy reaches on the problems of `problems.py`: the table behind `mlflow-tune advise`.

`python tests/benchmarks/advice.py RESULTS` runs what the file RESULTS (JSON lines) does not hold yet, so that it goes
on where it was stopped; with `--write` it makes the table that ships in the package from all of it. `--seeds 3` is how
often each study is run, `--problems Branin,SVC` takes those alone.

A figure is the share of the way from a middling point (the median of 512 points of a Sobol sequence) to the best one
that the study's best trial has come. The best trial is the one that the study takes for the best; what counts is its
true loss. The noise is normal, its deviation a tenth of that way. Where nobody knows the best point of a model, it is
the best that anybody has found. A grid has as many levels a parameter as the budget allows, and lies anywhere within
the ranges. `by hand` stands for a person: one parameter at a time, up and down, with smaller steps once nothing helps.

What rules that stop trials save is measured on the recorded curves of `stopping.py`: of all epochs of a study.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import math
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from mlflow_tune.diagnosis.stopping import Asha, Median, Terms
from mlflow_tune.diagnosis.stopping.replay import best_survives, saved_share, simulate
from mlflow_tune.space import Categorical, Choice, Dimension, Space
from mlflow_tune.strategies import Bayesian, Bisection, Grid, Random, Strategy
from mlflow_tune.study.advice.table import BUDGETS, FOLDER
from mlflow_tune.trial import Trial
from tests.benchmarks.problems import PROBLEMS, Problem
from tests.benchmarks.record_curves import SPACES
from tests.benchmarks.stopping import table

POOL = 512  # points
NOISE = 0.1
STOPPED = (10, 30)  # trials of a study of recorded curves
DRAWN = 40  # such studies
RULES = [(Median(), Terms()), (Median(), Terms(after=3)), (Asha(), Terms())]
STRATEGIES = ("by hand", "grid", "random", "bayesian", "bisection")  # the last for one parameter
STEP = 0.25  # of a range: the first step of the one who tries by hand


@dataclass(frozen=True)
class Setting:
    """One study: what searches, and under which conditions."""

    strategy: str
    noise: float
    workers: int
    seed: int


def settings(problem: Problem, seed: int) -> Iterator[Setting]:
    """Yield the studies of a problem. What grid, random search and a person try does not hang on the workers."""
    one = len(problem.space) == 1
    for strategy in STRATEGIES if one else STRATEGIES[:-1]:
        yield Setting(strategy, 0.0, 1, seed)
        yield Setting(strategy, NOISE, 1, seed)
        if strategy in ("bayesian", "bisection"):
            yield Setting(strategy, 0.0, 4, seed)


def pool(problem: Problem) -> list[float]:
    """Return the losses of points that cover the space evenly."""
    history: list[Trial] = []
    found = Random(sampling="sobol").suggest(problem.space, history, POOL)
    return [problem.value(each.params) for each in found]


def best_after(problem: Problem, history: Sequence[Trial], trials: int) -> float:
    """Return the true loss of what the study takes for its best after so many trials."""
    best = min(history[:trials], key=lambda trial: trial.value or 0.0)
    return problem.value(best.params)


@dataclass
class Bench:
    """A problem under a setting; `spread` is the deviation of the noise. No two problems share their draws."""

    problem: Problem
    setting: Setting
    spread: float

    @property
    def seed(self) -> int:
        """What all draws hang on."""
        return zlib.crc32(f"{self.problem.name} {self.setting.seed}".encode())

    def ended(self, trial: Trial) -> Trial:
        """Return the trial with what is observed there."""
        draw = np.random.default_rng([self.seed, trial.number, 1]).normal()
        return replace(trial, outcome="ok", value=self.problem.value(trial.params) + self.spread * float(draw))

    def driven(self, strategy: Strategy, trials: int) -> list[Trial]:
        """Return the trials of a study by a strategy: the one that runs longest ends first."""
        history: list[Trial] = []
        while len(history) < trials:
            running = [index for index, trial in enumerate(history) if trial.running]
            free = min(self.setting.workers - len(running), trials - len(history))
            asked = strategy.suggest(self.problem.space, history, free) if free else []
            if not asked and not running:
                break
            first = len(history) + 1
            history += [Trial(number=number, params=each.params) for number, each in enumerate(asked, start=first)]
            if len(running) + len(asked) == self.setting.workers or not asked:
                oldest = next(index for index, trial in enumerate(history) if trial.running)
                history[oldest] = self.ended(history[oldest])
        return [self.ended(trial) for trial in history]

    def by_hand(self, trials: int) -> list[Trial]:
        """Return the trials of somebody who changes one parameter at a time, and goes on from what was best."""
        names, step = list(self.problem.space), STEP
        np.random.default_rng([self.seed]).shuffle(names)
        place = [0.5] * len(names)
        history = [self._tried(place, 1)]
        while len(history) < trials:
            before = history[-1:] and min(trial.value or 0.0 for trial in history)
            for name, way in itertools.product(names, (1, -1)):
                at = list(self.problem.space).index(name)
                moved = [*place[:at], min(max(place[at] + way * step, 0.0), 1.0), *place[at + 1 :]]
                least = min(trial.value or 0.0 for trial in history)
                history.append(self._tried(moved, len(history) + 1))
                if (history[-1].value or 0.0) < least:
                    place = moved
            if min(trial.value or 0.0 for trial in history) == before:
                step /= 2
        return history[:trials]

    def _tried(self, place: Sequence[float], number: int) -> Trial:
        return self.ended(Trial(number=number, params=self.problem.space.from_unit(place)))

    def gridded(self, trials: int) -> list[Trial]:
        """Return the trials of a grid that takes at most so many."""
        space = self.problem.space
        counts = levels(space, trials)
        offsets = np.random.default_rng([self.seed, trials]).random(len(space))
        values = {
            name: listed(dimension, count, float(offset))
            for (name, dimension), count, offset in zip(space.items(), counts, offsets, strict=True)
        }
        points = Grid().suggest(Space({name: Categorical(each) for name, each in values.items()}), [], trials)
        return [self.ended(Trial(number=at, params=each.params)) for at, each in enumerate(points, start=1)]

    def result(self) -> dict[str, Any]:
        """Run the study, and return the best true losses after each budget, and how many trials it took."""
        if self.setting.strategy == "grid":
            grids = [self.gridded(trials) for trials in BUDGETS]
            best = [best_after(self.problem, grid, len(grid)) for grid in grids]
            return {"best": best, "ran": len(grids[-1])}
        history = self.by_hand(BUDGETS[-1]) if self.setting.strategy == "by hand" else self._by_strategy(BUDGETS[-1])
        return {"best": [best_after(self.problem, history, trials) for trials in BUDGETS], "ran": len(history)}

    def _by_strategy(self, trials: int) -> list[Trial]:
        made = {"random": Random(self.seed), "bayesian": Bayesian(seed=self.seed), "bisection": Bisection()}
        return self.driven(made[self.setting.strategy], trials)


def levels(space: Space, trials: int) -> list[int]:
    """Return how many values each parameter gets on a grid of at most so many points: as even as it goes."""
    most = [dimension.size or trials for dimension in space.values()]
    even = math.floor(trials ** (1 / len(space)) + 1e-9)
    found = [min(even, each) for each in most]
    for at in [*range(len(found))] * trials:
        more = [*found[:at], found[at] + 1, *found[at + 1 :]]
        if more[at] <= most[at] and math.prod(more) <= trials:
            found = more
    return found


def listed(dimension: Dimension, count: int, offset: float) -> list[Any]:
    """Return so many values of a parameter, evenly spaced from an offset on (a share of their distance)."""
    if isinstance(dimension, Choice) and count >= len(dimension.values):
        return list(dimension.values)
    return list(dict.fromkeys(dimension.from_unit((at + offset) / count) for at in range(count)))


def run(results: Path, problems: Sequence[Problem], seeds: int) -> None:
    """Run what the file does not hold, and add it there: all problems with one seed, then with the next."""
    held = {(each.get("problem"), each.get("strategy"), *key(each)) for each in read(results)}
    for seed, problem in itertools.product(range(seeds), problems):
        way = way_of(results, problem)
        for setting in settings(problem, seed):
            form = {"problem": problem.name, **vars(setting)}
            if (problem.name, setting.strategy, *key(form)) not in held:
                add(results, {**form, **Bench(problem, setting, setting.noise * way).result()})
        print(problem.name, seed, flush=True)


def way_of(results: Path, problem: Problem) -> float:
    """Return how far it is from a middling point to the best one that is known before any study."""
    found = next((each for each in read(results) if each.get("problem") == problem.name and "middle" in each), None)
    if found is None:
        losses = pool(problem)
        found = {"problem": problem.name, "middle": median(losses), "least": min(losses)}
        add(results, found)
    return float(found["middle"] - (found["least"] if problem.optimum is None else problem.optimum))


def stopping() -> Iterator[dict[str, Any]]:
    """Yield for each rule what it saves of studies that are drawn from the recorded curves."""
    for project, trials in itertools.product(SPACES, STOPPED):
        courses = table(project)
        draws = [
            np.random.default_rng([trials, index]).choice(len(courses), trials, replace=False).tolist()
            for index in range(DRAWN)
        ]
        studies = [[replace(courses[at], number=number) for number, at in enumerate(draw, start=1)] for draw in draws]
        for rule, terms in RULES:
            found = [(study, simulate([rule], terms, study)) for study in studies]
            yield {
                "project": project, "curves": len(courses), "epochs": max(map(len, courses)), "trials": trials,
                "studies": DRAWN, "rule": rule.name, "after": terms.after,
                "saved": f"{fmean(saved_share(study, trained) for study, trained in found):.4f}",
                "kept": f"{fmean(best_survives(study, trained) for study, trained in found):.4f}",
            }  # fmt: skip


def key(form: dict[str, Any]) -> tuple[object, ...]:
    """Return what makes a study of a problem besides its strategy."""
    return tuple(form.get(name) for name in ("noise", "workers", "seed"))


def read(results: Path) -> list[dict[str, Any]]:
    """Return the whole lines of the file; the last may be half a one."""
    lines = results.read_text().split("\n")[:-1] if results.exists() else []
    return [json.loads(line) for line in lines]


def add(results: Path, form: dict[str, Any]) -> None:
    """Add one line to the file."""
    with results.open("a") as file:
        file.write(json.dumps(form) + "\n")


def rows(results: Path) -> Iterator[dict[str, Any]]:
    """Yield the table: a row for each problem, strategy and condition, with the mean over the seeds, in that order."""
    lines = read(results)
    named = {problem.name: problem for problem in PROBLEMS}
    pools = {each["problem"]: each for each in lines if "middle" in each}
    studies = defaultdict(list)
    for each in lines:
        if "best" in each:
            studies[each["problem"], each["strategy"], each["noise"], each["workers"]].append(each)
    found = {name: min(each["least"], *least(name, studies)) for name, each in pools.items()}
    places = {name: place for place, name in enumerate([*named, *STRATEGIES])}
    for about in sorted(studies, key=lambda about: (places[about[0]], places[about[1]], *about[2:])):
        (name, strategy, noise, workers), each = about, studies[about]
        problem, middle = named[name], pools[name]["middle"]
        optimum = found[name] if problem.optimum is None else problem.optimum
        reached = [fmean((middle - best) / (middle - optimum) for best in column) for column in columns(each)]
        shares = dict(zip(map(str, BUDGETS), (f"{share:.4f}" for share in reached), strict=True))
        yield {
            "problem": name, "kind": problem.kind, "parameters": len(problem.space),
            "choices": sum(isinstance(dimension, Categorical) for dimension in problem.space.values()),
            "noise": noise, "workers": workers, "strategy": strategy, "studies": len(each),
            "ran": f"{fmean(study['ran'] for study in each):.1f}", **shares,
        }  # fmt: skip


def columns(studies: Sequence[dict[str, Any]]) -> Iterator[tuple[float, ...]]:
    """Yield for each budget the best losses of all the studies."""
    yield from zip(*(study["best"] for study in studies), strict=True)


def least(name: str, studies: dict[Any, list[dict[str, Any]]]) -> list[float]:
    """Return the best losses that any study of a problem has found."""
    return [loss for (of, *_), each in studies.items() if of == name for study in each for loss in study["best"]]


def write(name: str, table: Sequence[dict[str, Any]]) -> None:
    """Write one of the tables that ship in the package."""
    with (FOLDER / name).open("w", newline="") as file:
        writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    named = {problem.name: problem for problem in PROBLEMS}
    parser.add_argument("--problems", type=lambda text: text.split(","), default=list(named))
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    run(args.results, [named[name] for name in args.problems], args.seeds)
    if args.write:
        write("strategies.csv", list(rows(args.results)))
        write("stopping.csv", list(stopping()))


if __name__ == "__main__":
    main()
