"""What starting a project costs: a command of one second, run bare and by mlflow_tune, in pairs.

    python tests/benchmarks/launch.py [--pairs 15] [--seconds 1.0] [--trials 10]

The first figure is the launcher's, from Job to Outcome; the promise is at most 1.1 of the bare command. The second is
a whole study's: what `mlflow-tune run` takes for `1 + trials` trials less what it takes for one, divided by `trials`:
that leaves start-up and end out, but not a trial's tracking requests (to a local SQLite store) and its artifact. Bare
and launched runs alternate, and medians are compared, because the machine may be busy.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mlflow_tune.launchers import ProjectLauncher
from mlflow_tune.space import Float, Space
from mlflow_tune.trial import Job

MLPROJECT = """\
name: sleep
entry_points:
  main:
    parameters:
      x: float
    command: python work.py {x}
"""
WORK = """\
import os, sys, time
time.sleep(SECONDS)
print("done", sys.argv[1])
"""
# A whole study wants a metric; it is written without importing mlflow, whose seconds are no cost of ours.
LOGGING = (
    WORK
    + """\
import sqlite3
store = os.environ.get("MLFLOW_TRACKING_URI", "").removeprefix("sqlite:///")
if store:
    values = ("loss", float(sys.argv[1]), time.time_ns() // 1_000_000, os.environ["MLFLOW_RUN_ID"], 0, 0)
    with sqlite3.connect(store, timeout=30) as connection:
        for table in ("metrics", "latest_metrics"):
            connection.execute(f"INSERT INTO {table} (key, value, timestamp, run_uuid, step, is_nan)"
                               " VALUES (?, ?, ?, ?, ?, ?)", values)
"""
)
STUDY = """\
name: {name}
run: {{project: .}}
metric: loss
space: {{x: {{type: float, low: 0, high: 1}}}}
strategy: random
stop: {{trials: {trials}}}
"""


def seconds_of(call: Callable[[], object]) -> float:
    """Return how long the call takes."""
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def bare(folder: Path) -> None:
    """Run the command as a person does in a shell."""
    subprocess.run(["bash", "-c", "python work.py 0.5"], cwd=folder, check=True, env=environment(), capture_output=True)


def environment() -> dict[str, str]:
    """Return the variables of a bare run: `python` is this one, and there is no tracking store."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "MLFLOW_TRACKING_URI": "", "MLFLOW_DISABLE_TELEMETRY": "true"}


def launched(launcher: ProjectLauncher) -> None:
    """Run the command as one trial."""
    outcome = launcher(Job(1, {"x": 0.5}, "0" * 32, "0", ""))
    assert outcome.kind == "ok", outcome


def pairs_of_launches(folder: Path, pairs: int) -> list[tuple[float, float]]:
    """Return (bare, launched) seconds, measured in turn."""
    (folder / "work.py").write_text(WORK.replace("SECONDS", SECONDS))
    launcher = ProjectLauncher(".", folder=folder)
    launcher.check(Space({"x": Float(0, 1)}))
    launcher.prepare()
    try:
        launched(launcher)  # what is done once a study is not measured
        return [(seconds_of(lambda: bare(folder)), seconds_of(lambda: launched(launcher))) for _ in range(pairs)]
    finally:
        launcher.close()


def study_seconds(folder: Path, name: str, trials: int) -> float:
    """Return how long `mlflow-tune run` takes for a study of so many trials."""
    (folder / "study.yaml").write_text(STUDY.format(name=name, trials=trials))
    command = [sys.executable, "-m", "mlflow_tune", "run", "study.yaml", "--tracking-uri", f"sqlite:///{folder}/m.db"]
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the study {name} failed: {done.stdout}{done.stderr}")
    return time.perf_counter() - began


def seconds_per_trial(folder: Path, trials: int, rounds: int = 5) -> tuple[list[float], list[float]]:
    """Return the bare command's seconds and a study's seconds per trial, measured in turn."""
    (folder / "work.py").write_text(LOGGING.replace("SECONDS", SECONDS))
    study_seconds(folder, "warm-up", 1)  # makes the store
    alone, whole = [], []
    for number in range(rounds):
        alone += [seconds_of(lambda: bare(folder)) for _ in range(3)]
        one = study_seconds(folder, f"one-{number}", 1)
        many = study_seconds(folder, f"many-{number}", 1 + trials)
        whole.append((many - one) / trials)
    return alone, whole


def main() -> None:
    """Measure both and print the figures."""
    global SECONDS  # noqa: PLW0603
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--seconds", default="1.0", help="how long the command takes")
    parser.add_argument("--trials", type=int, default=10, help="trials of the whole study; 0 leaves it out")
    options = parser.parse_args()
    SECONDS = options.seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "MLproject").write_text(MLPROJECT)
        pairs = pairs_of_launches(folder, options.pairs)
        ratio = statistics.median(after / before for before, after in pairs)
        before, after = (statistics.median(column) for column in zip(*pairs, strict=True))
        print(
            f"launcher: bare {before:.3f} s, launched {after:.3f} s; median of {len(pairs)} paired ratios {ratio:.3f}"
        )
        if options.trials:
            alone, whole = seconds_per_trial(folder, options.trials)
            before, after = statistics.median(alone), statistics.median(whole)
            print(f"study:    bare {before:.3f} s, a trial {after:.3f} s (tracking included): {after / before:.3f}")


SECONDS = "1.0"

if __name__ == "__main__":
    main()
