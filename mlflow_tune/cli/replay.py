"""The command that replays a study's curves under rules that stop trials: replay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from mlflow_tune.cli.common import Answer, Common, common_options, console, example
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.diagnosis.stopping import Terms, make_rule, rule_to_json
from mlflow_tune.diagnosis.stopping.replay import Replay
from mlflow_tune.errors import InputError
from mlflow_tune.study.replay import StudyReplay, replay_study
from mlflow_tune.text import counted, table_of

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

HEADINGS = ("rule", "saves", "keeps the best", "at least")


@click.command(
    epilog=example("mlflow-tune replay my-study", "mlflow-tune replay my-study --rule median --rule 'asha(eta=3)'")
)
@study_argument()
@click.option(
    "--rule",
    "rules",
    multiple=True,
    metavar="RULE",
    help="A rule such as median or 'asha(eta=3)'; may be given several times.",
)
@click.option(
    "--after",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="How many steps of each trial are safe from the rules.",
)
@click.option(
    "--protect",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="How many of the best trials are safe from the rules.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    metavar="N",
    help="The seed by which trials are drawn for the replays.",
)
@common_options
def replay(study: str, common: Common, rules: tuple[str, ...], after: int, protect: int, seed: int) -> Answer:
    """Show what stopping trials early would have saved in STUDY, and whether its best would have survived.

    The learning curves of the trials that ran to their end are replayed many times, each time with as many trials drawn
    anew from them. Without --rule, all the rules that `stop_trials: auto` chooses from are replayed, and its choice is
    shown.
    """
    try:
        chosen = [make_rule(rule) for rule in rules]
    except InputError as error:
        raise error.under("--rule") from None
    handle = find_study(study, common).handle
    found = replay_study(handle, chosen, Terms(after=after, protect=protect), seed)
    named = {"study": handle.record.name, "run_id": handle.run_id}
    return Answer(lambda: {**named, **_json(found)}, lambda: _print(console(common), found))


def _print(shown: Console, found: StudyReplay) -> None:
    shown.print(_table(best_of_each(found.table) if found.choice else found.table))
    shown.print(f"Replayed: {counted(found.curves, 'complete curve')} with {counted(found.steps, 'step')}.")
    if found.choice and found.table:
        shown.print(f"Each rule is shown with its best settings; --json lists all {len(found.table)}.")
    if found.choice:
        shown.print(found.choice.why)


def best_of_each(table: Sequence[Replay]) -> list[Replay]:
    """Return the first line of each rule: with the settings that keep the best trial, and save most."""
    found: dict[str, Replay] = {}
    for each in table:
        found.setdefault(each.rule.name, each)
    return [*found.values()]


def _json(found: StudyReplay) -> dict[str, Any]:
    chosen = found.choice.chosen if found.choice else None
    return {
        "curves": found.curves,
        "steps": found.steps,
        "table": [_row(each) for each in found.table],
        "chosen": chosen and _row(chosen),
        "why": found.choice.why if found.choice else None,
    }


def _row(found: Replay) -> dict[str, Any]:
    figures = {"saved": found.saved, "kept": found.kept, "bound": found.bound, "replays": found.replays}
    return {"rule": rule_to_json(found.rule), "after": found.terms.after, **figures}


def _table(table: Sequence[Replay]) -> Table:
    rows = [
        [each.label, f"{each.saved:.0%}", f"{round(each.kept * each.replays)} of {each.replays}", f"{each.bound:.0%}"]
        for each in table
    ]
    return table_of(HEADINGS, rows, left=HEADINGS[:1], words=HEADINGS[:1])
