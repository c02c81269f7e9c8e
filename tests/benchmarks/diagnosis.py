"""How often the diagnosis names rightly what settings known to cause a fault do to a real network.

`python tests/benchmarks/diagnosis.py` trains the network of `projects/digits` with seeds 100 to 109, on which the rules
were not made, and prints a row for each setting: how many of the seeds got the fault's name, and all that was found
instead. Then 30 healthy runs: every finding there is a false alarm. About ten minutes on one core;
`--faults overfitting,healthy`, `--seeds 3` and `--first-seed` make it shorter, `--metric val_accuracy` diagnoses by
another metric, `--texts` prints one example of each finding in words. It exits with 1 when a setting is named rightly
in fewer than 9 of 10 seeds, or when more than 1 of 30 healthy runs raises an alarm.

A fault counts as named rightly when it is among the findings and the first of them does not contradict it: see
`MAY_COME_FIRST`.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[2]))

from mlflow_tune.diagnosis import Finding, diagnose
from mlflow_tune.trial import Goal

Settings = Mapping[str, float | str]
Curves = dict[str, list[tuple[int, float]]]
DIGITS = Path(__file__).parents[2] / "projects" / "digits" / "train.py"
DEFAULTS: Settings = {
    "lr": 0.001, "units": 100, "alpha": 0.0001, "batch_size": 200, "activation": "relu", "epochs": 12,
    "train_images": 1347,
}  # fmt: skip
GOALS: Mapping[str, Goal] = {"val_loss": "minimize", "train_loss": "minimize", "val_accuracy": "maximize"}

# Large steps first blow the weights up and then leave dead units: the cause may come before what it did.
MAY_COME_FIRST = {"not-learning": {"diverged", "unstable"}, "overfitting": {"unstable"}, "plateaued": {"overfitting"}}
FAULTS: Mapping[str, Sequence[Settings]] = {
    "diverged": [
        {"lr": 1},
        {"lr": 3, "epochs": 20},
        {"lr": 10},
        {"lr": 10, "activation": "tanh"},
        {"lr": 30, "batch_size": 32},
        {"lr": 100, "epochs": 30},
    ],
    "not-learning": [
        {"lr": 1e-7},
        {"lr": 1e-6},
        {"lr": 1e-6, "activation": "logistic", "epochs": 30},
        {"lr": 1e-6, "batch_size": 32, "epochs": 20},
        {"lr": 1e-5},
        {"lr": 0.01, "alpha": 1000, "epochs": 20},
    ],
    "overfitting": [
        {"lr": 0.01, "train_images": 100, "epochs": 100},
        {"lr": 0.01, "train_images": 50, "epochs": 60, "units": 256},
        {"lr": 0.01, "train_images": 200, "epochs": 100, "alpha": 0},
        {"lr": 0.03, "train_images": 100, "epochs": 60, "units": 256},
        {"lr": 0.003, "train_images": 100, "epochs": 200},
        {"lr": 0.01, "train_images": 100, "epochs": 60, "batch_size": 32},
    ],
    "still-improving": [
        {"lr": 1e-4},
        {"lr": 1e-4, "epochs": 40},
        {"lr": 3e-4, "epochs": 20},
        {"lr": 0.001, "epochs": 5},
        {"lr": 0.001},
        {"lr": 0.001, "activation": "logistic", "epochs": 15},
    ],
    "plateaued": [
        {"lr": 0.003, "epochs": 300},
        {"lr": 0.005, "epochs": 200},
        {"lr": 0.01, "epochs": 100},
        {"lr": 0.01, "epochs": 200},
        {"lr": 0.01, "epochs": 150, "units": 50},
        {"lr": 0.01, "epochs": 150, "activation": "tanh"},
    ],
    "unstable": [
        {"lr": 0.05, "batch_size": 8, "epochs": 20},
        {"lr": 0.1, "batch_size": 8, "epochs": 20},
        {"lr": 0.1, "batch_size": 16, "epochs": 20},
        {"lr": 0.1, "batch_size": 32, "epochs": 30},
        {"lr": 0.2, "batch_size": 32, "epochs": 30},
        {"lr": 0.1, "batch_size": 16, "epochs": 30, "activation": "tanh"},
    ],
}
HEALTHY: Sequence[Settings] = [
    {"lr": 0.001, "epochs": 40},
    {"lr": 0.002, "epochs": 30},
    {"lr": 0.003, "epochs": 20},
    {"lr": 0.003, "epochs": 40, "activation": "tanh"},
    {"lr": 0.005, "epochs": 15},
    {"lr": 0.005, "epochs": 30},
    {"lr": 0.005, "epochs": 40, "units": 64},
    {"lr": 0.01, "epochs": 12},
    {"lr": 0.01, "epochs": 30},
    {"lr": 0.003, "epochs": 20, "batch_size": 64},
]
HEALTHY_RUNS = 30


@cache
def digits() -> ModuleType:
    """Return the module of the project's training script."""
    spec = importlib.util.spec_from_file_location("digits_train", DIGITS)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(settings: Settings, seed: int) -> Curves:
    """Return the learning curves of one training, in this process and without MLflow."""
    script = digits()
    args = argparse.Namespace(**DEFAULTS | settings, seed=seed)
    curves: Curves = {}
    for epoch, metrics in script.learn(script.make_model(args), args.epochs, *script.load_data(args.train_images)):
        for name, value in metrics.items():
            curves.setdefault(name, []).append((epoch, value))
    return curves


def right(fault: str, findings: Sequence[Finding]) -> bool:
    """Whether the fault is among the findings, and none that contradicts it comes first."""
    names = [finding.name for finding in findings]
    return fault in names and names[0] in {fault, *MAY_COME_FIRST.get(fault, ())}


def shown(settings: Settings) -> str:
    return " ".join(f"{name}={value}" for name, value in settings.items())


def named(found: Sequence[Sequence[Finding]]) -> str:
    """Return what was found how often."""
    counts = Counter(" + ".join(finding.name for finding in findings) or "nothing" for findings in found)
    return ", ".join(f"{names} {count}" for names, count in counts.most_common())


def rows(
    faults: Sequence[str], seeds: Sequence[int], metric: str
) -> Iterator[tuple[str, Settings, list[list[Finding]]]]:
    """Yield fault, setting and the findings of each seed."""
    for fault in faults:
        for settings in HEALTHY if fault == "healthy" else FAULTS[fault]:
            count = max(1, len(seeds) * HEALTHY_RUNS // (10 * len(HEALTHY))) if fault == "healthy" else len(seeds)
            found = [diagnose(train(settings, seed), metric, GOALS[metric]) for seed in seeds[:count]]
            yield fault, settings, found


def texts(found: Sequence[Sequence[Finding]]) -> Iterator[str]:
    """Yield the words of the first finding of each name."""
    first: dict[str, str] = {}
    for finding in (finding for findings in found for finding in findings):
        first.setdefault(finding.name, finding.text)
    return iter(first.values())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", default=",".join([*FAULTS, "healthy"]))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=100)
    parser.add_argument("--metric", choices=GOALS, default="val_loss")
    parser.add_argument("--texts", action="store_true")
    return parser.parse_args()


def main() -> int:
    args = arguments()
    seeds = range(args.first_seed, args.first_seed + args.seeds)
    print(f"{'fault':<17}{'settings':<56}{'right':>8}  found")
    runs = alarms = short = 0
    good = True
    for fault, settings, found in rows(args.faults.split(","), seeds, args.metric):
        short += sum(finding.name == "too-little-evidence" for findings in found for finding in findings)
        hits = sum(not findings if fault == "healthy" else right(fault, findings) for findings in found)
        print(f"{fault:<17}{shown(settings):<56}{hits:>3}/{len(found):<4}  {named(found)}", flush=True)
        for text in texts(found) if args.texts else ():
            print(f"    {text}")
        if fault == "healthy":
            runs, alarms = runs + len(found), alarms + len(found) - hits
        else:
            good = good and hits >= 0.9 * len(found)
    print(f"false alarms on healthy runs: {alarms}/{runs}; too little evidence: {short}")
    return 0 if good and alarms <= max(1, runs // HEALTHY_RUNS) and not short else 1


if __name__ == "__main__":
    sys.exit(main())
