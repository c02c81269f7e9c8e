"""The full form of the fault suite, outside of pytest: `python -m tests.faults kills|pruning|network|peers`.

`kills` kills processes of studies of each kind of training code at each store, `pruning` the drivers of studies while
they stop trials, `network` runs studies behind a proxy
that spoils 5 and 20 % of the requests, `peers` kills the same study under Optuna's RDB storage with heartbeat and under
MLflow's own MlflowStorage. Each prints a table and exits 1 when a count of mlflow_tune is not zero.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.benchmarks.peers import add_option, peers_python
from tests.faults.at_stores import STORES, at_store
from tests.faults.campaign import HEAD, Counts
from tests.faults.killed_peers import TOOLS, compared
from tests.faults.network import Unreliable, study_behind
from tests.faults.pruning import killed_while_it_prunes
from tests.support.server import make_template, mlflow_server

EACH = 5  # kills of one study that stops trials


def kills(given: argparse.Namespace, home: Path) -> int:
    """Kill so many processes of studies at all stores, which work side by side; print the table."""
    total = Counts()
    shares = [given.kills // len(STORES) + (index < given.kills % len(STORES)) for index in range(len(STORES))]
    print(HEAD, flush=True)
    with ProcessPoolExecutor(len(STORES), get_context("spawn")) as workers:
        places = [home / str(index) for index in range(len(STORES))]
        seeds = [100 * given.seed + 10 * index for index in range(len(STORES))]
        for found in workers.map(at_store, STORES, shares, seeds, places):
            for each in found:
                total += each
    print(total.row("all", f"seed {given.seed}"))
    return int(total.wrong > 0)


def pruning(given: argparse.Namespace, home: Path) -> int:
    """Kill the drivers of studies that stop trials, a few times each; print what was counted."""
    (home / "server").mkdir()
    with mlflow_server(make_template(home / "template.db"), home / "server") as uri:
        kills = sum(
            killed_while_it_prunes(uri, home / str(seed), 1000 * given.seed + seed, EACH)
            for seed in range(given.kills // EACH)
        )
    print(f"{kills} drivers were killed: no trial is both pruned and finished, none ran twice, and none is lost")
    return 0


def network(given: argparse.Namespace, home: Path) -> int:
    """Run studies behind the proxy; print the table."""
    print("| spoilt | studies | finished | requests | of them spoilt | lost | twice | RUNNING | orphans |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    wrong = 0
    (home / "server").mkdir()
    with mlflow_server(make_template(home / "template.db"), home / "server") as uri:
        for share in (0.05, 0.2):
            total, requests, spoilt = Counts(), 0, 0
            for number in range(given.studies // 2):
                with Unreliable(uri, share, given.seed + number) as proxy:
                    folder = home / f"{share:g}-{number}"
                    kind = ("function", "command")[number % 2]
                    total += study_behind(proxy, uri, folder, kind, number)
                    requests += len(proxy.requests)
                    spoilt += proxy.spoilt
            figures = total.lost, total.twice, total.running, total.orphans
            cells = [
                f"{share:.0%}",
                given.studies // 2,
                given.studies // 2 - total.unfinished,
                requests,
                spoilt,
                *figures,
            ]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            wrong += total.wrong
    return int(wrong > 0)


def peers(given: argparse.Namespace, home: Path) -> int:
    """Kill the same study under each tool; print the table."""
    python = peers_python(given.peers)
    print("| tool | store | studies | kills | points trained again | results twice | points lost | runs left open |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    wrong = 0
    for tool in TOOLS:
        found = compared(tool, python, home / tool.script, given.rounds, given.seed)
        print(found.row(tool.name, tool.store, given.rounds), flush=True)
        wrong += found.wrong if tool.ours else 0
    return int(wrong > 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, run in (("kills", kills), ("pruning", pruning), ("network", network), ("peers", peers)):
        command = commands.add_parser(name)
        command.add_argument("--seed", type=int, default=1)
        command.set_defaults(run=run)
    commands.choices["kills"].add_argument("--kills", type=int, default=100)
    commands.choices["pruning"].add_argument("--kills", type=int, default=30)
    commands.choices["network"].add_argument("--studies", type=int, default=20)
    commands.choices["peers"].add_argument("--rounds", type=int, default=5, help="studies of each tool")
    add_option(commands.choices["peers"])
    given = parser.parse_args(arguments)
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ["MLFLOW_TUNE_REPORT"] = "false"
    run: Callable[[argparse.Namespace, Path], int] = given.run
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tune-faults-") as name:
        code = run(given, Path(name))
    print(f"\n{time.monotonic() - began:.0f} s", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
