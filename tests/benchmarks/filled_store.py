"""A tracking store filled with finished trials by SQL, in seconds where requests would take hours.

That the rows are those that mlflow_tune writes is checked against a real study of five trials.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlflow_tune import Study
from mlflow_tune.report.curve import best_curve, count_curves
from mlflow_tune.space import Float, Space
from mlflow_tune.strategies import Random
from mlflow_tune.tracking.records import compact
from mlflow_tune.tracking.run_names import run_name
from mlflow_tune.trial import Suggestion, Trial

SPACE = Space({f"x{index}": Float(1e-4, 1, log=index % 2 == 0) for index in range(8)})

MOMENT = 1_700_000_000_000  # when the first trial began


@dataclass(frozen=True)
class Row:
    """A finished run as it is written into the store."""

    name: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    metrics: Mapping[str, tuple[float, int]]  # value and step


def loss(**point: float) -> float:
    """Return the metric of a trial that trains nothing."""
    return sum(point.values())


def study_of(uri: str, name: str, trials: int = 5) -> Study:
    """Return a study, not made yet, in an experiment of its own that has its name."""
    return Study(
        name=name, experiment=name, run={"function": "filled_store:loss"}, space=SPACE, metric="loss",
        stop={"trials": trials}, strategy="random", tracking_uri=uri, folder=Path(__file__).parent,
    )  # fmt: skip


def our_row(number: int, suggestion: Suggestion, parent: str, source: Mapping[str, str]) -> Row:
    """Return a finished trial as mlflow_tune writes it; `source` are the tags that say who ran what."""
    point = dict(suggestion.params)
    tags = {
        **source, "tune.kind": "trial", "mlflow.parentRunId": parent, "tune.trial": str(number), "tune.attempt": "1",
        "tune.params": compact(point), "tune.strategy": "random", "tune.why": suggestion.why,
        "tune.nonce": f"{number:016x}", "mlflow.runName": run_name(number, point), "tune.outcome": "ok",
    }  # fmt: skip
    logs = {"trial": float(number), **SPACE.log10_metrics(point), "objective": loss(**point), "loss": loss(**point)}
    params = {key: str(value) for key, value in point.items()}
    return Row(tags["mlflow.runName"], tags, params, {key: (value, 0) for key, value in logs.items()})


def optuna_row(number: int, suggestion: Suggestion, parent: str) -> Row:
    """Return a finished trial as MLflow's storage for Optuna writes it, numbered from 0."""
    written = {
        name: {"name": "FloatDistribution", "attributes": {"step": None, "low": 1e-4, "high": 1.0, "log": each.log}}
        for name, each in SPACE.items()
        if isinstance(each, Float)
    }
    tags = {
        "param_directions": json.dumps({name: json.dumps(each) for name, each in written.items()}),
        "mlflow.parentRunId": parent, "numbers": str(number - 1), "mlflow.user": "unknown",
        "mlflow.runName": f"lyrical-bird-{number}",
        **{f"param_internal_val_{name}": json.dumps(value) for name, value in suggestion.params.items()},
    }  # fmt: skip
    params = {key: str(value) for key, value in suggestion.params.items()}
    return Row(tags["mlflow.runName"], tags, params, {"value": (float(number), 1)})


def write(connection: sqlite3.Connection, experiment: str, rows: Iterable[Row], salt: str) -> None:
    """Write the runs into MLflow's tables."""
    for at, row in enumerate(rows):
        run, began, ended = f"{salt}{at:024x}", MOMENT + 100 * at, MOMENT + 100 * at + 50
        place = f"mlflow-artifacts:/{experiment}/{run}/artifacts"
        run_values = (run, row.name, "UNKNOWN", "", "", "root", "FINISHED", began, ended, "", "active", place)
        connection.execute(f"INSERT INTO runs VALUES ({'?, ' * 13}NULL)", (*run_values, experiment))
        connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", [(*tag, run) for tag in row.tags.items()])
        connection.executemany("INSERT INTO params VALUES (?, ?, ?)", [(*param, run) for param in row.params.items()])
        points = [(key, value, ended, step, 0, run) for key, (value, step) in row.metrics.items()]
        for table in ("metrics", "latest_metrics"):
            columns = f"{table} (key, value, timestamp, step, is_nan, run_uuid)"
            connection.executemany(f"INSERT INTO {columns} VALUES (?, ?, ?, ?, ?, ?)", points)


def write_curves(connection: sqlite3.Connection, parent: str, rows: Sequence[Row]) -> None:
    """Write the curves of the parent run, which grew while its trials ended."""
    ended = [
        Trial(at, {}, "ok", row.metrics["loss"][0], end_time=MOMENT + 100 * at - 50)
        for at, row in enumerate(rows, start=1)
    ]
    curves = {"best_loss": best_curve(ended, "minimize"), **count_curves(ended)}
    for key, points in curves.items():
        values = [(key, value, time, step, 0, parent) for step, value, time in points]
        for table, written_points in (("metrics", values), ("latest_metrics", values[-1:])):
            columns = f"{table} (key, value, timestamp, step, is_nan, run_uuid)"
            connection.executemany(f"INSERT INTO {columns} VALUES (?, ?, ?, ?, ?, ?)", written_points)


def written(connection: sqlite3.Connection, parent: str) -> list[object]:
    """Return the children of a run as they stand in MLflow's tables, without what differs from run to run."""
    found: list[object] = []
    query = "SELECT run_uuid FROM tags WHERE key = 'mlflow.parentRunId' AND value = ?"
    for (run,) in connection.execute(query, (parent,)).fetchall():
        columns = "name, source_type, source_name, entry_point_name, status, source_version, lifecycle_stage"
        entry: list[object] = connection.execute(f"SELECT {columns} FROM runs WHERE run_uuid = ?", (run,)).fetchall()
        for table in ("tags", "params", "metrics", "latest_metrics"):
            values = "step, is_nan, round(value, 9)" if "metrics" in table else "value"
            rows = connection.execute(f"SELECT key, {values} FROM {table} WHERE run_uuid = ?", (run,)).fetchall()
            entry.append(sorted(row for row in rows if row[0] not in ("mlflow.parentRunId", "tune.nonce")))
        found.append(entry)
    return sorted(found, key=str)


def fill(path: Path, sizes: Iterable[int], storage: Iterable[int]) -> dict[str, tuple[str, str]]:
    """Fill the store with a study for each size; return each one's experiment and parent run, by name.

    Raises AssertionError unless the rows are as mlflow_tune writes them.
    """
    from mlflow import MlflowClient

    uri = f"sqlite:///{path}"
    client, ours = MlflowClient(uri), {f"resume-{size}": size for size in sizes} | {"check": 5}
    theirs = {f"storage-{size}": size for size in storage}
    ids = {name: client.create_experiment(name, str(path.parent / name)) for name in ("real", *ours, *theirs)}
    real = study_of(uri, "real").run(quiet=True)
    tags = client.get_run(real.trials[0].run_id).data.tags
    source = {key: tags[key] for key in tags if key.startswith("mlflow.")}
    parents = {name: study_of(uri, name, size + 1).create().run_id for name, size in ours.items()}
    directions = {"optuna.study_direction": "MINIMIZE"}
    parents |= {name: client.create_run(ids[name], 0, directions, name).info.run_id for name in theirs}
    points = Random().suggest(SPACE, [], max((*ours.values(), *theirs.values())))
    with sqlite3.connect(path) as connection:
        for at, (name, size) in enumerate((ours | theirs).items()):
            make = optuna_row if name in theirs else lambda *given: our_row(*given, source)
            rows = [make(number, point, parents[name]) for number, point in enumerate(points[:size], start=1)]
            write(connection, ids[name], rows, f"{at:08x}")
            if name in ours:
                write_curves(connection, parents[name], rows)
        assert written(connection, parents["check"]) == written(connection, real.run_id), "not as mlflow_tune writes"
    return {name: (ids[name], parent) for name, parent in parents.items()}
