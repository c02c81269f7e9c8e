"""The command by which runs that people made become trials of a study: adopt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mlflow_tune.cli.common import Answer, Common, common_options, console, example
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.study.adoption import Candidate, candidates
from mlflow_tune.study.adoption import adopt as adopt_runs
from mlflow_tune.study.study import Study
from mlflow_tune.text import number_text, point_text, table_of, trial_label

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


@click.command(
    epilog=example("mlflow-tune adopt my-study --filter \"params.depth = '4'\" --dry-run"),
)
@study_argument()
@click.option(
    "--filter", "query", required=True, metavar="FILTER", help="Which runs: a filter in MLflow's search syntax."
)
@click.option("--from-experiment", metavar="NAME", help="Where the runs are, if not in the study's experiment.")
@click.option("--copy", is_flag=True, help="Copy the runs and leave the originals untouched.")
@click.option("--dry-run", is_flag=True, help="Show what would happen to each run, and change nothing.")
@common_options
def adopt(study: str, common: Common, query: str, from_experiment: str | None, copy: bool, dry_run: bool) -> Answer:
    """Turn runs that were made by hand or by autolog into trials of STUDY.

    A run is adopted if it is finished, its params are a point of the search space, and it has the metric. Every other
    run is listed with the reason. Only the run's tags and the metrics `trial` and `objective` are changed. Runs of
    another experiment are copied.
    """
    loaded = find_study(study, common)
    found = candidates(loaded.handle, query, from_experiment, copy)
    adopted = [] if dry_run else adopt_runs(loaded.handle, found)
    form = {"study": loaded.record.name, "run_id": loaded.run_id, "adopted": len(adopted), "dry_run": dry_run}
    told = "" if dry_run else f"{len(adopted)} adopted"
    return Answer(
        lambda: {**form, "runs": [_json(candidate) for candidate in found]},
        lambda: _print(console(common), loaded, found, told),
        exit_code=0 if dry_run or adopted else 1,
    )


def _json(candidate: Candidate) -> dict[str, Any]:
    trial = candidate.trial
    return {
        "run_id": candidate.run.run_id,
        "name": candidate.run.name,
        "trial": trial and trial.number,
        "params": trial and trial.params,
        "value": trial and trial.value,
        "copied": candidate.copied,
        "refusal": candidate.refusal,
    }


def _print(shown: Console, study: Study, found: Sequence[Candidate], adopted: str) -> None:
    """Print the runs that are welcome as a table, then why each other one is not; `adopted` says what was done."""
    welcome = [candidate for candidate in found if candidate.trial is not None]
    own = [each for each in found if each.run.kind == "trial" and each.run.parent == study.run_id]
    refused = [candidate for candidate in found if candidate.trial is None and candidate not in own]
    if welcome:
        shown.print(_table(welcome))
    for each in refused:
        shown.print(f"refused: {each.run.name} (run {each.run.run_id}): {each.refusal}")
    if own:
        shown.print(f"{len(own)} runs are trials already" if len(own) > 1 else "1 run is a trial already")
    told = adopted or f"{len(welcome)} would be adopted"
    shown.print(f"{told}, {len(refused)} refused." if found else "No run matches the filter.")


def _table(welcome: Sequence[Candidate]) -> Table:
    headings = ("run", "run id", "becomes", "point", "value")
    rows = []
    for candidate in welcome:
        if (trial := candidate.trial) is not None:
            becomes = f"{trial_label(trial.number)}{' (copy)' if candidate.copied else ''}"
            found = point_text(trial.params), number_text(trial.value)
            rows.append((candidate.run.name, candidate.run.run_id, becomes, *found))
    return table_of(headings, rows, headings, ("run", "point"))
