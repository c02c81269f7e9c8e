"""What the parent run shows while its study is driven: the curve, the note, the state; paced in time."""

from __future__ import annotations

import itertools
import logging
import math
import time
from collections.abc import Callable, Sequence

from mlflow_tune.diagnosis import diagnosed
from mlflow_tune.driver.reporter import Reporter
from mlflow_tune.report.answer import answer_lines
from mlflow_tune.report.curve import best_curve, count_curves, new_points
from mlflow_tune.report.note import Standing, study_note
from mlflow_tune.settings import reports_wanted
from mlflow_tune.space import Space
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies import Strategy
from mlflow_tune.tracking import Studies, StudyRecord, StudyState, first_line, is_local, study_links
from mlflow_tune.trial import Trial

logger = logging.getLogger(__name__)
NOTE_INTERVAL = 15.0
CURVE_INTERVAL = 5.0


class Publisher:
    """Brings one parent run up to date; files go through `keep`, those of the trials too."""

    def __init__(
        self, studies: Studies, spec: StudySpec, reporter: Reporter, resume_command: str, keep: Keeper
    ) -> None:
        self.keep = keep
        self._studies = studies
        self._spec = spec
        self._reporter = reporter
        self._resume = resume_command
        self._run_id = reporter.record.run_id
        self._links = study_links("", reporter.record)
        self._pictured: set[int] = set()
        self._drawn: dict[str, tuple[int, float]] | None = None  # step and value of the last point of each curve
        self._told: set[str] = set()
        self.of_stopping: Callable[[], Sequence[str]] = lambda: ()  # what is to be known of the rule that stops trials
        self._next_note = self._next_curve = 0.0
        self._owed: list[tuple[str, Callable[[], None]]] = []

    def owe(self, what: str, write: Callable[[], None]) -> None:
        """Keep a file for which the first trial need not wait: it is written at the next pulse, or at the end."""
        self._owed.append((what, write))

    def _pay(self) -> None:
        while self._owed:
            self.keep(*self._owed.pop(0))

    def pulse(self, history: Sequence[Trial]) -> None:
        """Write what has changed, not more often than a person would look."""
        self._pay()
        if time.monotonic() >= self._next_curve:
            self._draw(history)
            self._tell(self._findings(history))
            if reports_wanted():
                self.keep("the pictures", lambda: self._reporter.images(history, self._pictured))
            self._next_curve = time.monotonic() + CURVE_INTERVAL
        if time.monotonic() >= self._next_note:
            note = self._note(history, self._standing(history))
            self._studies.update(self._run_id, {"mlflow.note.content": note, **self._why()})
            self._next_note = time.monotonic() + NOTE_INTERVAL

    def parent(self) -> StudyRecord:
        """Return the study as others have left it: asked to stop, with news of its queue."""
        return self._studies.get(self._run_id)

    def report(self, history: Sequence[Trial], state: str, why: str) -> None:
        """Log every picture, the table and the HTML report, whether or not studies are to end with them."""
        self._reporter.write(history, self._standing(history, state, why))

    def refresh(self, history: Sequence[Trial], state: str, why: str) -> None:
        """Write the curve and the note of a study that nobody drives."""
        self._draw(history)
        note = self._note(history, self._standing(history, state, why))
        self._studies.update(self._run_id, {"mlflow.note.content": note})

    def close(self, history: Sequence[Trial], state: StudyState, why: str, as_asked: bool = False) -> None:
        """Write the study's state and the run's status, after all that people look at; see `Ending`."""
        self._pay()
        self._draw(history)
        standing = self._standing(history, state, why)
        self._tell(standing.findings)
        if reports_wanted() and history:
            self.keep("the report", lambda: self._reporter.write(history, standing))
            self.keep("the comparison", lambda: self._reporter.save_view(history))
        tags = {"mlflow.note.content": self._note(history, standing), "tune.why_stopped": why, **self._why()}
        self._studies.update(self._run_id, tags, state, as_asked)

    def _draw(self, history: Sequence[Trial]) -> None:
        curves = {f"best_{self._spec.metric}": best_curve(self._spec.strategy.eligible(history), self._spec.goal)}
        curves |= bracket_curves(self._spec.strategy, self._spec.space, history)
        curves |= count_curves(history)
        if self._drawn is None:
            # What an earlier session drew stays: a trial that failed then and ran again would bend the curve back.
            held = self._studies.get(self._run_id)
            self._drawn = {key: (step, held.figures[key]) for key, step in held.curves.items()}
        new = {key: new_points(points, *self._drawn.get(key, (0, math.nan))) for key, points in curves.items()}
        self._studies.log_curves(self._run_id, new)
        self._drawn |= {key: points[-1][:2] for key, points in new.items() if points}

    def _tell(self, findings: Sequence[str]) -> None:
        for finding in findings:
            if finding not in self._told:
                logger.warning("%s", finding)
                self._told.add(finding)

    def _findings(self, history: Sequence[Trial]) -> list[str]:
        return [*self._spec.strategy.findings(self._spec.space, history), *self.of_stopping()]

    def _why(self) -> dict[str, str]:
        """Return the tag that tells which rule stops trials and why it was chosen, none where nobody had to choose."""
        return {"tune.why": " ".join(words)} if (words := self.of_stopping()) else {}

    def _standing(self, history: Sequence[Trial], state: str = "running", why: str = "") -> Standing:
        spec = self._spec
        findings = tuple(self._findings(history))
        diagnoses = {trial.number: diagnosed(trial) for trial in history if trial.diagnosis}
        local = is_local(self._reporter.artifacts.client.uri)
        answer = answer_lines(spec, history)
        used = "" if state == "running" else self._recommended(history)
        links = self._links
        return Standing(
            state, why, spec.metric, spec.goal, links, self._resume, findings, diagnoses, local, answer, used
        )

    def _recommended(self, history: Sequence[Trial]) -> str:
        """Return which trial's parameters to use, where there is more to say than which is the best."""
        try:
            found = self._spec.recommended(history)
        except Exception as error:  # whatever a library makes of odd values: the study's end is worth more
            logger.warning("what to recommend cannot be told: %s: %s", type(error).__name__, first_line(error))
            return ""
        return found.sentence(self._spec.metric) if found is not None and found.tells else ""

    def _note(self, history: Sequence[Trial], standing: Standing) -> str:
        return study_note(standing, self._spec.strategy.eligible(history))


class Keeper:
    """Writes the files of one study, and warns once when that fails: an artifact store that is full stays full."""

    def __init__(self) -> None:
        self._failed = False

    def __call__(self, what: str, write: Callable[[], None]) -> None:
        """Write what people look at, or say why it could not be: the study's results are worth more."""
        level = logging.INFO if self._failed else logging.WARNING
        note = "" if self._failed else "; the study goes on and its results are safe (-v tells what else fails)"
        self._failed |= not kept(what, write, level, note)


def kept(what: str, write: Callable[[], None], level: int = logging.WARNING, note: str = "") -> bool:
    """Write what people look at and return True; when it cannot be written say why, with a note, and return False."""
    try:
        write()
    except Exception as error:  # whatever drawing or an artifact store raises
        cause = f"{type(error).__name__}: {first_line(error)}"
        logger.log(level, "%s could not be written: %s%s", what, cause, note)
        return False
    return True


def bracket_curves(
    strategy: Strategy, space: Space, history: Sequence[Trial]
) -> dict[str, list[tuple[int, float, int]]]:
    """Return the bracket after each trial as metric points of the parent: (trial number, bound, time in ms).

    They stop before the first unfinished trial, so that no point ever changes. Without a bracket there are none.
    """
    ordered = sorted(history, key=lambda trial: trial.number)
    done = list(itertools.takewhile(lambda trial: trial.done, ordered))
    if strategy.bracket(space, done) is None:
        return {}
    curves: dict[str, list[tuple[int, float, int]]] = {"bracket_low": [], "bracket_high": []}
    for index, trial in enumerate(done, start=1):
        bracket = strategy.bracket(space, done[:index])
        for key, bound in zip(curves, bracket or (), strict=False):
            curves[key].append((trial.number, bound, trial.end_time or 0))
    return curves
