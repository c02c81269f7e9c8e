"""A driver to be killed: it runs one trial that starts a tree of processes. Arguments: command|function, fork|plain."""

import os
import sys
import time
from pathlib import Path

from mlflow_tune.launchers import CommandLauncher, FunctionLauncher
from mlflow_tune.trial import Job

HERE = Path(__file__).parent
COMMAND = [sys.executable, "behave.py", "--do", "{do}", "--lr", "{lr}"]


def main(kind: str, fork: str) -> None:
    """Run the trial; with "fork" a child of this process holds copies of its pipes meanwhile."""
    if kind == "command":
        launcher = CommandLauncher(COMMAND, folder=HERE)
    else:
        launcher = FunctionLauncher("behave:objective", "loss", folder=HERE)
    if fork == "fork":
        start = launcher._processes.start

        def start_and_fork(*args, **kwargs):
            process = start(*args, **kwargs)
            if os.fork() == 0:
                os.close(1)
                time.sleep(10)
                os._exit(0)
            return process

        launcher._processes.start = start_and_fork
    launcher(Job(1, {"do": "tree", "lr": 0.1}, "run", "1", "sqlite:///none.db"))


if __name__ == "__main__":
    main(*sys.argv[1:])
