"""How often a trial's value lies in the band that the model predicted of it: coverage of bands of 50, 80 and 95 %.

`python tests/benchmarks/calibration.py --half report --seeds 5 --trials 40` runs studies of the default Bayesian
strategy on the problems of `samples/problems.py`, one trial at a time, and prints the coverage of each problem, of the
exact and of the noisy ones together, and by the number of trials that the model knew. With `--record FILE` each study
is a line of that file, and is not run again. It exits with 1 when the coverage over all problems is more than 5 points
from nominal. Constants of the model are chosen on `--half tune` alone.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

sys.path.insert(0, str(Path(__file__).parents[2]))

from mlflow_tune.strategies import Bayesian
from mlflow_tune.trial import Trial
from tests.benchmarks.samples.problems import PROBLEMS, Problem

LEVELS = (0.5, 0.8, 0.95)
ALLOWED = 0.05
EARLY = 20  # trials
Line: TypeAlias = dict[str, Any]  # problem, seed, trials, best, and for each forecast its level and what it knew


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--half", choices=["tune", "report", "all"], default="report")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--record", type=Path)
    args = parser.parse_args()
    problems = [problem for problem in PROBLEMS if args.half in (problem.half, "all")]
    lines = list(studies(problems, args.seeds, args.trials, args.record))
    print(f"{args.half}: {len(problems)} problems, {args.seeds} seeds, {args.trials} trials")
    print("| trials of | forecasts | in 50 % | in 80 % | in 95 % |\n|---|---|---|---|---|")
    noisy = {problem.name for problem in problems if problem.noisy}
    for problem in problems:
        shown(problem.name, lines, lambda line, _, name=problem.name: line["problem"] == name)
    shown("**exact**", lines, lambda line, _: line["problem"] not in noisy)
    shown("**noisy**", lines, lambda line, _: line["problem"] in noisy)
    shown(f"**to trial {EARLY}**", lines, lambda _, known: known < EARLY)
    shown(f"**from {EARLY + 1} on**", lines, lambda _, known: known >= EARLY)
    off = shown("**all**", lines, lambda *_: True)
    return int(off > ALLOWED)


def studies(problems: list[Problem], seeds: int, trials: int, record: Path | None) -> Iterator[Line]:
    """Yield a line for each study, those of the record as they stand."""
    known = [json.loads(line) for line in record.read_text().splitlines()] if record and record.exists() else []
    done = {(line["problem"], line["seed"], line["trials"]): line for line in known}
    for seed in range(seeds):
        for problem in problems:
            line = done.get((problem.name, seed, trials))
            if line is None:
                line = study(problem, seed, trials)
                if record:
                    with record.open("a") as file:
                        file.write(json.dumps(line) + "\n")
            yield line


def study(problem: Problem, seed: int, trials: int) -> Line:
    """Run one study; each forecast is the level of the band that just holds the value, and how many trials it knew."""
    strategy = Bayesian(seed=seed)
    history: list[Trial] = []
    forecasts = []
    while len(history) < trials:
        (suggestion,) = strategy.suggest(problem.space, history, 1)
        trial = Trial(number=len(history) + 1, params=suggestion.params, metrics=suggestion.evidence)
        trial = replace(trial, outcome="ok", value=problem.value(trial.params, seed, trial.number))
        if band := strategy.band(problem.space, history, trial):
            forecasts.append([round(band.level, 4), len(history)])
        history.append(trial)
    best = min(trial.value for trial in history if trial.value is not None)
    return {"problem": problem.name, "seed": seed, "trials": trials, "best": best, "forecasts": forecasts}


def shown(name: str, lines: list[Line], counts: Callable[[Line, int], bool]) -> float:
    """Print a row of the table for those forecasts that count; return how far the farthest band is from nominal."""
    levels = [level for line in lines for level, known in line["forecasts"] if counts(line, known)]
    if not levels:
        return 0.0
    shares = [sum(level <= nominal for level in levels) / len(levels) for nominal in LEVELS]
    print(f"| {name} | {len(levels)} | " + " | ".join(f"{100 * share:.1f}" for share in shares) + " |")
    return max(abs(share - nominal) for share, nominal in zip(shares, LEVELS, strict=True))


if __name__ == "__main__":
    raise SystemExit(main())
