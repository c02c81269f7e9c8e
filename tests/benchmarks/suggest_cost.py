"""What a suggestion of the Bayesian strategy costs in time, against plain scikit-optimize, in 8 dimensions.

    OMP_NUM_THREADS=1 python tests/benchmarks/suggest_cost.py [--trials 50 100 200 500 1000 2000] [--plain 1000]

`cold` is a suggestion without a cache: the first of a process. `warm` is one whose predecessor, a trial earlier, was
made in this process, as in a study that runs. Both are medians, over histories of `--seeds` seeds. scikit-optimize is
told all trials in one call and asked once, up to `--plain` trials: beyond it takes minutes. Give BLAS one thread for
times that can be compared.

It exits 1 when a promise does not hold: at 1,000 trials a warm suggestion takes at most 3 times as long as at 50, and
at most a tenth of scikit-optimize's.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs as a file as well

from mlflow_tune.space import Float, Space
from mlflow_tune.strategies import Bayesian
from mlflow_tune.trial import Trial
from tests.benchmarks.bayesian_regret import skopt_dimensions

FIRST, AT = 50, 1000  # the sizes that the promises are about
GROWTH, SHARE = 3.0, 0.1
WARM = 5  # warm suggestions of each history


@dataclass(frozen=True)
class Times:
    """The median seconds of a suggestion after so many trials; `plain` is scikit-optimize's, where it was asked."""

    cold: float
    warm: float
    plain: float | None


def wide_space() -> Space:
    """Return a space of 8 parameters, half of them on a log scale."""
    return Space({f"x{index}": Float(1e-4, 1, log=index % 2 == 0) for index in range(8)})


def history_of(space: Space, trials: int, seed: int) -> list[Trial]:
    """Return so many finished trials of a smooth function with a little noise."""
    draws = np.random.default_rng([seed, trials])
    units = draws.random((trials, len(space)))
    values = ((units - 0.4) ** 2).sum(1) + np.sin(5 * units).sum(1) + 0.01 * draws.standard_normal(trials)
    return [
        Trial(number=number, params=space.from_unit(unit), outcome="ok", value=value)
        for number, (unit, value) in enumerate(zip(units.tolist(), values.tolist(), strict=True), start=1)
    ]


def seconds(call: Callable[[], object]) -> float:
    """Return how long the call takes."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def suggest_times(trials: int, seeds: int) -> tuple[float, float]:
    """Return the median seconds of a suggestion after `trials` trials: with a cold and with a warm cache."""
    space, cold, warm = wide_space(), [], []
    for seed in range(seeds):
        history = history_of(space, trials, seed)
        cold.append(seconds(lambda past=history[:-WARM]: Bayesian().suggest(space, past, 1)))  # type: ignore[misc]
        for end in range(trials - WARM + 1, trials + 1):
            warm.append(seconds(lambda past=history[:end]: Bayesian().suggest(space, past, 1)))  # type: ignore[misc]
    return statistics.median(cold), statistics.median(warm)


def plain_time(trials: int) -> float:
    """Return the seconds that plain scikit-optimize takes to be told of all trials and to answer."""
    import skopt

    space = wide_space()
    history = history_of(space, trials, 0)
    optimizer = skopt.Optimizer(skopt_dimensions(space), random_state=0)
    points, values = [list(trial.params.values()) for trial in history], [trial.value for trial in history]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return seconds(lambda: optimizer.tell(points, values) and optimizer.ask())


def row(trials: int, found: Times, least: float) -> str:
    """Return a row of the table; `least` is the warm time of the first one."""
    plain = "| none | none" if found.plain is None else f"| {found.plain:.2f} | {found.warm / found.plain:.4f}"
    return f"| {trials} | {found.cold:.3f} | {found.warm:.3f} | {found.warm / least:.2f} {plain} |"


def exponents(found: Mapping[int, Times]) -> str:
    """Return with which power of the trials the times grow, between neighbouring sizes."""
    words = []
    sizes = sorted(found)
    for before, after in pairwise(sizes):
        power = math.log(found[after].warm / found[before].warm) / math.log(after / before)
        words.append(f"{power:.2f} from {before} to {after}")
    return f"warm time grows with the power {', '.join(words)}"


def broken_promises(found: Mapping[int, Times]) -> list[str]:
    """Return in words which promises do not hold; what was not measured breaks none."""
    if AT not in found:
        return []
    at, broken = found[AT], []
    if FIRST in found and at.warm > GROWTH * found[FIRST].warm:
        broken.append(f"at {AT} trials a warm suggestion takes {at.warm / found[FIRST].warm:.2f} times that at {FIRST}")
    if at.plain is not None and at.warm > SHARE * at.plain:
        broken.append(f"at {AT} trials it takes {at.warm / at.plain:.3f} of scikit-optimize's time")
    return broken


def measure(sizes: Sequence[int], seeds: int, most: int) -> dict[int, Times]:
    """Return the times at each size, printing the table as they come."""
    print(
        "| trials | cold (s) | warm (s) | warm, in terms of the first | scikit-optimize (s) | warm / scikit-optimize |"
    )
    print("|---|---|---|---|---|---|")
    suggest_times(20, 1)  # imports
    found: dict[int, Times] = {}
    for trials in sizes:
        cold, warm = suggest_times(trials, seeds)
        found[trials] = Times(cold, warm, plain_time(trials) if trials <= most else None)
        print(row(trials, found[trials], found[sizes[0]].warm), flush=True)
    return found


def main() -> int:
    """Measure as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[50, 100, 200, 500, 1000, 2000])
    parser.add_argument("--plain", type=int, default=1000, help="up to how many trials scikit-optimize is asked")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    found = measure(sorted(given.trials), given.seeds, given.plain)
    print(f"\n{exponents(found)}" if len(found) > 1 else "")
    broken = broken_promises(found)
    print("\n".join(broken) or "no promise is broken")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
