"""What one more trial costs a long study.

    python tests/benchmarks/long_study.py [--sizes 100 1000 5000] [--trials 60] [--profile]

A study of so many finished trials, filled in as `filled_store.py` says, goes on with a function that trains nothing, at
a real `mlflow server`. Of each further trial are told its requests, with what is paced in time, its seconds by the
clock, and the driver's and the server's processor time. Reading the history and what follows the last trial is left
out: `resume_cost.py` measures that.

It exits 1 when the driver's processor time for a trial at the largest size is more than three times that at the
smallest.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import pstats
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

import psutil
import requests

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs as a file as well

from mlflow_tune import Study
from mlflow_tune.driver.callbacks import SilentListener
from mlflow_tune.trial import Trial
from tests.benchmarks.filled_store import fill, loss
from tests.support.server import make_template, mlflow_server

SLOWER = 3.0


@dataclass
class Meter(SilentListener):
    """Reads the clocks when the first trial from here ends, and when the last one does."""

    server: psutil.Process
    requests: int = 0
    readings: list[tuple[float, ...]] = field(default_factory=list)

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        times = [each.cpu_times() for each in (self.server, *self.server.children(recursive=True))]
        work = sum(each.user + each.system for each in times)
        self.readings.append((self.requests, time.monotonic(), time.process_time(), work))

    def costs(self) -> list[float]:
        """Return requests, seconds, driver's and server's processor time of a trial."""
        first, last = self.readings[0], self.readings[-1]
        count = len(self.readings) - 1
        return [(after - before) / count for before, after in zip(first, last, strict=True)]


def call_here(uri: str, run_id: str) -> None:
    """Let the trials of the study be calls in this process: nothing but the driver is to take time."""
    from mlflow import MlflowClient

    client = MlflowClient(uri)
    definition = json.loads(client.get_run(run_id).data.tags["tune.spec"])
    definition["run"] = {"objective": "filled_store:loss", "parameters": {}}
    client.set_tag(run_id, "tune.spec", json.dumps(definition))


def measure(uri: str, run_id: str, trials: int, profile: bool) -> list[float]:
    """Let the study go on with so many trials; return what each of them cost."""
    (server,) = psutil.Process().children()
    meter = Meter(server)
    send = requests.adapters.HTTPAdapter.send

    def counted(*args: object, **options: object) -> object:
        meter.requests += 1
        return send(*args, **options)

    call_here(uri, run_id)
    watch = cProfile.Profile()
    with patch.object(requests.adapters.HTTPAdapter, "send", counted):
        study = Study.load(run_id, objective=loss, tracking_uri=uri)
        if profile:
            watch.enable()
        study.resume(f"+{trials + 1}", listener=meter)
        watch.disable()
    if profile:
        pstats.Stats(watch).sort_stats("cumulative").print_stats(45)
    return meter.costs()


def main() -> int:
    """Measure as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 5000])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--profile", action="store_true", help="where the driver's time goes")
    given = parser.parse_args()
    os.environ["MLFLOW_TUNE_REPORT"] = "false"
    print("| after trials | requests a trial | s a trial | driver's processor s | server's processor s |")
    print("|---|---|---|---|---|", flush=True)
    work = {}
    with tempfile.TemporaryDirectory() as name:
        home, store = Path(name, "server"), Path(name, "template.db")
        home.mkdir()
        make_template(store)
        places = fill(store, set(given.sizes), ())
        with mlflow_server(store, home) as uri:
            for size in given.sizes:
                sent, seconds, work[size], served = measure(
                    uri, places[f"resume-{size}"][1], given.trials, given.profile
                )
                print(f"| {size} | {sent:.2f} | {seconds:.3f} | {work[size]:.4f} | {served:.4f} |", flush=True)
    return int(work[max(work)] > SLOWER * work[min(work)])


if __name__ == "__main__":
    sys.exit(main())
