"""Other tools to compare with, in a virtual environment of their own: `python tests/benchmarks/peers.py [--peers DIR]`.

The environment is made once, by pip from the package index, in the folder that `--peers` names, else in the user's
cache folder. It holds the MLflow of the version that is installed here. Each peer is a small script in `peers/` beside
this file; a script gets its options as JSON and prints what it measured as JSON in its last line. Run by itself, this
file makes the environment and prints what is in it.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

SCRIPTS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parents[2]
PEERS = ["optuna", "optuna-integration", "mlflow-sweep; python_version >= '3.11'"]
# What a person's shell may hold and would lead a peer to a store of theirs, or change what it logs.
FOREIGN = ("MLFLOW_RUN_ID", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID")
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_TUNE_REPORT": "false",  # drawn once a study, not once a trial
}


def add_option(parser: argparse.ArgumentParser) -> None:
    """Add the option `--peers` to the parser of a benchmark."""
    parser.add_argument("--peers", type=Path, default=default_folder(), help="where the peers' environment is made")


def default_folder() -> Path:
    """Return the folder of the environment when none is named: in the user's cache."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "mlflow_tune_benchmarks" / f"peers-mlflow-{version('mlflow')}"


def requirements() -> list[str]:
    """Return what pip installs there: MLflow of our version, then the peers."""
    return [f"mlflow=={version('mlflow')}", *PEERS]


def peers_python(folder: Path) -> Path:
    """Return the Python of the peers' environment, which is made when it is missing or out of date."""
    python, made = folder / "bin" / "python", folder / "made.json"
    wanted = json.dumps([sys.version, *requirements()])
    if not made.exists() or made.read_text() != wanted:
        print(f"making the peers' environment in {folder}", file=sys.stderr, flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *requirements()], check=True)
        made.write_text(wanted)
    return python


def run_script(python: Path | str, script: str, uri: str, options: Mapping[str, object]) -> dict[str, Any]:
    """Run a script of `peers/` on this tracking server and return what it measured. Raises RuntimeError."""
    environment = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    environment |= {**QUIET, "MLFLOW_TRACKING_URI": uri}
    if str(python) == sys.executable:
        environment["PYTHONPATH"] = str(ROOT)
    command = [str(python), str(SCRIPTS / f"{script}.py"), json.dumps(options)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{script} failed: {done.stdout[-2000:]}{done.stderr[-4000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Make the environment and print what is in it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_option(parser)
    python = peers_python(parser.parse_args().peers)
    print("| package | version |\n|---|---|", flush=True)
    for name in ("mlflow", *(each.partition(";")[0] for each in PEERS)):
        code = "import sys, importlib.metadata as m; print('|', sys.argv[1], '|', m.version(sys.argv[1]), '|')"
        subprocess.run([str(python), "-c", code, name], check=False)


if __name__ == "__main__":
    main()
