"""How much stopping trials saves on recorded curves, and how often the best one survives: ours beside Optuna's.

`python tests/benchmarks/stopping.py [digits] [convnet]` draws studies of 30 trials from the tables of
`record_curves.py`, in random order, one trial at a time, and stops them by `auto`, by each named rule, and, where
Optuna can be imported, by its `SuccessiveHalvingPruner` and `MedianPruner` over a grid of their settings. Saved epochs
are counted from the sixth trial, for all acting from there on: `auto` waits for five complete curves. One trial in ten
that `auto` would have stopped runs on as its control, and counts against it. `--studies 40` draws so many.

`python tests/benchmarks/stopping.py --live` trains `projects/convnet` instead: see `live_stopping.py`.

It exits with 1 when `auto` saves less than 0.9 of the epochs of Optuna's best setting among those that keep the best
trial in at least 95 % of the studies.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np

from mlflow_tune.diagnosis.stopping import Asha, Course, Diverged, Extrapolate, Median, Percentile, Rule, Terms, Watch
from mlflow_tune.diagnosis.stopping.auto import CONTROLS, EVIDENCE, KEEPS, choose, is_spared
from mlflow_tune.diagnosis.stopping.replay import Trained, best_survives, saved_share, simulate
from mlflow_tune.driver.choosing import GROWTH
from tests.benchmarks.live_stopping import add_options, live
from tests.benchmarks.record_curves import FOLDER, SPACES

TRIALS = 30
STUDIES = 40
ENOUGH = 0.9  # of the epochs that Optuna's best setting saves
Stop: TypeAlias = Callable[[Sequence[Course]], Trained]
NAMED: list[tuple[Rule, Terms]] = [
    *((Median(), Terms(after=after)) for after in (0, 3, 7)),
    *((Percentile(keep), Terms(after=after)) for keep in (25, 50, 75) for after in (0, 3)),
    *((Asha(eta, first), Terms()) for eta in (2, 3, 4) for first in (1, 2, 4, 8)),
    (Extrapolate(), Terms()),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", nargs="*", default=[*SPACES])
    parser.add_argument("--studies", type=int, default=STUDIES)
    add_options(parser)
    args = parser.parse_args()
    if args.live:
        return live(args)
    return max(measured(project, args.studies) for project in args.project)


def measured(project: str, count: int) -> int:
    """Print a table for the curves of one project; return 1 when `auto` saves too little, else 0."""
    courses = table(project)
    studies = list(drawn(courses, count))
    print(f"\n{project}: {len(courses)} curves, {count} studies of {len(studies[0])} trials")
    ours = shown("auto", auto, studies)
    for rule, terms in NAMED:
        label = rule.label + (f" after {terms.after}" if terms.after else "")
        late = replace(terms, evidence=EVIDENCE)
        shown(label, lambda study, rule=rule, late=late: simulate([rule], late, study), studies)
    theirs = [shown(label, stop, studies) for label, stop in optuna_pruners()]
    keeping = [saved for saved, kept in theirs if kept >= KEEPS]
    if not keeping:
        return 0
    print(f"auto saves {ours[0] / max(keeping):.2f} of what Optuna's best keeping setting saves")
    return int(ours[0] < ENOUGH * max(keeping))


def shown(label: str, stop: Stop, studies: Sequence[Sequence[Course]]) -> tuple[float, float]:
    """Print and return the mean share of epochs saved from the sixth trial on, and of studies that keep the best."""
    found = [(study, stop(study)) for study in studies]
    saved = np.mean([saved_share(study[EVIDENCE:], trained) for study, trained in found])
    kept = np.mean([best_survives(study, trained) for study, trained in found])
    print(f"  {label:55s} saves {saved:5.1%}  keeps the best in {kept:5.1%}", flush=True)
    return float(saved), float(kept)


def table(project: str) -> list[Course]:
    """Return the recorded curves; one that ended not finite came to infinity."""
    with (FOLDER / f"{project}.csv").open() as file:
        rows = [[float(row[name]) for name in row if name.startswith("val_loss_")] for row in csv.DictReader(file)]
    ends = [row[-1] if math.isfinite(row[-1]) else math.inf for row in rows]
    return [
        Course(number, "val_loss", "minimize", tuple(row), end)
        for number, (row, end) in enumerate(zip(rows, ends, strict=True), start=1)
    ]


def drawn(courses: Sequence[Course], count: int) -> Iterator[list[Course]]:
    """Yield studies: as many different curves in a random order."""
    for index in range(count):
        chosen = np.random.default_rng([0, index]).choice(len(courses), min(TRIALS, len(courses)), replace=False)
        yield [replace(courses[each], number=number) for number, each in enumerate(chosen.tolist(), start=1)]


def auto(study: Sequence[Course]) -> Trained:
    """Return how many epochs each trial trains under `auto`, as `driver/pruner.py` and `driver/choosing.py` have it."""
    watch = Watch([Diverged()], Terms(), max(map(len, study)))
    complete: list[Course] = []
    weights: list[float] = []
    known = 0
    trained = {}
    for course in study:
        if len(complete) >= max(EVIDENCE, GROWTH * known):
            known = len(complete)
            chosen = choose(complete, Terms(), weights=weights).chosen
            watch.rules = [Diverged(), *([chosen.rule] if chosen else [])]
            watch.terms = replace(chosen.terms if chosen else Terms(), evidence=EVIDENCE)
        stop, control = watched(watch, course)
        trained[course.number] = stop
        watch.finish(course if stop == len(course) else course.until(stop))
        if stop == len(course):
            complete.append(course)
            weights.append(CONTROLS if control else 1.0)
    return trained


def watched(watch: Watch, course: Course) -> tuple[int, bool]:
    """Return how many epochs a trial trains, and whether it runs on as a control."""
    control = False
    for step in range(1, len(course)):
        if verdict := watch.follow(course, step):
            if verdict.rule == Diverged.name or not is_spared(course.number):
                return step, control
            control = True
    return len(course), control


def optuna_pruners() -> Iterator[tuple[str, Stop]]:
    """Yield Optuna's pruners over a grid of their settings, none where it is not installed."""
    try:
        import optuna
    except ImportError:
        print("  Optuna is not installed: nothing to compare with")
        return
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    halving, median = optuna.pruners.SuccessiveHalvingPruner, optuna.pruners.MedianPruner
    for least in (1, 2, 4, 8):
        for factor in (2, 3, 4):
            pruner = halving(min_resource=least, reduction_factor=factor)
            yield f"optuna SuccessiveHalving({least}, {factor})", by_optuna(optuna, pruner)
    for warm_up in (0, 3, 7, 13):
        yield f"optuna Median(warm-up {warm_up})", by_optuna(optuna, median(EVIDENCE, warm_up))


def by_optuna(optuna, pruner) -> Stop:
    def stop(study: Sequence[Course]) -> Trained:
        theirs = optuna.create_study(pruner=pruner, sampler=optuna.samplers.RandomSampler(seed=0))
        trained = {}
        for course in study:
            trial = theirs.ask()
            trained[course.number] = len(course)
            for step, value in enumerate(course.values[:-1], start=1):
                trial.report(value, step)
                if course.number > EVIDENCE and trial.should_prune():
                    trained[course.number] = step
                    break
            if trained[course.number] < len(course):
                theirs.tell(trial, state=optuna.trial.TrialState.PRUNED)
            else:
                trial.report(course.values[-1], len(course))
                theirs.tell(trial, course.value if math.isfinite(course.end) else sys.float_info.max)
        return trained

    return stop


if __name__ == "__main__":
    sys.exit(main())
