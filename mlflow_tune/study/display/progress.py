"""What people see while a study runs: a progress bar on a terminal, else a plain line a trial."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlflow_tune.driver.callbacks import Callback
from mlflow_tune.report.table import seconds_of
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.display.summary import print_pointer
from mlflow_tune.study.display.tables import best_text, found_text, outcome_text
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.text import counted, point_text, seconds_text, short
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console

NAME = 16  # characters of a study's name beside its bar: the line above has it whole


@contextlib.contextmanager
def screen_for(
    console: Console, study: Callable[[], StudyHandle], at_start: Callable[[], None] = lambda: None
) -> Iterator[Screen]:
    """Yield the callback that suits the console.

    When the study is on the tracking server, `study` is asked for it, and then `at_start` is called.
    """
    if not console.is_terminal:
        yield Lines(console, study, at_start)
        return
    with _progress(console) as progress, _warnings_above(console):
        yield Bar(progress, study, at_start)


def start_line(spec: StudySpec) -> str:
    """Return in one line which study it is, what is searched, how, and how long that may take."""
    return f"{spec.name}: {search_words(spec)}"


def search_words(spec: StudySpec) -> str:
    """Return in one line what is searched, how, and how long that may take."""
    most = most_trials(spec)
    how_long = "" if most is None else f", up to {counted(most, 'trial')}"
    return f"{spec.goal} {spec.metric} by {spec.strategy.name}{how_long}"


def trial_line(spec: StudySpec, trial: Trial, history: Sequence[Trial]) -> str:
    """Return in one line how a trial ended, and the best so far."""
    time = f"({seconds_text(seconds_of(trial))})"
    words = [
        outcome_text(trial),
        found_text(spec, trial),
        point_text(trial.trained_with),
        time,
        best_text(spec, history),
    ]
    return "  ".join(filter(None, words))


def most_trials(spec: StudySpec) -> int | None:
    """Return how many trials the study may take, None when neither budget nor strategy says.

    One that works in rounds tells for one worker alone: with more, it takes fewer rounds and more trials.
    """
    told = spec.workers == 1 or not spec.strategy.in_rounds
    bounds = (spec.stop.trials, spec.strategy.length(spec.space) if told else None)
    return min((bound for bound in bounds if bound is not None), default=None)


class Screen(Callback):
    """Tells how to end a study once Ctrl-C was pressed; `ran` are the trials that it saw start."""

    def __init__(
        self, console: Console, study: Callable[[], StudyHandle], at_start: Callable[[], None] = lambda: None
    ) -> None:
        self.ran: set[int] = set()
        self._console = console
        self._study = study
        self._at_start = at_start

    def on_study_start(self, spec: StudySpec, links: Mapping[str, str], history: Sequence[Trial]) -> None:  # noqa: ARG002
        """Print what is searched, how, how long that may take, and where it is seen."""
        self._spec = spec
        self._console.print(start_line(spec))
        print_pointer(self._console, self._study(), links)
        self._at_start()

    def on_trial_start(self, trial: Trial) -> None:
        """Note that a trial runs: its line comes at the end."""
        self.ran.add(trial.number)

    def on_interrupt(self, running: Sequence[Trial]) -> None:
        """Print what the first Ctrl-C has done."""
        those, still = ("it", "1 still runs") if len(running) == 1 else ("them", f"{len(running)} still run")
        self._console.print(f"Ctrl-C: no new trial starts; {still}. Press again to kill {those}.")

    def on_report_start(self) -> None:
        """Print what takes its time now."""
        self._console.print("Drawing the report...")


class Unseen(Screen):
    """Shows nothing but what Ctrl-C does: somebody else shows the trials."""

    def on_study_start(self, spec: StudySpec, links: Mapping[str, str], history: Sequence[Trial]) -> None:
        """Print nothing."""


class Lines(Screen):
    """Prints one plain line for each trial that ends."""

    def on_trial_end(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Print the trial's outcome, its value or reason, its point, and the best so far."""
        self._console.print(trial_line(self._spec, trial, history))


class Bar(Screen):
    """Moves a progress bar: done, running, failed, best so far, time left. Trials that fail have their line above.

    Those that a rule stops are counted apart, and have none.
    """

    def __init__(
        self, progress: Any, study: Callable[[], StudyHandle], at_start: Callable[[], None] = lambda: None
    ) -> None:
        super().__init__(progress.console, study, at_start)
        self._progress = progress
        self._running: set[int] = set()

    def on_study_start(self, spec: StudySpec, links: Mapping[str, str], history: Sequence[Trial]) -> None:
        """Show the bar, which begins with what is done already."""
        super().on_study_start(spec, links, history)
        self._task = self._progress.add_task(short(spec.name, NAME), running=0, **self._counts(history))

    def on_trial_start(self, trial: Trial) -> None:
        """Count one more that runs."""
        super().on_trial_start(trial)
        self._running.add(trial.number)
        self._progress.update(self._task, running=len(self._running))

    def on_trial_end(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Count the trial, and show the best so far."""
        self._running.discard(trial.number)
        if trial.value is None and trial.outcome != "pruned":
            self._console.print(trial_line(self._spec, trial, history))
        self._progress.update(self._task, running=len(self._running), **self._counts(history))

    def _counts(self, history: Sequence[Trial]) -> dict[str, Any]:
        most = most_trials(self._spec)
        done = sum(each.done for each in history)
        stopped = sum(each.outcome == "pruned" for each in history)
        failed = sum(each.done and each.value is None for each in history) - stopped
        return {
            "completed": done,
            "total": None if most is None else max(most, done),
            "without": f"{failed} failed" + (f", {stopped} stopped" if stopped else ""),
            "best": best_text(self._spec, history),
        }


def _progress(console: Console) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[running]} running, {task.fields[without]}  {task.fields[best]}", markup=False),
        TimeRemainingColumn(),
        console=console,
    )


@contextlib.contextmanager
def _warnings_above(console: Console) -> Iterator[None]:
    # Written straight to standard error, a warning would tear the bar.
    logger = logging.getLogger("mlflow_tune")
    handlers = logger.handlers
    logger.handlers = [_Above(console, handler.formatter) for handler in handlers]
    try:
        yield
    finally:
        logger.handlers = handlers


class _Above(logging.Handler):
    def __init__(self, console: Console, formatter: logging.Formatter | None) -> None:
        super().__init__()
        self._console = console
        self.formatter = formatter

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(self.format(record))
