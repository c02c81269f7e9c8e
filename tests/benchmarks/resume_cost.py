"""What it costs to come back to a study: its finished trials read and the next point suggested.

    python tests/benchmarks/resume_cost.py [--sizes 100 1000 5000] [--full] [--storage 100 1000] [--rounds 3]

Measured is what `resume` does before its first new trial: `Study.load`, `Trials.take_over` and the random strategy's
`suggest`; beside it the bare read of the same runs, `MlflowClient.search_runs` in pages of 1,000, and Optuna, which
loads a study, reads its trials and draws a point. Importing is not measured. Rounds are interleaved and medians
printed; processor seconds are those of this process and the server, which other work on the machine disturbs less, and
the promises are held to them. Requests are counted in a round of their own, through a proxy. The store is filled as
`filled_store.py` says. `--full` adds 20,000 trials; Optuna on MLflow's storage reads the sizes of `--storage` only,
once, and never more than 1,000 trials.

It exits 1 when a promise does not hold: at the size nearest to 5,000, from 1,000 on, at most 1.3 times the bare read,
and time growing from 1,000 trials with an exponent of at most 1 (5 % are left to noise).
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs as a file as well

from mlflow_tune import Study
from mlflow_tune.tracking import Trials
from tests.benchmarks.filled_store import SPACE, fill, loss
from tests.benchmarks.peers import add_option, peers_python, run_script
from tests.support.proxy import Proxy
from tests.support.server import make_template, mlflow_server

RATIO, EXPONENT = 1.3, 1.05
WARM = 2  # trials of a study that is read before those that are measured
OURS, BARE = "mlflow_tune", "MLflow's client, bare read"
STORAGE, SQLITE = "Optuna on MlflowStorage, once", "Optuna on its own SQLite"
Read = Callable[[str, int], "Found"]


@dataclass(frozen=True)
class Found:
    """How many trials were read, in how many seconds, and of processor time of this process and the server."""

    count: int
    seconds: float
    work: float = math.nan


def timed(call: Callable[[], int]) -> Found:
    """Return what the call reads and takes; the server is the only child of this process."""

    def work() -> float:
        server = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
        return time.process_time() + sum(each.user + each.system for each in server)

    before, began = work(), time.perf_counter()
    count = call()
    return Found(count, time.perf_counter() - began, work() - before)


def bare_read(places: Mapping[str, tuple[str, str]]) -> Read:
    """Return the read of a study's runs, page by page, that makes nothing of them; `places` say where they are."""

    def read(uri: str, size: int) -> int:
        from mlflow import MlflowClient

        client, (experiment, parent) = MlflowClient(uri), places[f"resume-{size}"]
        runs, token = [], None
        while token != "":
            query = f"tags.`mlflow.parentRunId` = '{parent}'"
            page = client.search_runs([experiment], query, max_results=1000, page_token=token)
            runs, token = runs + page, page.token or ""
        return len(runs)

    return lambda uri, size: timed(lambda: read(uri, size))


def our_resume(uri: str, size: int) -> int:
    """Do what a driver does before the first new trial."""
    name = f"resume-{size}"
    study = Study.load(name, experiment=name, objective=loss, tracking_uri=uri)
    history = Trials(study.client, study.record, space=study.spec.space).take_over()
    (suggestion,) = study.spec.strategy.suggest(study.spec.space, history, 1)
    assert suggestion.params.keys() == SPACE.keys()
    return len(history)


def optuna_resume(python: Path, storage: str, prefix: str) -> Read:
    """Return Optuna's way back to a study."""

    def read(uri: str, size: int) -> Found:
        names = [f"{prefix}-{WARM}", f"{prefix}-{size}"]
        found = run_script(python, "optuna_resume", uri, {"storage": storage, "names": names})
        return Found(found["count"], found["ended"] - found["began"])

    return read


def report(times: Mapping[tuple[str, int], list[Found]], requests: Mapping[tuple[str, int], int]) -> list[str]:
    """Print the table and the growth; return in words which promises do not hold."""
    seconds = {case: statistics.median(found.seconds for found in each) for case, each in times.items()}
    work = {case: statistics.median(found.work for found in each) for case, each in times.items()}
    print("| tool | trials | read | requests | seconds | / bare read | processor seconds | / bare read |")
    print("|---|---|---|---|---|---|---|---|")
    for case in sorted(times, key=lambda case: (case[1], case[0] != BARE, case)):
        bare, sent = (BARE, case[1]), requests.get(case, "not counted")
        worked = f"{work[case]:.3f} | {work[case] / work[bare]:.2f}" if work[case] > 0 else "not measured |"
        ratio = f"{seconds[case]:.3f} | {seconds[case] / seconds[bare]:.2f}"
        print(f"| {case[0]} | {case[1]} | {times[case][0].count} | {sent} | {ratio} | {worked} |")
    print()
    last = min((size for tool, size in times if tool == OURS), key=lambda size: abs(size - 5000))
    for tool in (OURS, BARE, SQLITE):
        if (tool, 1000) in seconds and last > 1000:
            powers = [exponent(figures, tool, last) for figures in (seconds, work)]
            words = f", processor seconds {powers[1]:.2f}" if powers[1] > 0 else ""
            print(f"{tool}, from 1000 to {last} trials: seconds grow with the power {powers[0]:.2f}{words}")
    return broken_promises(work, last)


def exponent(figures: Mapping[tuple[str, int], float], tool: str, last: int) -> float:
    """Return the power of the number of trials with which the figures grow, from 1,000 on."""
    return math.log(figures[tool, last] / figures[tool, 1000]) / math.log(last / 1000)


def broken_promises(work: Mapping[tuple[str, int], float], last: int) -> list[str]:
    """Return in words which promises do not hold; fewer than 1,000 trials break none."""
    found = []
    if last > 1000 and (OURS, 1000) in work and (power := exponent(work, OURS, last)) > EXPONENT:
        found.append(f"resume grows with the power {power:.2f} of the trials")
    if last >= 1000 and (ratio := work[OURS, last] / work[BARE, last]) > RATIO:
        found.append(f"the resume of {last} trials takes {ratio:.2f} times the bare read")
    return found


def measure(uri: str, readers: Mapping[str, tuple[Read, list[int]]], rounds: int) -> list[str]:
    """Measure in turn, then count requests; return which promises do not hold."""
    times: dict[tuple[str, int], list[Found]] = defaultdict(list)
    requests: dict[tuple[str, int], int] = {}
    for tool in (BARE, OURS):
        readers[tool][0](uri, WARM)
    for number in range(rounds):
        for size in sorted({size for _, sizes in readers.values() for size in sizes}):
            for tool, (read, sizes) in readers.items():
                if size in sizes and (number == 0 or tool != STORAGE):
                    times[tool, size].append(read(uri, size))
                    print(f"{tool}, {size}: {times[tool, size][-1].seconds:.3f} s", file=sys.stderr, flush=True)
    with Proxy(uri) as proxy:
        for tool, size in times:
            if tool != SQLITE and not (tool == STORAGE and size > 100):
                requests[tool, size] = counted(proxy, readers[tool][0], size)
    return report(times, requests)


def counted(proxy: Proxy, read: Read, size: int) -> int:
    """Return how many requests a read sends that has been done before; of Optuna's, those of the warm-up are in it."""
    proxy.requests.clear()
    read(proxy.uri, size)
    return len(proxy.requests)


def main() -> int:
    """Measure as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--full", action="store_true", help="20,000 trials as well")
    parser.add_argument("--storage", type=int, nargs="*", default=[100, 1000], help="sizes for Optuna on MlflowStorage")
    parser.add_argument("--rounds", type=int, default=3)
    add_option(parser)
    given = parser.parse_args()
    sizes = sorted({*given.sizes, *([20_000] if given.full else [])})
    python = peers_python(given.peers)
    with tempfile.TemporaryDirectory() as name:
        home, store, own = Path(name, "server"), Path(name, "template.db"), Path(name, "optuna.db")
        home.mkdir()
        make_template(store)
        places = fill(store, {WARM, *sizes}, {WARM, *given.storage})
        run_script(python, "optuna_resume", "", {"fill": str(own), "sizes": sorted({WARM, *sizes})})
        readers: dict[str, tuple[Read, list[int]]] = {
            BARE: (bare_read(places), sizes),
            OURS: (lambda uri, size: timed(lambda: our_resume(uri, size)), sizes),
            SQLITE: (optuna_resume(python, f"sqlite:///{own}", "resume"), sizes),
            STORAGE: (optuna_resume(python, "mlflow", "storage"), [size for size in given.storage if size in sizes]),
        }
        with mlflow_server(store, home) as uri:
            broken = measure(uri, readers, given.rounds)
    print("\n".join(broken) or "both promises hold")
    return bool(broken)


if __name__ == "__main__":
    sys.exit(main())
