"""What a trial costs in requests and time, against other ways to keep the same trials in MLflow.

    python tests/benchmarks/trial_cost.py [--trials 50 200] [--square 20 50] [--rounds 3] [--peers DIR]

The objective computes nothing; it logs nothing besides its result, or ten steps of a metric. Every tool runs in a
process of its own against one `mlflow server` behind a proxy that counts requests; starting the process is not
measured, nor is a first study of two trials. Requests and time are those of a whole study divided by its trials: what
mlflow_tune sends once a study and what it paces in time (heartbeat, looks into the queue) is in it. `around trial 10`
and `at the end` are the median requests from one trial's beginning to the next one's. What grows with the number of
trials grows with the square for a whole study: such tools (and mlflow-sweep, whose trials are processes that import
MLflow) get the smaller numbers of `--square`, once, and are compared with the bare client of that many trials. Rounds
are interleaved, and medians are printed; Ctrl-C prints what has been measured by then.

It exits 1 when trial 10 of mlflow_tune sent another number of requests about its own run than the last one.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # so that it runs as a file as well

from tests.benchmarks.peers import add_option, peers_python, run_script
from tests.support.proxy import Proxy, Request
from tests.support.server import make_template, mlflow_server


@dataclass(frozen=True)
class Tool:
    """A way to keep trials in MLflow: its script, and whether it runs in the peers' environment."""

    name: str
    script: str
    peer: bool = False
    square: bool = False


@dataclass(frozen=True)
class Cost:
    """What a study cost: requests and seconds a trial, requests around trial 10 and at the end; `own` of both trials.

    `own` are the requests about the run of trial 10 and about the run of the last trial.
    """

    requests: float
    seconds: float
    early: float
    late: float
    own: tuple[int, int]


@dataclass(frozen=True)
class Case:
    """A study to run: so many trials, each logging so many steps."""

    tool: Tool
    steps: int
    trials: int


BARE = Tool("MLflow's client, bare", "bare_client")
OURS = Tool("mlflow_tune", "mlflow_tune_study")
TOOLS = [
    BARE,
    OURS,
    Tool("MLflow's fluent loop", "fluent_loop"),
    Tool("Optuna, MLflowCallback", "optuna_callback", peer=True),
    Tool("Optuna on MlflowStorage", "optuna_mlflow_storage", peer=True, square=True),
    Tool("mlflow-sweep", "sweep", peer=True, square=True),
]
HEAD = (
    "| tool | steps | trials | requests a trial | around trial 10 | at the end | ms a trial | requests / bare "
    "| time / bare |\n|---|---|---|---|---|---|---|---|---|"
)


def cost_of(case: Case, requests: Iterable[Request], span: tuple[float, float]) -> Cost:
    """Return what the study cost that ran in this span of time."""
    sent = [request for request in requests if span[0] <= request.time <= span[1]]
    begins = [at for at, request in enumerate(sent) if request.call == "POST runs/create"][-case.trials :]
    between = [after - before for before, after in pairwise(begins)]
    about = [sum(request.run_id == sent[begins[at]].run_id for request in sent) for at in (9, -1)]
    return Cost(
        len(sent) / case.trials, (span[1] - span[0]) / case.trials, statistics.median(between[4:15]),
        statistics.median(between[-10:]), (about[0], about[1]),
    )  # fmt: skip


def run(case: Case, python: Path, proxy: Proxy, folder: Path) -> Cost:
    """Run one study and return what it cost."""
    proxy.requests.clear()
    name = f"{case.tool.script}-{time.time_ns()}"
    options = {"name": name, "trials": case.trials, "steps": case.steps, "folder": str(folder)}
    found = run_script(python if case.tool.peer else sys.executable, case.tool.script, proxy.uri, options)
    print(f"{case.tool.name}, {case.steps} steps, {case.trials} trials: done", file=sys.stderr, flush=True)
    return cost_of(case, proxy.requests, (found["began"], found["ended"]))


def cases(trials: Sequence[int], square: Sequence[int], rounds: int) -> list[Case]:
    """Return the studies to run, in order: the rounds are interleaved, what takes long is run once.

    The bare client also runs the smaller numbers, so that each row has its measure.
    """
    return [
        Case(tool, steps, count)
        for number in range(rounds)
        for steps in (0, 10)
        for count in sorted({*trials, *square})
        for tool in TOOLS
        if (count in square and number == 0 if tool.square else count in trials or tool is BARE)
    ]


def row(case: Case, costs: Sequence[Cost], bare: Sequence[Cost]) -> str:
    """Return a case as a row of the table."""
    requests, seconds, early, late = medians(costs)
    bare_requests, bare_seconds, *_ = medians(bare)
    once = ", once" if len(costs) < len(bare) else ""
    return (
        f"| {case.tool.name}{once} | {case.steps} | {case.trials} | {requests:.2f} | {early:g} | {late:g} "
        f"| {1000 * seconds:.1f} | {requests / bare_requests:.2f} | {seconds / bare_seconds:.2f} |"
    )


def medians(costs: Sequence[Cost]) -> tuple[float, float, float, float]:
    """Return the median of each figure."""
    columns = zip(*((each.requests, each.seconds, each.early, each.late) for each in costs), strict=True)
    requests, seconds, early, late = (statistics.median(column) for column in columns)
    return requests, seconds, early, late


def report(found: dict[Case, list[Cost]]) -> int:
    """Print the table, and whether our own trials cost the same whichever their number; return the exit code."""
    print(HEAD)
    for case in sorted(found, key=lambda case: (case.steps, TOOLS.index(case.tool), case.trials)):
        print(row(case, found[case], found[Case(BARE, case.steps, case.trials)]))
    print()
    uneven = False
    for case, costs in found.items():
        if case.tool is OURS:
            tenth, last = zip(*(cost.own for cost in costs), strict=True)
            uneven |= tenth != last
            print(
                f"mlflow_tune, {case.steps} steps, {case.trials} trials: requests about its own run of trial 10: "
                f"{sorted(set(tenth))}, of trial {case.trials}: {sorted(set(last))}"
            )
    return int(uneven)


def main() -> int:
    """Measure as the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, nargs="+", default=[50, 200], help="at least 11")
    parser.add_argument("--square", type=int, nargs="*", default=[20, 50], help="of what takes long; may be empty")
    parser.add_argument("--rounds", type=int, default=3)
    add_option(parser)
    given = parser.parse_args()
    python = peers_python(given.peers)
    found: dict[Case, list[Cost]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name, "server")
        home.mkdir()
        template = make_template(Path(name, "template.db"))
        with mlflow_server(template, home) as uri, Proxy(uri) as proxy, suppress(KeyboardInterrupt):
            for case in cases(given.trials, given.square, given.rounds):
                found[case].append(run(case, python, proxy, Path(name)))
    return report(found)


if __name__ == "__main__":
    sys.exit(main())
