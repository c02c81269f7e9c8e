"""What people see while a study runs: a progress bar on a terminal, else a plain line a trial; then the summary."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlflow_tune.cli.common import print_whole
from mlflow_tune.cli.tables import best_text, best_view, found_text, outcome_text, state_text
from mlflow_tune.report.table import seconds_of
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.study import Study
from mlflow_tune.text import counted, one_line, point_text, seconds_text
from mlflow_tune.tracking import ui_command
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console


@contextlib.contextmanager
def listener_for(console: Console, at_start: Callable[[], None] = lambda: None) -> Iterator[Screen]:
    """Yield the listener that suits the console; `at_start` is called when the study is on the tracking server."""
    if not console.is_terminal:
        yield Lines(console, at_start)
        return
    with _progress(console) as progress, _warnings_above(console):
        yield Bar(progress, at_start)


def start_line(spec: StudySpec) -> str:
    """Return in one line what is searched, how, and how long that may take."""
    most = most_trials(spec)
    how_long = "" if most is None else f", up to {counted(most, 'trial')}"
    return f"{spec.name}: {spec.goal} {spec.metric} by {spec.strategy.name}{how_long}"


def trial_line(spec: StudySpec, trial: Trial, history: Sequence[Trial]) -> str:
    """Return in one line how a trial ended, and the best so far."""
    time = f"({seconds_text(seconds_of(trial))})"
    words = [outcome_text(trial), found_text(spec.metric, trial), point_text(trial.params), time]
    if best := best_text(spec, history):
        words.append(best)
    return "  ".join(map(one_line, words))


def most_trials(spec: StudySpec) -> int | None:
    """Return how many trials the study may take, None when neither budget nor strategy says.

    One that works in rounds tells for one worker alone: with more, it takes fewer rounds and more trials.
    """
    told = spec.workers == 1 or not spec.strategy.in_rounds
    bounds = (spec.stop.trials, spec.strategy.length(spec.space) if told else None)
    return min((bound for bound in bounds if bound is not None), default=None)


class Screen:
    """A listener that tells how to end a study once Ctrl-C was pressed; `ran` are the trials that it saw start."""

    def __init__(self, console: Console, at_start: Callable[[], None] = lambda: None) -> None:
        self.ran: set[int] = set()
        self._console = console
        self._at_start = at_start
        self._told = False

    def began(self, spec: StudySpec, links: Mapping[str, str]) -> None:
        """Print what is searched, how, how long that may take, and where it is seen."""
        self._spec = spec
        self._console.print(start_line(spec))
        _print_link_lines(self._console, links)
        self._at_start()

    def started(self, trial: Trial) -> None:
        """Note that a trial runs: its line comes at the end."""
        self.ran.add(trial.number)

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Print nothing."""

    def stands(self, history: Sequence[Trial], asked: int) -> None:
        """Print once what the first Ctrl-C has done, while trials still run."""
        if asked != 1 or self._told:
            return
        if not (running := sum(trial.running for trial in history)):
            return
        self._told = True
        those, still = ("it", "1 still runs") if running == 1 else ("them", f"{running} still run")
        self._console.print(f"Ctrl-C: no new trial starts; {still}. Press again to kill {those}.")


class Unseen(Screen):
    """Shows nothing but what Ctrl-C does: somebody else shows the trials."""

    def began(self, spec: StudySpec, links: Mapping[str, str]) -> None:
        """Print nothing."""


class Lines(Screen):
    """Prints one plain line for each trial that ends."""

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Print the trial's outcome, its value or reason, its point, and the best so far."""
        self._console.print(trial_line(self._spec, trial, history))


class Bar(Screen):
    """Moves a progress bar: done, running, failed, best so far, time left. Trials that fail have their line above."""

    def __init__(self, progress: Any, at_start: Callable[[], None] = lambda: None) -> None:
        super().__init__(progress.console, at_start)
        self._progress = progress
        self._task: Any = None
        self._running: set[int] = set()

    def started(self, trial: Trial) -> None:
        """Count one more that runs."""
        super().started(trial)
        self._running.add(trial.number)
        self._progress.update(self._task, running=len(self._running))

    def ended(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Count the trial, and show the best so far."""
        self._running.discard(trial.number)
        if trial.value is None:
            self._console.print(trial_line(self._spec, trial, history))
        self._progress.update(self._task, running=len(self._running), **self._counts(history))

    def stands(self, history: Sequence[Trial], asked: int) -> None:
        """Show the bar, once it is known how much is done already."""
        if self._task is None:
            self._task = self._progress.add_task(self._spec.name, running=0, **self._counts(history))
        super().stands(history, asked)

    def _counts(self, history: Sequence[Trial]) -> dict[str, Any]:
        most = most_trials(self._spec)
        done = sum(each.done for each in history)
        return {
            "completed": done,
            "total": None if most is None else max(most, done),
            "failed": sum(each.done and each.value is None for each in history),
            "best": best_text(self._spec, history),
        }


def print_summary(console: Console, study: Study, trials: Sequence[Trial], ran: bool = True) -> None:
    """Print how the study ended, its best five, and last the command that people want next.

    `ran` is whether any trial was started.
    """
    assert study.ending is not None
    console.print(f"\n{study.spec.name} is {state_text(study.ending.state, study.ending.why)}")
    finished = study.ending.state == "finished"
    for line in _remarks(study.spec, trials, ran, study.ending.why) if finished else ():
        console.print(line)
    if (board := best_view(study.spec, trials)) is not None:
        console.print(board)
    if finished or study.links:
        print_links(console, study)
    if not finished:
        _print_resume(console, study)


def nothing_found(trials: Sequence[Trial]) -> bool:
    """Whether there are trials, and none has a value: nothing has been found, whatever the study's state."""
    return bool(trials) and all(trial.value is None for trial in trials)


def no_value_words(metric: str, trials: Sequence[Trial]) -> str:
    """Return in one line that no trial has a value, how many failed, and why the last one did."""
    failed = sorted((trial for trial in trials if trial.done), key=lambda trial: (trial.end_time or 0, trial.number))
    last = one_line(failed[-1].reason) if failed else ""
    return f"no trial has a value of {metric!r}; {len(failed)} failed{f', the last: {last}' if last else ''}"


def _remarks(spec: StudySpec, trials: Sequence[Trial], ran: bool, why: str) -> list[str]:
    """Return what else a person must know of a study that has finished."""
    budget = spec.stop.trials
    failed = sum(trial.outcome in ("failed", "timeout") for trial in trials)
    found = [no_value_words(spec.metric, trials)] if nothing_found(trials) else []
    if not ran and budget is not None and budget <= len(trials):
        found.append(f"nothing to do: the budget of {budget} is used; give --trials +N")
    elif not ran:
        found.append(f"nothing to do: {why}")
    if not ran and failed:
        found.append(f"{failed} failed: --retry-failed runs such trials again")
    return found


def _print_resume(console: Console, study: Study) -> None:
    command = study.resume_command
    aborted = study.ending is not None and study.ending.state == "aborted"
    if aborted and command.startswith("mlflow-tune "):
        console.print(
            "If the study file itself was wrong, mend it and run it under another name (--name): a resume keeps the "
            "definition that is stored."
        )
        console.print("If the code was wrong, mend it, and run the failed trials again by:")
        command += " --retry-failed"
    else:
        console.print("Go on with it by:")
    print_whole(console, command)


def print_links(console: Console, study: Study) -> None:
    """Print where the study is seen in MLflow's UI, or for a local store the command that starts it."""
    if links := study.links:
        console.print("Compare the trials in MLflow:")
        _print_link_lines(console, links)
    else:
        console.print("Compare the trials in MLflow by:")
        print_whole(console, f"mlflow-tune ui {study.run_id}")
        console.print("or start all of its UI by:")
        print_whole(console, ui_command(study.client.uri))


def _print_link_lines(console: Console, links: Mapping[str, str]) -> None:
    for name, link in links.items():
        print_whole(console, f"{name:7}{link}")


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
