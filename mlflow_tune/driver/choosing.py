"""The choice of `auto` while a study is driven: made again as curves come, in a thread of its own."""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor

from mlflow_tune.diagnosis.stopping import Course, Rule, Terms
from mlflow_tune.diagnosis.stopping.auto import CONTROLS, EVIDENCE, Choice, choose

logger = logging.getLogger(__name__)
GROWTH = 1.2  # so many times the curves are chosen from anew


class Choosing:
    """Chooses by replay when there are enough complete curves, and again when there are a fifth more."""

    def __init__(self, terms: Terms, workers: int) -> None:
        self._terms = terms
        self._workers = workers
        self._courses: list[Course] = []
        self._weights: list[float] = []
        self._known = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="mlflow-tune-auto")
        self._pending: Future[Choice] | None = None
        self._choice = choose([], terms)

    @property
    def words(self) -> list[str]:
        """What is chosen and why, and what the controls have shown; nothing before the first choice."""
        return [self._choice.why, *self._controls()] if self._choice.table else []

    @property
    def why(self) -> str:
        """Why the rule was chosen, or why none was."""
        if self._choice.table:
            return self._choice.why
        few = len(self._courses) < EVIDENCE
        return choose(self._courses, self._terms).why if few else "auto: a rule is being chosen"

    def add(self, course: Course, control: bool) -> None:
        """Take in a complete curve; a control stands for the trials that were stopped, too."""
        self._courses.append(course)
        self._weights.append(CONTROLS if control else 1.0)

    def news(self) -> tuple[Rule | None, Terms] | None:
        """Return the rule and its terms when the choice was made anew, None as long as it stands."""
        if self._pending is not None and self._pending.done():
            self._choice = self._pending.result()
            self._pending = None
            logger.info("%s", self._choice.why)
            chosen = self._choice.chosen
            return (chosen.rule, chosen.terms) if chosen else (None, self._terms)
        if self._pending is None and len(self._courses) >= max(EVIDENCE, GROWTH * self._known):
            self._known = len(self._courses)
            courses, weights = [*self._courses], [*self._weights]
            self._pending = self._thread.submit(choose, courses, self._terms, 0, self._workers, weights)
        return None

    def _controls(self) -> list[str]:
        ran_on = [course for course, weight in zip(self._courses, self._weights, strict=True) if weight > 1]
        if not ran_on:
            return []
        best = min(course.end for course in self._courses)
        lost = sum(course.end == best for course in ran_on)
        return [f"auto: of {len(ran_on)} trials that it would have stopped and let run on, {lost} became the best"]

    def close(self) -> None:
        """Leave the thread to itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)
