"""The rules at work on the trials of one study: each trial is judged once at each of its steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mlflow_tune.diagnosis.stopping.base import Course, Peers, Rule, Verdict

MOST_LOOKS = 100  # at one trial: of a curve with thousands of steps every so-and-so-manieth counts


@dataclass(frozen=True)
class Terms:
    """What is safe from rules that are not absolute, in the metric's own steps.

    Nothing is stopped within `after` steps, nor a trial whose best value is among the best `protect` of those that
    reached the same step, nor anything before so many trials (`evidence`) trained to their end. A trial is judged every
    `every` steps.
    """

    after: int = 0
    every: int = 1
    protect: int = 0
    evidence: int = 0


class Watch:
    """Judges the trials of one study as their curves grow. The same courses in the same order get the same verdicts."""

    def __init__(self, rules: Sequence[Rule], terms: Terms, longest: int = 0) -> None:
        """Make one for these rules; of curves with so many steps (`longest`) not more than `MOST_LOOKS` count."""
        self.peers = Peers()
        self.rules = rules
        self.terms = terms
        self.stride = _stride(terms.every, longest)
        self._judged: dict[int, int] = {}
        self._longest = 0

    def verdict(self, course: Course, until: int | None = None) -> Verdict | None:
        """Return the first verdict on the steps that were not judged yet, and note nothing."""
        return next((verdict for _, verdict in self._verdicts(course, until) if verdict is not None), None)

    def follow(self, course: Course, until: int | None = None) -> Verdict | None:
        """Judge a trial at its new steps, up to a stop. From then on the other trials are compared with it."""
        for step, verdict in self._verdicts(course, until):
            self.peers.note(course, step)
            self._judged[course.number] = step
            if verdict is not None:
                return verdict
        return None

    def forget(self, number: int) -> None:
        """Judge the trial from its first step when it runs again; the others stay compared with what it did."""
        self._judged.pop(number, None)

    def finish(self, course: Course) -> None:
        """Take a trial in that has ended, whole or not."""
        if course.complete:
            self.stride = max(self.stride, _stride(self.terms.every, len(course)))
        steps = range(self.stride, len(course) + 1, self.stride)
        for step in steps:
            if step > self._judged.get(course.number, 0):
                self.peers.note(course, step)
        self.forget(course.number)
        if course.complete:
            self._longest = max(self._longest, len(course))
            self.peers.finish(course, steps)

    def _verdicts(self, course: Course, until: int | None) -> Iterator[tuple[int, Verdict | None]]:
        since = self._judged.get(course.number, 0)
        end = len(course) if until is None else until
        for step in range((since // self.stride + 1) * self.stride, end + 1, self.stride):
            yield step, self._judge(course, step, since)
            since = step

    def _judge(self, course: Course, step: int, since: int) -> Verdict | None:
        safe = self._is_safe(course, step)
        for rule in self.rules:
            if (rule.absolute or not safe) and (verdict := rule.judge(course, step, since, self.peers)):
                return verdict.ranked(course, self.peers)
        return None

    def _is_safe(self, course: Course, step: int) -> bool:
        terms = self.terms
        if step <= terms.after or len(self.peers.ended) < terms.evidence:
            return True
        if step == self._longest:  # it has nothing left to train
            return True
        lows = self.peers.lows(step)
        return bool(terms.protect) and (len(lows) < terms.protect or course.lows[step - 1] <= lows[terms.protect - 1])


def _stride(every: int, longest: int) -> int:
    """Return how many steps lie between two looks; a larger one is a multiple of each smaller one."""
    stride = every
    while longest > MOST_LOOKS * stride:
        stride *= 2
    return stride
