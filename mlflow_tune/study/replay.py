"""A study's complete curves replayed under the rules that might have stopped its trials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mlflow_tune.diagnosis.stopping import Course, Rule, Terms, course_of
from mlflow_tune.diagnosis.stopping.auto import Choice, choose
from mlflow_tune.diagnosis.stopping.replay import Replay, replay
from mlflow_tune.errors import InputError
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.text import counted

LEAST = 2  # curves, and steps of each: below them nothing can be compared or saved


@dataclass(frozen=True)
class StudyReplay:
    """What rules would have done with a study: `table` has a line a rule, those that keep the best trial first.

    `choice` is what `auto` takes from the whole table; None where a person named the rules.
    """

    table: Sequence[Replay]
    curves: int
    steps: int
    choice: Choice | None = None


def complete_courses(study: StudyHandle) -> list[Course]:
    """Return the curves of the trials that trained to their end, by number; those of one step are none."""
    metric, goal = study.spec.metric, study.spec.goal
    store = study.trial_store
    # Of a trial that was trained on, the curve may begin where that of the attempt before ended.
    trials = [trial.before if trial.raised and trial.before else trial for trial in study.trials]
    ended = [trial for trial in trials if trial.outcome == "ok"]
    found = [course_of(each.number, store.history(each, metric), metric, goal, each.value) for each in ended]
    return [course for course in found if len(course) >= LEAST]


def replay_study(study: StudyHandle, rules: Sequence[Rule], terms: Terms, seed: int = 0) -> StudyReplay:
    """Replay the rules over the study, or without any all that `auto` would choose from.

    Raises InputError when the study has no curves to replay.
    """
    courses = complete_courses(study)
    if len(courses) < LEAST:
        raise InputError(
            f"{counted(len(courses), 'trial')} of the study {study.record.name!r} trained to the end and logged "
            f"{study.spec.metric!r} step by step: a replay needs at least {LEAST}"
        )
    steps = sum(map(len, courses))
    if rules:
        table = [replay(rule, terms, courses, seed, workers=study.spec.workers) for rule in rules]
        return StudyReplay(table, len(courses), steps)
    choice = choose(courses, terms, seed, study.spec.workers)
    return StudyReplay(choice.table, len(courses), steps, choice)
