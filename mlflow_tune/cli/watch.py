"""The command that shows a study that runs elsewhere: watch."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from mlflow_tune.cli.common import Answer, Common, common_options, console, example
from mlflow_tune.cli.plots import curves_text
from mlflow_tune.cli.pulse import Pulse, print_gone
from mlflow_tune.cli.study_argument import find_study, study_argument
from mlflow_tune.report.curve import best_curve
from mlflow_tune.settings import lease_seconds
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.display.progress import trial_line
from mlflow_tune.study.display.summary import print_links
from mlflow_tune.study.display.tables import best_view, outcome_text, state_text, study_json
from mlflow_tune.study.study import Study
from mlflow_tune.text import number_text, one_line, point_text, short, tally, trial_label
from mlflow_tune.tracking import Queue, Refresh, Studies, StudyRecord
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType

ROWS = 5


@click.command(epilog=example("mlflow-tune watch my-study"))
@study_argument()
@click.option(
    "--interval", type=click.FloatRange(0.5, 3600), default=2.0, show_default=True, help="Seconds between two looks."
)
@common_options
def watch(study: str, common: Common, interval: float) -> Answer:
    """Watch STUDY, which is running elsewhere, until it ends.

    Only what is new is read from the tracking server.
    """
    loaded = find_study(study, common)
    shown = console(common)
    record, trials = _watched(loaded, shown, interval)
    shown.print(f"{record.name} is {state_text(record.state, record.why_stopped)}")
    print_links(shown, loaded.handle)
    if record.running:
        print_gone(shown, record, loaded.client.uri)
    return Answer(
        lambda: study_json(record, loaded.spec, trials, Queue(loaded.client, record).waiting()),
        exit_code=1 if record.running else 0,
    )


def _watched(study: Study, shown: Console, interval: float) -> tuple[StudyRecord, list[Trial]]:
    """Show the study until it ends; return it and its trials as they were then."""
    from rich.live import Live

    studies = Studies(study.client)
    refresh = Refresh(study.client, study.record)
    pulse = Pulse()
    with Live(console=shown, auto_refresh=False) as live:
        told: set[int] = set()
        while True:
            record = studies.get(study.run_id)
            trials = refresh.trials()
            if shown.is_terminal:
                live.update(_page(record, study.spec, trials, _warning(pulse.silence(record))), refresh=True)
            else:
                _print_ended(shown, study.spec, trials, told)
            if not record.running or pulse.is_gone(record):
                return record, trials
            time.sleep(interval)


def _warning(silence: float) -> str:
    return f"No sign of life for {silence:.0f} s" if silence > lease_seconds() else ""


def _page(record: StudyRecord, spec: StudySpec, trials: Sequence[Trial], warning: str) -> Group:
    from rich.console import Group
    from rich.text import Text

    listed = tally(trial.outcome or "running" for trial in trials) or "no trial yet"
    parts: list[RenderableType] = [
        Text(one_line(f"{record.name}: {record.state}  {spec.goal} {spec.metric} by {spec.strategy.name}  ({listed})"))
    ]
    met = spec.strategy.eligible(trials)
    curve = [(number, value) for number, value, _ in best_curve(met, spec.goal)]
    parts += [curves_text({f"best {spec.metric}": curve}, 80, 10)] if len(curve) > 1 else []
    if (board := best_view(spec, trials)) is not None:
        parts.append(board)
    running = [trial for trial in trials if trial.running]
    parts += [Text(f"running {trial_label(trial.number)} {point_text(trial.trained_with)}") for trial in running]
    ended = sorted((trial for trial in trials if not trial.running), key=lambda trial: trial.end_time or 0)[-ROWS:]
    parts += [
        Text(f"ended   {outcome_text(trial)} {number_text(trial.value)} {short(trial.reason, 80)}") for trial in ended
    ]
    return Group(*parts, *([Text(warning, style="bold")] if warning else []))


def _print_ended(shown: Console, spec: StudySpec, trials: Sequence[Trial], told: set[int]) -> None:
    for trial in trials:
        if not trial.running and trial.number not in told:
            told.add(trial.number)
            shown.print(trial_line(spec, trial, trials))
