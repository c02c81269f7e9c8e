"""Make the tables of complete curves on which rules that stop trials are measured.

`python tests/benchmarks/record_curves.py` trains `projects/digits` and `projects/convnet` on 200 settings each, drawn
at random from wide ranges, for 27 epochs, and writes val_loss after each epoch to `tests/benchmarks/curves/`: a row a
setting, five significant digits, the settings first. Half an hour on one core; `--project digits` makes one of them,
and what is there already is not made again. The repository holds all of them.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import math
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[2]))

from mlflow_tune.space import Categorical, Float, Int, Scalar, Space
from mlflow_tune.strategies import Random

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).with_name("curves")
SETTINGS = 200
EPOCHS = 27
SPACES = {
    "digits": Space(
        {
            "lr": Float(1e-4, 1.0, log=True),
            "units": Int(8, 128, log=True),
            "alpha": Float(1e-6, 10.0, log=True),
            "batch_size": Int(32, 512, log=True),
            "activation": Categorical(["relu", "tanh", "logistic"]),
        }
    ),
    "convnet": Space(
        {
            "lr": Float(1e-4, 0.3, log=True),
            "dropout": Float(0.0, 0.8),
            "weight_decay": Float(1e-5, 1.0, log=True),
            "kernel_size": Categorical([1, 3, 5]),
            "batch_size": Int(32, 256, log=True),
        }
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--project", choices=[*SPACES], action="append")
    parser.add_argument("--settings", type=int, default=SETTINGS)
    args = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    for project in args.project or SPACES:
        path = FOLDER / f"{project}.csv"
        if not path.exists():
            path.write_text(",".join(header(project)) + "\n")
        for number in range(len(path.read_text().splitlines()), args.settings + 1):
            row = record(project, number)
            with path.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(row)


def header(project: str) -> list[str]:
    return [*SPACES[project], *(f"val_loss_{epoch}" for epoch in range(1, EPOCHS + 1))]


def record(project: str, number: int) -> list[str]:
    """Return the setting that random search draws for this trial, and its curve; what is not finite stays so."""
    params = Random(seed=16).suggest(SPACES[project], [_before(project, number)] if number > 1 else [], 1)[0].params
    found: list[float] = []
    try:
        for _, metrics in _LEARN[project](params):
            found.append(metrics["val_loss"])
    except ValueError:  # scikit-learn refuses weights that are not finite
        pass
    found += [math.nan] * (EPOCHS - len(found))
    return [
        *(f"{value:.4g}" if isinstance(value, float) else str(value) for value in params.values()),
        *map(_digits, found),
    ]


def _before(project: str, number: int):
    from mlflow_tune.trial import Trial

    return Trial(number - 1, dict.fromkeys(SPACES[project], ""))


def _digits(value: float) -> str:
    return f"{value:.5g}"


def _digits_curve(params: Mapping[str, Scalar]) -> Iterator[tuple[int, dict[str, float]]]:
    train = _module("digits")
    train_set, val_set = train.load_data()
    args = Namespace(**params, epochs=EPOCHS, seed=0, train_images=train.TRAINING_IMAGES)
    return train.learn(train.make_model(args), EPOCHS, train_set, val_set)


def _convnet_curve(params: Mapping[str, Scalar]) -> Iterator[tuple[int, dict[str, float]]]:
    import torch

    train = _module("convnet")
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = train.make_model(params["dropout"], params["kernel_size"])
    more = {name: params[name] for name in ("lr", "weight_decay", "batch_size")}
    return train.learn(model, *train.load_data(), epochs=EPOCHS, **more)


_LEARN = {"digits": _digits_curve, "convnet": _convnet_curve}


def _module(project: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{project}_train", ROOT / "projects" / project / "train.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    main()
