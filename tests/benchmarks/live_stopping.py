"""The live half of `tests/benchmarks/stopping.py --live`: what stopping saves while real trials train.

Each study trains `projects/convnet` as it stands, by random and by Bayesian search, with two seeds, three times: every
trial to its end, with `stop_trials: auto`, and with ASHA. 27 epochs take a trial 20 to 30 s of one core, most of that
for its imports and pictures where it is stopped early. The store is a server of its own, and is thrown away.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlflow_tune import Study
from mlflow_tune.tracking.steps import trained_steps
from tests.benchmarks.record_curves import EPOCHS, ROOT, SPACES
from tests.support.server import make_template, mlflow_server

METRIC = "val_loss"
STRATEGIES = ("random", "bayesian")
FULL = "none"  # is stopped
RULES: Mapping[str, object] = {FULL: None, "auto": "auto", "asha": {"rule": "asha(eta=4, first=3)"}}
HALF = 0.5  # of the epochs of the full study


@dataclass(frozen=True)
class Measured:
    """A study that has ended: its best value, the epochs that it trained, its minutes, and how many it stopped."""

    best: float
    epochs: int
    minutes: float
    stopped: int


def add_options(parser: ArgumentParser) -> None:
    """Add the options of the live studies."""
    group = parser.add_argument_group("live")
    group.add_argument("--live", action="store_true", help="train projects/convnet instead of replaying curves")
    group.add_argument("--seeds", type=int, default=2)
    group.add_argument("--trials", type=int, default=30)
    group.add_argument("--epochs", type=int, default=EPOCHS)
    group.add_argument("--workers", type=int, default=1)
    group.add_argument("--strategy", choices=STRATEGIES, action="append")
    group.add_argument("--rule", choices=[rule for rule in RULES if rule != FULL], action="append")


def live(args: Namespace) -> int:
    """Run the studies and print what they came to; return 1 where stopping costs or saves otherwise than promised."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "server"
        store.mkdir()
        with mlflow_server(make_template(Path(folder) / "template.db"), store) as uri:
            return max([measured(uri, strategy, args) for strategy in args.strategy or STRATEGIES])


def measured(uri: str, strategy: str, args: Namespace) -> int:
    """Measure one strategy with each rule, and hold the rules against the full studies."""
    print(f"\n{strategy}: {args.trials} trials of up to {args.epochs} epochs")
    print("  rule  seed  best      epochs  minutes  stopped")
    found: dict[str, list[Measured]] = {}
    for rule in [FULL, *args.rule] if args.rule else RULES:
        found[rule] = [tuned(uri, strategy, rule, seed, args) for seed in range(args.seeds)]
    full = found.pop(FULL)
    spread = max(each.best for each in full) - min(each.best for each in full)
    print(f"  full studies differ by {spread:.4g} from seed to seed")
    return max(held(rule, studies, full, spread) for rule, studies in found.items())


def tuned(uri: str, strategy: str, rule: str, seed: int, args: Namespace) -> Measured:
    """Run one study to its end, and print it."""
    began = time.monotonic()
    done = Study(
        name=f"{strategy}-{rule}-{seed}",
        run={"project": str(ROOT / "projects" / "convnet"), "parameters": {"epochs": args.epochs}},
        space=SPACES["convnet"],
        metric=METRIC,
        strategy={"name": strategy, "seed": seed},
        stop={"trials": args.trials},
        stop_trials=RULES[rule],
        workers=args.workers,
        tracking_uri=uri,
    ).run(quiet=True)
    best = done.best
    assert best is not None and best.value is not None
    epochs = trained_steps(done.client, done.record, METRIC) or 0
    stopped = sum(trial.outcome == "pruned" for trial in done.trials)
    result = Measured(best.value, epochs, (time.monotonic() - began) / 60, stopped)
    print(f"  {rule:5s} {seed:4d}  {best.value:<8.5f} {epochs:7d} {result.minutes:8.1f} {stopped:8d}", flush=True)
    return result


def held(rule: str, studies: list[Measured], full: list[Measured], spread: float) -> int:
    """Print what a rule costs and saves; return 1 where that is not what was promised."""
    lost = statistics.mean(each.best for each in studies) - statistics.mean(each.best for each in full)
    share = sum(each.epochs for each in studies) / sum(each.epochs for each in full)
    verdict = "" if lost <= spread and share <= HALF else "  NOT AS PROMISED"
    print(f"  {rule}: best {lost:+.4g} (at most {spread:.4g}), {share:.0%} of the epochs (at most {HALF:.0%}){verdict}")
    return int(bool(verdict))
