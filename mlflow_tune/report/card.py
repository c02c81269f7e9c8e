"""A study as a notebook shows it: a card of HTML that stands alone, in light and in dark. This loads Jinja2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mlflow_tune.report.html import filled, is_link, number, picture
from mlflow_tune.report.table import seconds_of
from mlflow_tune.text import param_of, point_text, printable, seconds_text, short, tally, trial_label
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_COLUMNS = 8


@dataclass(frozen=True)
class Card:
    """What a card says: the study's name, what it searches, how it stands, and the trials that are listed.

    `history` is counted, `listed` are the rows of its table; `most` is the length of the bar, None for no bar. `note`
    stands out. `command` goes on with the study, after the words `hint`.
    """

    name: str
    what: str
    metric: str
    state: str = ""
    why: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    best: Trial | None = None
    history: Sequence[Trial] = ()
    listed: Sequence[Trial] = ()
    most: int | None = None
    note: str = ""
    hint: str = ""
    command: str = ""
    figure: Figure | None = None


def card_html(card: Card) -> str:
    """Return the card, in UTF-8 when encoded. All text is escaped; links are those that begin with http(s)://."""
    names = list(dict.fromkeys(name for trial in card.listed for name in trial.trained_with))[:MOST_COLUMNS]
    done = sum(trial.done for trial in card.history)
    best = card.best
    point = short(point_text(best.trained_with)) if best else ""
    contents: dict[str, Any] = {
        "name": short(card.name),
        "what": short(card.what),
        "metric": short(card.metric),
        "state": short(card.state),
        "why": short(card.why),
        "links": [(short(name), link) for name, link in card.links.items() if is_link(link)],
        "best": best and {"value": number(best.value), "number": best.number, "point": point},
        "done": done,
        "most": card.most,
        "counts": tally(trial.outcome or "running" for trial in card.history),
        "note": short(card.note),
        "headings": ["trial", "outcome", short(card.metric), *map(short, names), "time", ""],
        "rows": [{"cells": _cells(trial, names), "best": trial is card.best} for trial in card.listed],
        "hint": short(card.hint),
        "command": printable(card.command),
        "picture": None if card.figure is None else picture(card.figure),
    }
    return filled("card.html", contents)


def _cells(trial: Trial, names: Sequence[str]) -> list[str]:
    return [
        trial_label(trial.number),
        trial.outcome or "running",
        number(trial.value),
        *(short(param_of(trial.trained_with, name), 60) for name in names),
        seconds_text(seconds_of(trial)),
        short(trial.reason, 120),
    ]
