"""Tunes a function on a Dask cluster, as a person's script does: `elsewhere.py URI CLUSTER NAME PLACE`."""

import os
import sys
import time
from pathlib import Path

from mlflow_tune import Study

uri, cluster, name, place = sys.argv[1:]


def objective(x):
    """Tell that the trial runs, and wait until it may end."""
    Path(place, f"pid-{os.getpid()}").touch()
    while not Path(place, "go").exists():
        time.sleep(0.05)
    return x


if __name__ == "__main__":  # a cluster on this machine imports the script in its processes
    Study(
        name=name, objective=objective, space={"x": {"type": "float", "low": 0, "high": 1}}, metric="loss",
        stop={"trials": 4}, workers=2, tracking_uri=uri, executor={"dask": cluster},
    ).run()  # fmt: skip
