"""Training code that misbehaves as it is told to: a function, and a script that logs what the function returns.

It imports neither MLflow nor mlflow_tune, so that it starts at once.
"""

import argparse
import ctypes
import json
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HOARD = "import time; held = b'x' * {size}; time.sleep(600)"
FLOOD = 200_000_000


def objective(do, folder, size=300_000_000):
    """Do it; return the loss, a dict of metrics, or None."""
    folder = Path(folder)
    if do == "raises":
        raise ValueError("no luck")
    if do == "exits":
        log("loss", 1.0)
        sys.exit(3)
    if do == "segfault":
        ctypes.string_at(0)
    if do == "memory":  # the one that holds it is in a session of its own
        leave(folder / "memory", [sys.executable, "-c", HOARD.format(size=size)])
    if do == "hang":
        leave(folder / "hang", ["sleep", "600"])
    if do == "flood":
        for _ in range(FLOOD // 1_000_000):
            print("x" * 999_999, flush=True)
    if do == "held":
        wait_for(folder / "go")
    return {"nan": float("nan"), "inf": float("inf"), "nothing": None, "other": {"other": 1.0}}.get(do, 1.0)


def flaky(x, folder):
    """Fail at odd points when they are tried first; at 4, wait to be let go."""
    tried = Path(folder, f"tried-{x}")
    first = not tried.exists()
    tried.touch()
    if first and x % 2:
        raise RuntimeError("the first time\nis the worst")
    if x == 4:
        wait_for(Path(folder, "go"))
    return x / 3


def indiscreet(do):
    """Tell all that there is to tell."""
    print("marker-printed", do, dict(os.environ))
    print(json.dumps(dict(os.environ)), *os.environ.values(), "\x1b[1m".join(os.environ["APP_SECRET"]))
    if do == "raises":
        raise RuntimeError(f"API request to {os.environ['MLFLOW_TRACKING_URI']}/api failed: {os.environ['APP_SECRET']}")
    return 1.0


def leave(file, command):
    """Start the command in a session of its own, note the processes in a file, and hang."""
    child = subprocess.Popen(command, start_new_session=True)
    file.write_text(json.dumps([os.getpid(), child.pid]))
    time.sleep(600)


def wait_for(file):
    while not file.exists():
        time.sleep(0.02)


def log(name, value):
    """Log a metric to the trial's run without MLflow; urllib takes no credentials in a URI."""
    server = os.environ["MLFLOW_TRACKING_URI"].rpartition("://")[2].rpartition("@")[2]
    value = {"nan": "NaN", "inf": "Infinity"}.get(str(value), value)  # MLflow takes a bare NaN for 0
    point = {"run_id": os.environ["MLFLOW_RUN_ID"], "key": name, "value": value, "timestamp": int(time.time() * 1000)}
    urllib.request.urlopen(
        urllib.request.Request(
            f"http://{server}/api/2.0/mlflow/runs/log-metric",
            json.dumps(point).encode(),
            {"Content-Type": "application/json"},
        )
    ).close()


def main():
    if sys.argv[1] == "indiscreet":
        log("loss", indiscreet(sys.argv[2]))
        return
    parser = argparse.ArgumentParser()
    parser.add_argument("--do")
    parser.add_argument("--folder")
    returned = objective(**vars(parser.parse_args()))
    for name, value in (returned if isinstance(returned, dict) else {"loss": returned}).items():
        if value is not None:
            log(name, value)


if __name__ == "__main__":
    main()
