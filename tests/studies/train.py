"""A training script: it waits as `objectives.hold` does, then logs its loss: by mlflow or, faster, without.

Arguments: --x X [--alpha A] [--folder FOLDER] [--calls FILE] [--client mlflow|rest]
"""

import argparse
import json
import os
import time
import urllib.request
from pathlib import Path

from objectives import hold


def by_mlflow(loss):
    import mlflow

    with mlflow.start_run():
        mlflow.log_metric("loss", loss)


def by_rest(loss):
    point = {"run_id": os.environ["MLFLOW_RUN_ID"], "key": "loss", "value": loss, "timestamp": int(time.time() * 1000)}
    request = urllib.request.Request(
        f"{os.environ['MLFLOW_TRACKING_URI']}/api/2.0/mlflow/runs/log-metric",
        json.dumps(point).encode(),
        {"Content-Type": "application/json"},
    )
    urllib.request.urlopen(request).close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--x", type=float, required=True)
    parser.add_argument("--alpha", type=float, default=0.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--calls", type=Path)
    parser.add_argument("--client", choices=("mlflow", "rest"), default="rest")
    given = parser.parse_args()
    if given.folder:
        hold(f"{given.x:g}", given.folder)
    (by_mlflow if given.client == "mlflow" else by_rest)(given.x + given.alpha)
    if given.calls:
        with given.calls.open("a") as file:
            file.write(f"{given.x} {given.alpha}\n")


if __name__ == "__main__":
    main()
