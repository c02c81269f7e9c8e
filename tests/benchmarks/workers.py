"""How busy workers are: the share of their time that they spend in trials. `python tests/benchmarks/workers.py`.

Trials sleep for a log-normal time (median 1 s, sigma 1: a tenth takes more than 3.6 s) and stamp their beginning and
end themselves. The share is taken from the first trial's beginning to the last one's: until then there is always a
trial to run, so all that is missing is mlflow_tune's, its tracking server's (a real one, on the same machine) and its
workers' start. 1, 2, 4 and 8 workers of this machine, for random and Bayesian search (GP, 3 parameters), then 4 worker
processes of a Dask cluster, one of which is killed in mid-study: the attempt that it loses is no time in a trial.
`--each 25` is the number of trials for each worker.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
import uuid
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2]))

from mlflow_tune import Study
from mlflow_tune.trial import Trial
from tests.support.server import make_template, mlflow_server

SPACE = {name: {"type": "float", "low": 0, "high": 1} for name in "xyz"}


def objective(x: float, y: float, z: float) -> dict[str, float]:
    """Sleep for a time that is drawn by the point, and stamp it."""
    import os
    import time

    began = time.time()
    time.sleep(float(np.random.default_rng([int(value * 1e9) for value in (x, y, z)]).lognormal(0.0, 1.0)))
    return {"loss": (x - 0.3) ** 2 + (y - 0.6) ** 2 + z / 9, "began": began, "ended": time.time(), "pid": os.getpid()}


def study(uri: str, strategy: str, workers: int, each: int, cluster: str | None = None) -> Study:
    name = f"{strategy}-{workers}-{uuid.uuid4().hex[:6]}"
    executor = {"dask": cluster} if cluster else None
    return Study(
        name=name, objective=objective, space=SPACE, metric="loss", strategy=strategy, stop={"trials": each * workers},
        workers=workers, tracking_uri=uri, executor=executor,
    )  # fmt: skip


def share(trials: list[Trial], workers: int) -> float:
    """Return the share of the workers' time that was spent in trials, until the last one began."""
    spans = [(trial.metrics["began"], trial.metrics["ended"]) for trial in trials if trial.value is not None]
    first, last = min(began for began, _ in spans), max(began for began, _ in spans)
    return sum(max(min(ended, last) - began, 0.0) for began, ended in spans) / (workers * (last - first))


def local_rows(uri: str, counts: list[int], strategies: list[str], each: int) -> None:
    for strategy in strategies:
        for workers in counts:
            began = time.monotonic()
            done = study(uri, strategy, workers, each).run(quiet=True)
            busy, took = share(done.trials, workers), time.monotonic() - began
            print(
                f"| {strategy} | {workers} | this machine | {len(done.trials)} | {took:.0f} | {busy:.1%} |", flush=True
            )


def dask_row(uri: str, strategy: str, each: int) -> None:
    """Kill one of four worker processes when half of the trials have begun; Dask's nanny starts another one."""
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=4, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        tuned = study(uri, strategy, 4, each, cluster.scheduler_address)
        halfway = threading.Thread(target=_kill_halfway, args=(tuned, client, 2 * each))
        halfway.start()
        began = time.monotonic()
        done = tuned.run(quiet=True)
        took = time.monotonic() - began
        halfway.join()
    trials = done.trials
    again = [trial.number for trial in trials if trial.attempt > 1]
    words = f"Dask, one of 4 killed (trial {', '.join(map(str, again))} ran again)"
    print(f"| {strategy} | 4 | {words} | {len(trials)} | {took:.0f} | {share(trials, 4):.1%} |", flush=True)
    assert sorted(trial.number for trial in trials if trial.outcome == "ok") == list(range(1, 4 * each + 1))


def _kill_halfway(tuned: Study, client: object, after: int) -> None:
    while not tuned.started or len(tuned.trials) < after:
        time.sleep(0.2)
    processing = client.processing()  # type: ignore[attr-defined]
    victim = next(address for address, tasks in processing.items() if tasks)
    pids = client.run(os.getpid)  # type: ignore[attr-defined]
    os.kill(pids[victim], signal.SIGKILL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=25, help="trials for each worker")
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2, 4, 8])
    parser.add_argument("--strategies", nargs="*", default=["random", "bayesian"])
    parser.add_argument("--no-dask", action="store_true")
    options = parser.parse_args()
    os.environ |= {"MLFLOW_TUNE_REPORT": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    folder = Path(tempfile.mkdtemp())
    (folder / "server").mkdir()
    print("| strategy | workers | where | trials | seconds | busy |\n|---|---|---|---|---|---|")
    with mlflow_server(make_template(folder / "template.db"), folder / "server") as uri:
        local_rows(uri, options.workers, options.strategies, options.each)
        for strategy in [] if options.no_dask else options.strategies:
            dask_row(uri, strategy, options.each)


if __name__ == "__main__":
    main()
