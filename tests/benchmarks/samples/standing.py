"""How methods stand to one another: scores, ranks, and paired differences with their intervals by bootstrap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from tests.benchmarks.samples.problems import Problem
from tests.benchmarks.samples.runs import BUDGETS, Run, scale_of

Numbers = npt.NDArray[np.float64]
DRAWS = 2000
SUITES = ("functions", "models", "networks", "hpobench", "all")


def interval_of(gains: Numbers, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the mean of gains (problems, seeds), drawing problems and their seeds anew.

    Of one problem it is that over seeds alone.
    """
    draws = np.random.default_rng(0)
    problems = draws.integers(len(gains), size=(DRAWS, len(gains)))
    seeds = draws.integers(gains.shape[1], size=(DRAWS, *gains.shape))
    means = gains[problems[:, :, None], seeds].mean(axis=(1, 2))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


@dataclass(frozen=True)
class Standing:
    """Scores and seconds of methods (problems, seeds, budgets), NaN where there is no run."""

    problems: Sequence[Problem]
    seeds: int
    scores: Mapping[str, Numbers]
    seconds: Mapping[str, Numbers]

    @classmethod
    def of(cls, problems: Sequence[Problem], seeds: int, runs: Mapping[str, Sequence[Run]]) -> Standing:
        """Return the standing of the methods whose runs are given."""
        shape = (len(problems), seeds, len(BUDGETS))
        rows = {problem.name: row for row, problem in enumerate(problems)}
        scales = [scale_of(problem) for problem in problems]
        scores = {method: np.full(shape, np.nan) for method in runs}
        seconds = {method: np.full(shape, np.nan) for method in runs}
        for method, each in runs.items():
            for one in each:
                if one.problem not in rows or one.seed >= seeds:
                    continue
                row = rows[one.problem]
                for column, at in enumerate(BUDGETS):
                    if at in one.true:
                        scores[method][row, one.seed, column] = scales[row].score(one.true[at])
                        seconds[method][row, one.seed, column] = one.seconds[at]
        return cls(problems, seeds, scores, seconds)

    def shared(self, methods: Sequence[str], at: int) -> list[int]:
        """Return the seeds with which each of these methods ran every problem so far."""
        column = BUDGETS.index(at)
        whole = [~np.isnan(self.scores[method][:, :, column]).any(axis=0) for method in methods]
        return [seed for seed in range(self.seeds) if all(each[seed] for each in whole)]

    def rows(self, suite: str) -> list[int]:
        """Return the places of the problems of a suite, or of a bench among the networks."""
        parts = [(problem.suite, problem.bench, "all") for problem in self.problems]
        return [row for row, part in enumerate(parts) if suite in part]

    def part(self, method: str, at: int, suite: str, seeds: Sequence[int]) -> Numbers:
        """Return the scores of a method (problems of the suite, seeds)."""
        found: Numbers = self.scores[method][np.ix_(self.rows(suite), seeds, [BUDGETS.index(at)])][:, :, 0]
        return found

    def ranks(self, methods: Sequence[str], at: int, suite: str, seeds: Sequence[int]) -> dict[str, float]:
        """Return the mean rank of each method, from 1 for the best; those that are level share their ranks."""
        from scipy.stats import rankdata

        stacked = np.stack([self.part(method, at, suite, seeds) for method in methods])
        means = rankdata(-stacked.round(6), axis=0).mean(axis=(1, 2))
        return dict(zip(methods, means.tolist(), strict=True))

    def gains(self, method: str, other: str, at: int, suite: str) -> Numbers:
        """Return the paired differences of the scores of two methods (problems, seeds that both ran)."""
        seeds = self.shared([method, other], at)
        return self.part(method, at, suite, seeds) - self.part(other, at, suite, seeds)

    def ratio(self, method: str, other: str, at: int) -> float:
        """Return the processor time of a method in that of another, over the seeds that both ran."""
        seeds, column = self.shared([method, other], at), BUDGETS.index(at)
        mine, theirs = (self.seconds[each][:, seeds, column].sum() for each in (method, other))
        return float(mine / theirs)
