"""What people see while a study runs: a progress bar on a terminal, else a plain line a trial; then the summary."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlflow_tune.cli.views import number_text, point_text, seconds_text, trials_table
from mlflow_tune.strategies.base import eligible
from mlflow_tune.trial import Trial, ranked

if TYPE_CHECKING:
    from rich.console import Console

    from mlflow_tune.listening import Listener
    from mlflow_tune.spec import StudySpec
    from mlflow_tune.study import Study


@contextlib.contextmanager
def listener_for(console: Console) -> Iterator[Listener]:
    """Yield the listener that suits the console."""
    if not console.is_terminal:
        yield Lines(console)
        return
    with _progress(console) as progress, _warnings_above(console):
        yield Bar(progress)


def start_lines(spec: StudySpec, links: Mapping[str, str]) -> str:
    """Return in one line what is searched, how, and how long that may take; then the links."""
    most = most_trials(spec)
    how_long = "" if most is None else f", up to {most} trial{'s' * (most > 1)}"
    first = f"{spec.name}: {spec.goal} {spec.metric} by {spec.strategy.name}{how_long}"
    return "\n".join([first, *_link_lines(links)])


def trial_line(spec: StudySpec, trial: Trial, history: Sequence[Trial]) -> str:
    """Return in one line how a trial ended, and the best so far."""
    best = spec.best(history)
    found = f"{spec.metric}={number_text(trial.value)}" if trial.value is not None else trial.reason
    words = [f"#{trial.number:03d} {trial.outcome}", found, point_text(trial.params), f"({seconds_text(trial)})"]
    words += [f"best {number_text(best.value)} (#{best.number:03d})"] if best else []
    return "  ".join(" ".join(word.split()) for word in words)


def most_trials(spec: StudySpec) -> int | None:
    """Return how many trials the study may take, None when neither budget nor strategy says.

    A bisection tells for one worker alone: with more, it takes fewer rounds and more trials.
    """
    told = spec.workers == 1 or spec.strategy.name != "bisection"
    bounds = (spec.stop.trials, spec.strategy.length(spec.space) if told else None)
    return min((bound for bound in bounds if bound is not None), default=None)


class Lines:
    """Prints one plain line for each trial that ends."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def began(self, spec: StudySpec, links: Mapping[str, str]) -> None:
        """Print what is searched, how, how long that may take, and where it is seen."""
        self._spec = spec
        self._console.print(start_lines(spec, links))

    def started(self, trial: Trial) -> None:
        """Print nothing: the line comes at the end."""

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Print the trial's outcome, its value or reason, its point, and the best so far."""
        self._console.print(trial_line(self._spec, trial, history))


class Bar:
    """Moves a progress bar: done, running, failed, best so far, time left."""

    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self._running: set[int] = set()

    def began(self, spec: StudySpec, links: Mapping[str, str]) -> None:
        """Print what is searched, how, and where it is seen, and show the empty bar."""
        self._spec = spec
        self._progress.console.print(start_lines(spec, links))
        self._task = self._progress.add_task(spec.name, total=most_trials(spec), running=0, failed=0, best="")

    def started(self, trial: Trial) -> None:
        """Count one more that runs."""
        self._running.add(trial.number)
        self._progress.update(self._task, running=len(self._running))

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Count the trial, and show the best so far."""
        self._running.discard(trial.number)
        best = self._spec.best(history)
        self._progress.update(
            self._task,
            completed=sum(each.done for each in history),
            running=len(self._running),
            failed=sum(each.done and each.value is None for each in history),
            best=f"best {number_text(best.value)} (#{best.number:03d})" if best else "",
        )


def print_summary(console: Console, study: Study, trials: Sequence[Trial]) -> None:
    """Print how the study ended, its best five, and last the command that people want next."""
    assert study.ending is not None
    console.print(f"\n{study.spec.name} is {study.ending.state} ({study.ending.why})")
    if board := ranked(eligible(study.spec.strategy, trials), study.spec.goal)[:5]:
        console.print(trials_table(study.spec.metric, board, title="The best"))
    finished = study.ending.state == "finished"
    if finished or study.links:
        print_links(console, study)
    if not finished:
        console.print("Go on with it by:")
        console.print(study.resume_command)


def print_links(console: Console, study: Study) -> None:
    """Print where the study is seen in MLflow's UI, or for a local store the command that starts it."""
    from mlflow_tune.tracking import ui_command

    if links := study.links:
        console.print("Compare the trials in MLflow:")
        console.print("\n".join(_link_lines(links)))
    else:
        console.print(f"Compare the trials in MLflow by `mlflow-tune ui {study.run_id}`, or start all of its UI:")
        console.print(ui_command(study.client.uri))


def _link_lines(links: Mapping[str, str]) -> list[str]:
    return [f"{name:7}{link}" for name, link in links.items()]


def _progress(console: Console) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[running]} running, {task.fields[failed]} failed  {task.fields[best]}", markup=False),
        TimeRemainingColumn(),
        console=console,
    )


@contextlib.contextmanager
def _warnings_above(console: Console) -> Iterator[None]:
    # Written straight to standard error, a warning would tear the bar.
    logger = logging.getLogger("mlflow_tune")
    handlers, logger.handlers = logger.handlers, [_Above(console, handler.formatter) for handler in logger.handlers]
    try:
        yield
    finally:
        logger.handlers = handlers


class _Above(logging.Handler):
    def __init__(self, console: Console, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self._console, self.formatter = console, formatter

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(self.format(record))
