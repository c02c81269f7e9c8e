"""What the malformed studies run once they are mended: a function and a script, with the learning rate as the loss."""

import argparse
import os
import sqlite3
import time

NUMBER = 3


def objective(lr: float = 0.5, units: int = 16, activation: object = "relu", epochs: int = 1) -> float:
    """Return the loss."""
    return lr


def strict(lr: float) -> float:
    """Return the loss; there is nothing else to set."""
    return lr


def log_metric(key: str, value: float) -> None:
    """Stand in for `mlflow.log_metric`, because importing mlflow takes seconds: write the point to the SQLite store."""
    point = (key, value, time.time_ns() // 1_000_000, os.environ["MLFLOW_RUN_ID"])
    with sqlite3.connect(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")) as store:
        for table in ("metrics", "latest_metrics"):
            names = "key, value, timestamp, run_uuid, step, is_nan"
            store.execute(f"INSERT INTO {table} ({names}) VALUES (?, ?, ?, ?, 0, 0)", point)
    store.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("lr", "units", "epochs"):
        parser.add_argument(f"--{name}", type=float, default=0.5)
    log_metric("loss", parser.parse_args().lr)
