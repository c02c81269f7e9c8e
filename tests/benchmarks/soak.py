"""One driver, thousands of trials: does it grow? `python tests/benchmarks/soak.py [--trials 5000] [--workers 1]`.

A no-op objective is tuned at a real `mlflow server`. Ten times during the study it is measured: the driver's resident
memory, threads, file descriptors, temporary files, HTTP requests a trial, and the seconds of a trial: by the clock, and
of the driver's own processor time. It exits 1 when a promise does not hold (`broken_promises` says which): memory at
the end at most 1.3 times that at a tenth of the way, threads, descriptors and files level, the requests of a trial and
the driver's work for it the same at the start and at the end.
"""

from __future__ import annotations

import argparse
import gc
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from unittest.mock import patch

import psutil
import requests

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs as a file as well

from mlflow_tune import Callback, Study
from mlflow_tune.trial import Trial
from tests.support.server import make_template, mlflow_server

GROWTH, SLOWER = 1.3, 2.0
SAMPLES = 10
# What is paced in time comes on top of a trial's four: the heartbeat, pulses, looks into the queue.
PACED = 2.5  # requests a second: a pulse of at most three in two seconds, a look a second, a beat in three


@dataclass(frozen=True)
class Sample:
    """The driver after so many trials; `requests` and seconds are those of one trial since the sample before."""

    trials: int
    memory: float  # MiB, resident
    threads: int
    descriptors: int
    files: int
    requests: float
    seconds: float  # by the clock
    work: float  # seconds of the driver's processor time


@dataclass
class Meter(Callback):
    """Looks on at a study and samples its driver, this process, after every `every` trials."""

    every: int
    folder: Path
    samples: list[Sample] = field(default_factory=list)
    sent: int = 0
    _ended: int = 0
    _before: tuple[int, float, float] = (0, 0.0, 0.0)

    def on_trial_end(self, trial: Trial, history: Sequence[Trial]) -> None:
        self._ended += 1
        if self._ended == 1:
            self._before = self._now()
        if self._ended % self.every == 0:
            self.samples.append(self._sample(len(history)))
            print("  ".join(f"{name} {value:.4g}" for name, value in asdict(self.samples[-1]).items()), flush=True)

    def _now(self) -> tuple[int, float, float]:
        return self.sent, time.monotonic(), time.process_time()

    def _sample(self, trials: int) -> Sample:
        gc.collect()
        process, now = psutil.Process(), self._now()
        count = self.every - (not self.samples)  # the first trial is left out: it waits for the server to wake up
        sent, seconds, work = ((after - before) / count for before, after in zip(self._before, now, strict=True))
        self._before = self._now()
        return Sample(
            trials, process.memory_info().rss / 2**20, threading.active_count(), process.num_fds(),
            sum(len(files) for _, _, files in os.walk(self.folder)), sent, seconds, work,
        )  # fmt: skip


def noop(x: float) -> float:
    """Return the point itself: nothing is trained, so that all time and memory are the driver's."""
    return x


def soak(uri: str, trials: int, workers: int, folder: Path) -> list[Sample]:
    """Run a study of so many trials at the server and return its samples; `folder` takes its temporary files."""
    meter = Meter(every=trials // SAMPLES, folder=folder)
    send = requests.adapters.HTTPAdapter.send

    def counted(*args: object, **options: object) -> object:
        meter.sent += 1
        return send(*args, **options)

    with patch.object(tempfile, "tempdir", str(folder)), patch.object(requests.adapters.HTTPAdapter, "send", counted):
        study = Study(
            name=f"soak-{os.getpid()}", objective=noop, space={"x": {"type": "float", "low": 0, "high": 1}},
            metric="loss", stop={"trials": trials}, strategy="random", workers=workers, tracking_uri=uri,
        )  # fmt: skip
        study.run(quiet=True, callbacks=[meter])
    assert [trial.outcome for trial in study.trials] == ["ok"] * trials
    return meter.samples


def broken_promises(samples: Sequence[Sample]) -> list[str]:
    """Return in words what has grown between the first sample and the last."""
    first, last = samples[0], samples[-1]
    found = []
    if last.memory > GROWTH * first.memory:
        found.append(f"memory grew from {first.memory:.0f} to {last.memory:.0f} MiB")
    for name in ("threads", "descriptors", "files"):
        before, after = asdict(first)[name], asdict(last)[name]
        if after > before + 2:  # one that is open just now is no growth
            found.append(f"{name} grew from {before} to {after}")
    if last.work > SLOWER * first.work:
        found.append(f"the driver's work for a trial grew from {first.work:.3f} to {last.work:.3f} s")
    own = [sample.requests - PACED * sample.seconds for sample in (first, last)]
    if last.requests > first.requests + 0.5 and own[1] > own[0] + 0.5:
        found.append(f"the requests of a trial grew from {first.requests:.2f} to {last.requests:.2f}")
    return found


def main() -> int:
    """Soak as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=5000)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folders = [Path(name, each) for each in ("template", "server", "temporary")]
        for folder in folders:
            folder.mkdir()
        template, home, temporary = folders
        with mlflow_server(make_template(template / "mlflow.db"), home) as uri:
            samples = soak(uri, given.trials, given.workers, temporary)
    found = broken_promises(samples)
    print("\n".join(found) or "nothing grew")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
