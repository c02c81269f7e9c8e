"""The HTML report: one self-contained page for a colleague who has no access to the tracking server.

It has no outside resource and no script but that of its charts, and says so to the browser. Importing this loads
Jinja2, not matplotlib.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlflow_tune.report.html import filled, in_columns, is_link, number, picture
from mlflow_tune.report.live import Live, live
from mlflow_tune.report.note import Standing, times
from mlflow_tune.report.subject import Subject
from mlflow_tune.report.table import seconds_of
from mlflow_tune.space import Choice, Dimension, Int, Ordinal, Space
from mlflow_tune.strategies import Constraint
from mlflow_tune.text import (
    counted,
    iso_time,
    param_of,
    plural,
    printable,
    seconds_text,
    short,
    some_of,
    tally,
    value_text,
)
from mlflow_tune.trial import Params, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEADERS = 10
DIGITS = 6
MOST_ROWS = 1000
MOST_COLUMNS = 20
MOST_REASONS = 20
MOST_VALUES = 50
_MARKS = {
    "failed": "failed",
    "timeout": "failed",
    "not-finite": "failed",
    "pruned": "stopped",
    "interrupted": "stopped",
}
LIVE = "parallel_coordinates"  # the figure that charts replace
REPEATED = 3  # times: what so many rows of a table would say is said once, above it


@dataclass(frozen=True)
class Page:
    """What the report says besides trials and pictures.

    `strategy` and `budget` are options by name, as the study file gives them. `facts` are further lines by name (what
    is run, tracking server, experiment, commit), in the order in which they are shown. `made` is the time of writing
    in milliseconds since the epoch. `constraint` is the study's, and `unmet` are the trials, by number, that break it.
    """

    name: str
    standing: Standing
    space: Space
    strategy: Mapping[str, object]
    budget: Mapping[str, object]
    facts: Mapping[str, str] = field(default_factory=dict)
    unmet: frozenset[int] = frozenset()
    constraint: Constraint | None = None
    made: int = 0


def report_html(
    page: Page, trials: Sequence[Trial], figures: Mapping[str, Figure], charts: Mapping[str, Any] | None = None
) -> str:
    """Return the page, in UTF-8 when encoded. All text is escaped; links are those that begin with http(s)://.

    `charts`, which BokehJS embeds, take the place of the figure of parallel coordinates where scripts run.
    """
    drawn: Live | None = live(charts) if charts and LIVE in figures else None
    return filled("report.html", {**_contents(page, trials, figures), "live": drawn})


def _contents(page: Page, trials: Sequence[Trial], figures: Mapping[str, Figure]) -> dict[str, Any]:
    standing = page.standing
    subject = Subject(standing.metric, standing.goal, page.space, page.unmet)
    ordered = sorted(trials, key=lambda trial: trial.number)
    best = subject.best(ordered)
    return {
        "name": short(page.name),
        "metric": short(standing.metric),
        "sense": subject.sense,
        "best": best and {"value": number(best.value), "trial": best.number, "point": _point(best.trained_with)},
        "recommended": short(standing.recommended, 400),
        "answer": [short(line) for line in standing.answer],
        "constraint": "" if page.constraint is None else short(page.constraint),
        "state": short(standing.state),
        "why": short(standing.why),
        "counts": _counts(ordered),
        "links": [(short(name), link) for name, link in standing.links.items() if is_link(link)],
        "space": [(short(name), *_described(dimension)) for name, dimension in page.space.items()],
        "strategy": _options(page.strategy),
        "budget": _options(page.budget),
        "facts": [(short(name), short(fact)) for name, fact in page.facts.items()],
        "figures": in_columns([{**picture(figure), "name": name} for name, figure in figures.items()]),
        "columns": [short(name) for name in list(page.space)[:MOST_COLUMNS]],
        "diagnosed": any(page.standing.diagnoses.values()),
        "columns_left_out": max(len(page.space) - MOST_COLUMNS, 0),
        "leaders": _told_once([_row(trial, page) for trial in subject.ranked(ordered)[:LEADERS]]),
        "trials": _told_once([_row(trial, page) for trial in ordered[-MOST_ROWS:]]),
        "rows_left_out": max(len(ordered) - MOST_ROWS, 0),
        "failures": _failures(ordered),
        "stopped": _stopped(ordered),
        "resume": printable(standing.resume),
        "local": standing.local,
        "made": iso_time(page.made),
    }


def _point(params: Params) -> list[tuple[str, str]]:
    return [(short(name), _value(params, name)) for name in params]


def _value(params: Params, name: str) -> str:
    return short(param_of(params, name, DIGITS))


def _counts(trials: Sequence[Trial]) -> str:
    listed = tally(trial.outcome or "running" for trial in trials)
    return f"{counted(len(trials), 'trial')}{f': {listed}' if listed else ''}"


def _options(options: Mapping[str, object]) -> list[tuple[str, str]]:
    return [(short(key), short(value)) for key, value in options.items() if value is not None]


def _described(dimension: Dimension) -> tuple[str, str, str]:
    """Return a parameter's kind, its range and its default in words."""
    default = "" if dimension.default is None else number(dimension.default)
    if isinstance(dimension, Choice):
        kind = "in this order, one of" if isinstance(dimension, Ordinal) else "one of"
        return kind, some_of([short(value_text(value), 60) for value in dimension.values], MOST_VALUES), default
    kind = "whole number" if isinstance(dimension, Int) else "real number"
    whole = isinstance(dimension, Int) and dimension.step == 1
    steps = "" if dimension.step is None or whole else f", in steps of {number(dimension.step)}"
    scale = ", log scale" if dimension.log else ""
    return kind, f"{number(dimension.low)} to {number(dimension.high)}{steps}{scale}", default


def _row(trial: Trial, page: Page) -> dict[str, Any]:
    return {
        "number": trial.number,
        "outcome": trial.outcome or "running",
        "value": number(trial.value),
        "seen": "" if page.constraint is None else page.constraint.text(trial),
        "mark": "unmet" if trial.number in page.unmet else _MARKS.get(str(trial.outcome), ""),
        "diagnosis": ", ".join(page.standing.diagnoses.get(trial.number, ())),
        "values": [_value(trial.trained_with, name) for name in list(page.space)[:MOST_COLUMNS]],
        "seconds": seconds_text(seconds_of(trial), unit=""),
        "words": short(trial.reason if trial.done and trial.value is None else trial.why),
    }


def _told_once(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the rows, and the sentence that many of them would repeat, which is taken out of them; "" for none."""
    said = Counter(row["words"] for row in rows if row["words"])
    words, count = next(iter(said.most_common(1)), ("", 0))
    common = words if count >= REPEATED else ""
    return {
        "rows": [{**row, "words": "" if row["words"] == common else row["words"]} for row in rows],
        "common": common,
        "told": bool(said.keys() - {common}),
    }


def _failures(trials: Sequence[Trial]) -> list[tuple[str, str, str]]:
    """Return how often, how and why trials ended without a value, the commonest first; none that a rule stopped."""
    failed = [trial for trial in trials if trial.done and trial.value is None and trial.outcome != "pruned"]
    reasons = Counter((str(trial.outcome), short(trial.reason)) for trial in failed)
    return [(times(count), outcome, reason) for (outcome, reason), count in reasons.most_common(MOST_REASONS)]


def _stopped(trials: Sequence[Trial]) -> str:
    """Return in words which trials a rule has stopped; "" for none."""
    stopped = [trial.number for trial in trials if trial.outcome == "pruned"]
    return f"{plural('trial', len(stopped))} {some_of(stopped, MOST_VALUES)}" if stopped else ""
