"""What the studies of the tests tune; `study_folder` copies this file beside the study file, so that it is importable.

It imports neither MLflow nor mlflow_tune: a worker that calls it starts at once.
"""

import os
import signal
import sys
import time
from pathlib import Path


def total(x, y=0):
    return x + y


def counted(lr, alpha, calls, pause=0.15):
    """Take a moment, and note in the file `calls` that the call came to its end."""
    time.sleep(pause)
    with Path(calls).open("a") as file:
        file.write(f"{lr} {alpha}\n")
    return lr + alpha


def held(x, folder):
    """Tell in `folder` that the trial runs, and end when there is a file `go`."""
    return hold(x, Path(folder))


def hold(x, folder):
    (folder / f"running-{x}").write_text(str(os.getpid()))
    while not (folder / "go").exists():
        time.sleep(0.02)
    return x


def broken_until_mended(x, folder):
    """Fail as long as there is no file `mended`, and note each call in a file."""
    with Path(folder, "calls").open("a") as file:
        file.write(f"{x}\n")
    if not Path(folder, "mended").exists():
        raise RuntimeError(f"broken at {x}")
    return x


def too_slow(x):
    time.sleep(0.01 if x == 1 else 3600)
    return x


def talkative(x):
    """Print more than a pipe and an artifact hold."""
    for number in range(30_000):
        print(f"line {number} of trial {x}: {'-' * 60}")
    print("the end", file=sys.stderr)
    return x


def forking(x, folder):
    """Leave a child of one's own behind, which sleeps."""
    if (pid := os.fork()) == 0:
        time.sleep(3600)
        os._exit(0)
    Path(folder, f"forked-{x}").write_text(str(pid))
    return x


def ending(x):
    """End in the ways that a function should not."""
    if x == 1:
        sys.exit(3)
    if x == 2:
        os._exit(4)
    if x == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return x


def odd(x):
    """Return what is no number that counts."""
    return {1: float("nan"), 2: float("inf"), 3: {"other": 1.0}, 4: {"loss": 4.0, "other": 1}}[x]


def quadratic(lr, units=64):
    """The best lr is 0.02."""
    return (lr - 0.02) ** 2 + units / 1e6
