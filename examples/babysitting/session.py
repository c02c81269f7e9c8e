"""Type five tries, one after the other, as README.md tells them: `python examples/babysitting/session.py [FOLDER]`.

The picture of their learning curves goes to FOLDER, or to the current one. `--short` types the first three, of five
epochs.
"""

import argparse
import os
import shlex
import subprocess
import sys
from pathlib import Path

from mlflow import MlflowClient

from mlflow_tune import Study

HERE = Path(__file__).resolve().parent
TRIES = [
    ("-P lr=0.0001 -P dropout=0", "careful steps first"),
    ("-P lr=0.1", "it creeps: far larger steps"),
    ("-P lr=0.01", "between the two"),
    ("-P epochs=30", "healthy: does it get better when trained longer?"),
    ("-P lr=0.003", "it stands still: smaller steps, as many of them"),
]


def tune(*words: str) -> None:
    """Show a command of mlflow-tune as it is typed, and run it."""
    shown = [os.path.relpath(word) if Path(word).is_absolute() else word for word in words]
    print(f"\n$ mlflow-tune {shlex.join(shown)}", flush=True)
    subprocess.run([sys.executable, "-m", "mlflow_tune", *words], check=True)


def main() -> None:
    """Type the tries, draw the report, and fetch the learning curves from it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="where the picture goes")
    parser.add_argument("--short", action="store_true", help="the first three tries, of five epochs")
    args = parser.parse_args()
    os.environ["MLFLOW_TUNE_REPORT"] = "false"  # once, at the end
    more = ["-P", "epochs=5"] if args.short else []
    for params, note in TRIES[:3] if args.short else TRIES:
        tune("try", str(HERE / "study.yaml"), *params.split(), *more, "--note", note)
    tune("report", "babysitting")
    study = Study.load("babysitting", experiment="babysitting")
    curves = MlflowClient().download_artifacts(study.run_id, "figures/learning_curves.png")
    picture = args.folder / "babysitting.png"
    picture.write_bytes(Path(curves).read_bytes())
    first, best = study.trials[0], study.best
    print(f"\nval_loss from {first.value:.4g} (#{first.number:03d}) to {best.value:.4g} (#{best.number:03d})")
    print(f"The picture is {picture}.")


if __name__ == "__main__":
    main()
