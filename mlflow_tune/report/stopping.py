"""The curves by which a study stops its trials, and what that has saved, read from what stands with each trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median_low

from mlflow_tune.diagnosis.stopping import Course
from mlflow_tune.diagnosis.stopping.recorded import bar_from_json, course_from_json
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.trial import Trial


@dataclass(frozen=True)
class Stopping:
    """What a study that may stop trials knows of their curves, by trial number.

    `bars` are those of the stopped ones: the step at which a trial was judged, and the value that it should have had.
    """

    courses: Mapping[int, Course]
    stopped: frozenset[int]
    bars: Mapping[int, tuple[int, float]]

    @property
    def usual(self) -> int:
        """The steps of a trial that nobody stops: the median of those that trained to their end, 0 without any."""
        lengths = [len(course) for course in self.courses.values() if course.complete]
        return median_low(lengths) if lengths else 0

    @property
    def used(self) -> Mapping[int, int]:
        """The steps that each trial has trained."""
        return {number: len(course) for number, course in self.courses.items()}

    @property
    def saved(self) -> Mapping[int, int]:
        """The steps that each stopped trial would have trained besides, had it gone on like those that ended."""
        return {number: max(self.usual - len(self.courses[number]), 0) for number in self.stopped & self.courses.keys()}


def stopping_of(spec: StudySpec, history: Sequence[Trial]) -> Stopping | None:
    """Return what is known of the curves, None for a study that stops no trials."""
    if spec.stop_trials is None:
        return None
    metric, goal = spec.stop_trials.watched(spec.metric, spec.goal)
    courses: dict[int, Course] = {}
    for trial in sorted(history, key=lambda trial: trial.number):
        if course := course_from_json(trial.curve, trial.number, metric, goal, trial.value):
            courses[trial.number] = course
    bars = {trial.number: bar_from_json(trial.curve) for trial in history if trial.number in courses}
    stopped = frozenset(trial.number for trial in history if trial.outcome == "pruned")
    return Stopping(courses, stopped, {number: bar for number, bar in bars.items() if bar and number in stopped})
