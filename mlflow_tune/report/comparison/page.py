"""A comparison for people: the self-contained HTML page, and the Markdown note on its run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mlflow_tune.report.comparison.comparison import Comparison, Entrant
from mlflow_tune.report.comparison.table import HEADINGS, cells, rows
from mlflow_tune.report.comparison.words import DEFINITIONS, findings, sentences, target_reason
from mlflow_tune.report.html import filled, is_link, picture
from mlflow_tune.report.note import NOTE_LIMIT, fitting
from mlflow_tune.text import iso_time, markdown, markdown_table, short

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_NAME = 120


def comparison_name(comparison: Comparison) -> str:
    """Return the name of a comparison: `compare: A, B, C`, on one line, cut."""
    return short(f"compare: {', '.join(entrant.name for entrant in comparison.entrants)}", LONGEST_NAME)


def comparison_html(
    comparison: Comparison, figures: Mapping[str, Figure], links: Mapping[str, str], made: int = 0
) -> str:
    """Return the page, in UTF-8 when encoded. All text is escaped; links are those that begin with http(s)://.

    `made` is the time of writing in milliseconds since the epoch.
    """
    contents = {
        "name": ", ".join(short(entrant.name) for entrant in comparison.entrants),
        "made": iso_time(made),
        "sentences": sentences(comparison),
        "target": target_reason(comparison),
        "findings": findings(comparison),
        "links": [(short(name), link) for name, link in links.items() if is_link(link)],
        "headings": HEADINGS,
        "rows": [(member, cells(comparison, group)) for member, group in rows(comparison)],
        "definitions": DEFINITIONS,
        "figures": [picture(figure) for figure in figures.values()],
        "studies": [_study(entrant) for entrant in comparison.entrants],
    }
    return filled("comparison.html", contents)


def comparison_note(comparison: Comparison, links: Mapping[str, str]) -> str:
    """Return the note of a comparison's run, under 8,000 characters: the sentences, the links, then the table.

    MLflow's page clips it after a few lines: the links stand in the second. What does not fit is left out, links of
    very many studies too; the last line says where everything is.
    """
    first, *others = [f"{_within(sentence, 1200)}  " for sentence in sentences(comparison)]
    ways = fitting([f"[{markdown(name)}]({link})" for name, link in links.items()], 1500)
    head = [first, *([f"{' · '.join(ways)}  "] if ways else []), *others, _within(target_reason(comparison), 500), ""]
    told = fitting([f"- {_within(finding, 400)}" for finding in findings(comparison)], 1500)
    head += [*told, *([""] if told else [])]
    table = markdown_table(
        HEADINGS, [[markdown(cell) for cell in cells(comparison, group)] for _, group in rows(comparison)]
    )
    rest = "The whole table is the artifact comparison.csv, the pictures stand in comparison.html."
    kept = fitting(table, NOTE_LIMIT - len("\n".join([*head, "", rest])) - 2)
    return "\n".join([*head, *(kept if len(kept) > 2 else []), "", rest])


def _within(text: str, room: int) -> str:
    """Return the text escaped, cut so that it takes at most `room` characters."""
    longest = room
    while len(shown := markdown(short(text, longest))) > room:
        longest = 3 * longest // 4
    return shown


def _study(entrant: Entrant) -> dict[str, Any]:
    options = ", ".join(f"{key}={option}" for key, option in entrant.options.items() if option is not None)
    return {
        "name": short(entrant.name),
        "run_id": short(entrant.run_id),
        "state": short(entrant.state),
        "seed": "" if entrant.seed is None else str(entrant.seed),
        "options": short(f"{entrant.strategy} ({options})" if options else entrant.strategy),
    }
