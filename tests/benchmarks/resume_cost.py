"""What it costs to come back to a study: a whole `mlflow-tune resume STUDY --trials +1`.

    python tests/benchmarks/resume_cost.py [--sizes 1000 5000] [--full] [--rounds 3] [--optuna]

Measured is the processor time of the command and of the server, children included: the trials read, one more run, the
summary, the pictures and the report. What the same command costs on a study of three trials is taken away: starting
Python, importing, drawing what any study has. Beside it stands the bare read of the same runs,
`MlflowClient.search_runs` in pages of 1,000, less that of three runs, in a process of its own as well. Each round
measures all of them in turn, and medians are printed; every command adds a trial to its study. The store is filled as
`filled_store.py` says. `--full` adds 20,000 trials. With `--optuna`, for comparison, Optuna loads a study, reads its
trials and draws a point, without a report: on its own SQLite, and on MLflow's storage at the sizes of `--storage`,
once; its seconds are those by the clock.

It exits 1 when the promise does not hold: at the size nearest to 5,000, from 1,000 on, at most twice the bare read.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs as a file as well

from tests.benchmarks.filled_store import fill
from tests.benchmarks.peers import add_option, peers_python, run_script
from tests.support.server import make_template, mlflow_server

ROOT = Path(__file__).parents[2]
RATIO = 2.0
FEW = 3  # trials of the study whose cost is taken away
RESUME, BARE = "mlflow-tune resume", "bare read"
READ = """
import sys
from mlflow import MlflowClient

uri, experiment, parent = sys.argv[1:]
client, runs, token = MlflowClient(uri), [], None
while token != "":
    query = f"tags.`mlflow.parentRunId` = '{parent}'"
    page = client.search_runs([experiment], query, max_results=1000, page_token=token)
    runs, token = runs + page, page.token or ""
print(len(runs))
"""


def work(server: psutil.Process) -> float:
    """Return the processor seconds of the server until now, and of all processes that were waited for."""
    times = [each.cpu_times() for each in (server, *server.children(recursive=True))]
    ended = os.times()
    return sum(each.user + each.system for each in times) + ended.children_user + ended.children_system


def cost(server: psutil.Process, command: Sequence[str]) -> float:
    """Return the processor seconds that a command takes, here and at the server. Raises when it fails."""
    before = work(server)
    subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL, cwd=ROOT)
    return work(server) - before


def measure(uri: str, places: Mapping[str, tuple[str, str]], sizes: Sequence[int], rounds: int) -> list[str]:
    """Measure in turn and print the table; return which promises do not hold."""
    (server,) = psutil.Process().children()
    found: dict[tuple[str, int], list[float]] = defaultdict(list)
    cost(server, ["-c", READ, uri, *places[f"resume-{FEW}"]])  # the server's first requests load its code
    for _ in range(rounds):
        for size in (FEW, *sizes):
            experiment, parent = places[f"resume-{size}"]
            found[BARE, size].append(cost(server, ["-c", READ, uri, experiment, parent]))
            command = ["-m", "mlflow_tune", "resume", parent, "--trials", "+1", "--tracking-uri", uri]
            found[RESUME, size].append(cost(server, command))
            print(f"{size}: {found[RESUME, size][-1]:.1f} s, bare {found[BARE, size][-1]:.1f} s", file=sys.stderr)
    return report({case: statistics.median(each) for case, each in found.items()}, sizes)


def report(seconds: Mapping[tuple[str, int], float], sizes: Sequence[int]) -> list[str]:
    """Print the table; return in words which promises do not hold."""
    print("| trials | resume: processor seconds | less that of 3 trials | bare read | less that of 3 runs | ratio |")
    print("|---|---|---|---|---|---|")
    ratios = {}
    for size in sizes:
        ours, bare = (seconds[tool, size] - seconds[tool, FEW] for tool in (RESUME, BARE))
        ratios[size] = ours / bare
        whole = f"{seconds[RESUME, size]:.1f} | {ours:.1f} | {seconds[BARE, size]:.1f} | {bare:.1f}"
        print(f"| {size} | {whole} | {ratios[size]:.2f} |")
    last = min(sizes, key=lambda size: abs(size - 5000))
    if last >= 1000 and ratios[last] > RATIO:
        return [f"the resume of {last} trials takes {ratios[last]:.2f} times the bare read"]
    return []


def peers(python: Path, uri: str, own: Path, sizes: Sequence[int], storage: Sequence[int]) -> None:
    """Print what Optuna's way back to a study takes by the clock."""
    run_script(python, "optuna_resume", "", {"fill": str(own), "sizes": sorted({FEW, *sizes})})
    for title, kind, prefix, counts in (
        ("Optuna on its own SQLite", f"sqlite:///{own}", "resume", sizes),
        ("Optuna on MlflowStorage, once", "mlflow", "storage", storage),
    ):
        for size in counts:
            names = [f"{prefix}-{FEW}", f"{prefix}-{size}"]
            found = run_script(python, "optuna_resume", uri, {"storage": kind, "names": names})
            print(f"{title}, {found['count']} trials: {found['ended'] - found['began']:.2f} s by the clock")


def main() -> int:
    """Measure as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 5000])
    parser.add_argument("--full", action="store_true", help="20,000 trials as well")
    parser.add_argument("--optuna", action="store_true", help="Optuna's way back as well")
    parser.add_argument("--storage", type=int, nargs="*", default=[100], help="sizes for Optuna on MlflowStorage")
    parser.add_argument("--rounds", type=int, default=3)
    add_option(parser)
    given = parser.parse_args()
    sizes = sorted({*given.sizes, *([20_000] if given.full else [])} - {FEW})
    with tempfile.TemporaryDirectory() as name:
        home, store = Path(name, "server"), Path(name, "template.db")
        home.mkdir()
        make_template(store)
        places = fill(store, {FEW, *sizes}, {FEW, *given.storage} if given.optuna else ())
        with mlflow_server(store, home) as uri:
            broken = measure(uri, places, sizes, given.rounds)
            if given.optuna:
                peers(peers_python(given.peers), uri, Path(name, "optuna.db"), sizes, given.storage)
    print("\n".join(broken) or "the promise holds")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
