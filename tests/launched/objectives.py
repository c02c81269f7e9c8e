"""Objectives for the tests of the function launcher, each with one habit that training code has."""

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import ClassVar

CALLS: list[float] = []


class Namespace:
    """Holds an objective that is an attribute of an attribute."""

    objective: ClassVar = staticmethod(lambda lr: lr)


def pid(lr):
    return {"pid": os.getpid(), "calls": CALLS.append(lr) or len(CALLS)}


def grows(lr):
    """Keep 128 MiB for ever."""
    CALLS.append(b"x" * 2**27)
    return pid(lr)


def marked(do, marker):
    """Do it once: the first call leaves a mark, later ones only return."""
    if Path(marker).exists():
        return os.getpid()
    Path(marker).touch()
    if do == "hang":
        time.sleep(99)
    elif do == "segfault":
        print("about to crash", flush=True)
        os.kill(os.getpid(), signal.SIGSEGV)
    elif do == "os._exit":
        os._exit(0)
    elif do == "sys.exit":
        sys.exit("enough")
    raise RuntimeError(do)


def returns(what):
    import numpy

    return {
        "int": 3,
        "numpy": numpy.float32(0.5),
        "array": numpy.array(0.25),
        "nan": float("nan"),
        "inf": float("-inf"),
        "dict": {"loss": numpy.int64(2), "accuracy": 0.5},
        "none": None,
        "text": "0.5",
        "vector": numpy.array([1.0]),
        "tuple": (1.0, {}),
        "bad dict": {"loss": "low"},
        "bad key": {1: 0.5},
        "bad name": {"accuracy (%)": 0.5},
    }[what]


def start_run(lr):
    import mlflow

    with mlflow.start_run():
        mlflow.log_metric("loss", lr)
    return lr


def log_only(lr):
    import mlflow

    mlflow.log_metric("loss", lr)


def import_only(lr):
    import mlflow

    assert mlflow.active_run() is None
    return lr


def log_and_raise(lr):
    log_only(lr)
    raise RuntimeError("after logging")


def thread_prints_later(lr):
    def late():
        time.sleep(0.3)
        print("late", flush=True)

    threading.Thread(target=late, daemon=True).start()
    return lr


def fork_and_crash(lr):
    if os.fork() == 0:
        time.sleep(99)
    os.kill(os.getpid(), signal.SIGKILL)


def closes_everything(lr):
    os.closerange(3, 2**16)
    time.sleep(99)


not_callable = 3
