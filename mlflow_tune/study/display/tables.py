"""How studies and trials are shown: JSON for programs, tables for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mlflow_tune.diagnosis import diagnosed
from mlflow_tune.report.table import seconds_of
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies.constraint import Constraint
from mlflow_tune.strategies.recommendation import Recommendation
from mlflow_tune.text import (
    number_text,
    one_line,
    param_of,
    point_text,
    seconds_text,
    short,
    table_of,
    trial_label,
)
from mlflow_tune.tracking import Queued, StudyRecord
from mlflow_tune.trial import Trial, ranked

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.table import Table

BEST = 5
_REASON = 120  # characters of a reason in a table
_LEAST = {"diagnosis": 21, "reason": 32}  # the width of a column with its margins, below which words cannot be read


def trial_json(trial: Trial) -> dict[str, Any]:
    """Return a trial as the JSON of `show`; `diagnosis` are the names of what its learning curves show.

    A rerun tells besides which trial's point it tries again, and under which seed.
    """
    names = ("number", "attempt", "outcome", "params", "value", "run_id", "strategy", "why", "reason")
    again: dict[str, Any] = {"replicate": trial.replicate, "seed": trial.seed} if trial.replicate else {}
    again |= {"raised": trial.raised} if trial.raised else {}
    return {**{name: getattr(trial, name) for name in names}, **again, "diagnosis": diagnosed(trial)}


def recommended_json(recommended: Recommendation | None) -> dict[str, Any] | None:
    """Return which trial's parameters to use as JSON: the trial, its mean, the interval of 90 %, and why it is that."""
    if recommended is None:
        return None
    return {
        **trial_json(recommended.trial),
        "mean": recommended.value,
        "interval": recommended.interval,
        "confirmed": recommended.confirmed,
        "said": recommended.why,
    }


def recommended_lines(spec: StudySpec, recommended: Recommendation | None) -> list[str]:
    """Return which trial's parameters to use; nothing where only the best can be named, and that stands there."""
    if recommended is None or not recommended.tells:
        return []
    return [f"recommended: {recommended.sentence(spec.metric)}"]


def study_json(
    record: StudyRecord, spec: StudySpec, trials: Sequence[Trial], waiting: Sequence[Queued] = ()
) -> dict[str, Any]:
    """Return the JSON of `show`, `run`, `resume` and `watch`."""
    best = spec.best(trials)
    return {
        "study": record.name,
        "run_id": record.run_id,
        "experiment_id": record.experiment_id,
        "state": record.state,
        "why_stopped": record.why_stopped,
        "metric": spec.metric,
        "goal": spec.goal,
        "best": trial_json(best) if best else None,
        "recommended": recommended_json(spec.recommended(trials)),
        "trials": [trial_json(trial) for trial in trials],
        "queued": [
            {"params": each.suggestion.params, "run_id": each.run_id, "why": each.suggestion.why} for each in waiting
        ],
    }


class TrialsView:
    """A table of trials: number, outcome, metric, what is seen of the study's constraint, each parameter, time.

    What their curves show and why they failed stands in columns of it, or below where those have no room.
    """

    def __init__(
        self, metric: str, trials: Sequence[Trial], title: str = "", constraint: Constraint | None = None
    ) -> None:
        self._trials = trials
        self._constraint = constraint
        self._title = title
        self._names = list(dict.fromkeys(name for trial in trials for name in trial.trained_with))
        self._again = any(trial.replicate for trial in trials)
        bound = [] if constraint is None else [str(constraint)]
        again = ["rerun of"] if self._again else []
        self._headings = ["trial", *again, "outcome", metric, *bound, *self._names, "time"]
        words = {"diagnosis": [*map(diagnosis_text, trials)], "reason": [*map(_reason_text, trials)]}
        self._words = {name: texts for name, texts in words.items() if any(texts)}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        from rich.text import Text

        bare = self._table({})
        room = options.max_width - console.measure(bare, options=options).maximum
        if room >= sum(_LEAST[name] for name in self._words):
            yield self._table(self._words)
            return
        yield bare
        for index, trial in enumerate(self._trials):
            for texts in self._words.values():
                if texts[index]:
                    yield Text(f"{outcome_text(trial)}: {texts[index]}")

    def _table(self, words: Mapping[str, Sequence[str]]) -> Table:
        rows = [[*self._cells(trial), *more] for trial, *more in zip(self._trials, *words.values(), strict=True)]
        return table_of([*self._headings, *words], rows, [*words], [*words], self._title)

    def _cells(self, trial: Trial) -> list[str]:
        return [
            trial_label(trial.number),
            *([_root_text(trial)] if self._again else []),
            trial.outcome or "running",
            number_text(trial.value),
            *([] if self._constraint is None else [self._constraint.text(trial)]),
            *(param_of(trial.trained_with, name) for name in self._names),
            seconds_text(seconds_of(trial)),
        ]


def best_view(spec: StudySpec, trials: Sequence[Trial]) -> TrialsView | None:
    """Return the table of the best trials of those that meet the study's constraint, None when none has a value."""
    board = ranked(spec.strategy.eligible(trials), spec.goal)[:BEST]
    return TrialsView(spec.metric, board, "The best", spec.strategy.requirement) if board else None


def best_text(spec: StudySpec, trials: Sequence[Trial]) -> str:
    """Return the best value so far and its trial as `best 0.1 (#003)`, empty when there is none.

    Of a search for a boundary it is the answer so far: `answer cut=0.44 (#003)`.
    """
    if spec.strategy.requirement is not None:
        answer = spec.strategy.answer(spec.space, trials)
        return f"answer {point_text(answer.params)} ({trial_label(answer.number)})" if answer else ""
    best = spec.best(trials)
    return f"best {number_text(best.value)} ({trial_label(best.number)})" if best else ""


def outcome_text(trial: Trial) -> str:
    """Return the trial's number and how it ended as `#003 ok`, of a replicate `#009 ok (#003 again, seed 2)`."""
    return f"{trial_label(trial.number)} {trial.outcome or 'running'}{again_text(trial)}"


def again_text(trial: Trial) -> str:
    """Return of a replicate ` (#003 again, seed 2)`; empty for any other trial."""
    return f" ({_root_text(trial, ' again')})" if trial.replicate else ""


def _root_text(trial: Trial, word: str = "") -> str:
    seed = "" if trial.seed is None else f", seed {trial.seed}"
    return f"{trial_label(trial.replicate)}{word}{seed}" if trial.replicate else ""


def found_text(spec: StudySpec, trial: Trial) -> str:
    """Return what a trial found as `loss=0.1`, of one without a value the reason.

    Of a study with a constraint what was seen of it follows: `loss=0.1  recall=0.9 (not met)`.
    """
    constraint = spec.strategy.requirement
    words = [trial.reason if trial.value is None else f"{spec.metric}={number_text(trial.value)}"]
    words += [] if constraint is None else [constraint.named_text(trial)]
    return "  ".join(filter(None, map(one_line, words)))


def state_text(state: str, why_stopped: str) -> str:
    """Return a study's state as `finished (all 4 points are tried)`."""
    return f"{state} ({why_stopped})" if why_stopped else state


def _reason_text(trial: Trial) -> str:
    return short(trial.reason, _REASON)


def diagnosis_text(trial: Trial) -> str:
    """Return the names of what the trial's learning curves show."""
    return ", ".join(diagnosed(trial))
