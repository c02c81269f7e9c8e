"""The Markdown note on the parent run: what the study found, how it stands, how to go on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from mlflow_tune.text import (
    counted,
    markdown,
    markdown_table,
    number_text,
    param_of,
    param_text,
    plural,
    short,
    some_of,
    tally,
)
from mlflow_tune.trial import Goal, Params, Trial, best_trial, ranked

NOTE_LIMIT = 7999
ROWS = 10
COLUMNS = 8
REASONS = 5
RUNNING = 10
LOADED = 100  # runs that MLflow's page loads at once; the view sorts by the metric


@dataclass(frozen=True)
class Standing:
    """How a study stands: its state, why it stopped, where it is seen (links by name), the command that resumes it.

    `findings` are sentences that a reader should know, such as what speaks against the strategy's assumption,
    `diagnoses` the names of what the learning curves of a trial show, by its number; `local` is whether its store is a
    file, `answer` what a search for a point has come to, and its bracket, `recommended` which trial's parameters to
    use, where that is known.
    """

    state: str
    why: str
    metric: str
    goal: Goal
    links: Mapping[str, str]
    resume: str
    findings: Sequence[str] = ()
    diagnoses: Mapping[int, Sequence[str]] = field(default_factory=dict)
    local: bool = False
    answer: Sequence[str] = ()
    recommended: str = ""


def study_note(study: Standing, trials: Sequence[Trial]) -> str:
    """Return the note, under 8,000 characters; its first lines survive the clipping on MLflow's run page.

    What does not fit is left out from the bottom: the headline, the links and the command that resumes always stay.
    """
    # One paragraph of hard line breaks: MLflow's page shows four lines before "show more", and the last two fade out.
    answer = [inline("; ".join(study.answer), 500) + "  "] if study.answer else []
    recommended = [f"Recommended: {inline(study.recommended, 400)}  "] if study.recommended else []
    head = [_headline(study, trials) + "  ", *answer, _links(study.links) + "  ", *recommended]
    head += [_state(study, trials), ""]
    head += [line for finding in study.findings[:5] for line in (f"**Note:** {markdown(finding)[:500]}", "")]
    # Within an indented block Markdown shows text as it is: entities would be copied with the command.
    where = "on the machine that holds the store" if study.local else "from any machine with the tracking URI"
    tail = [f"Resume it {where}:", "", f"    {short(study.resume, 1500)}"]
    room = NOTE_LIMIT - len("\n".join([*head, *tail])) - 3
    table = fitting(_leaderboard(study.metric, study.goal, trials), room)
    below = [*_running(trials), *_reasons(trials), *_diagnoses(study.diagnoses)]
    listed = fitting(below, room - len("\n".join(table)) - 2)
    return "\n".join([*head, *table, *([""] if table else []), *listed, *([""] if listed else []), *tail])


def point(params: Params) -> str:
    """Return a point as `lr=0.0031, units=64`, escaped, with as many parameters as a line bears."""
    words = [f"{inline(name)}={inline(param_of(params, name))}" for name in params]
    kept = fitting(words, 1000)
    return ", ".join([*kept, *(["…"] if len(kept) < len(words) else [])])


def _headline(study: Standing, trials: Sequence[Trial]) -> str:
    best = best_trial(trials, study.goal)
    if best is None:
        return "No trial has a value yet."
    return (
        f"Best {inline(study.metric)}: **{number_text(best.value)}** (trial {best.number}: {point(best.trained_with)})"
    )


def _links(links: Mapping[str, str]) -> str:
    return "Compare the trials: " + " · ".join(fitting([f"[{name}]({link})" for name, link in links.items()], 2500))


def _state(study: Standing, trials: Sequence[Trial]) -> str:
    listed = tally(str(trial.outcome or "running") for trial in trials) or "none"
    why = f": {inline(study.why, 300)}" if study.why else ""
    drawn = f"; MLflow's page loads the best {LOADED} of them" if len(trials) > LOADED else ""
    return f"**{study.state}**{why} ({counted(len(trials), 'trial')}: {listed}{drawn})"


def _leaderboard(metric: str, goal: Goal, trials: Sequence[Trial]) -> list[str]:
    """Return the table of the best trials: a heading, a rule, a row a trial."""
    best = ranked(trials, goal)[:ROWS]
    names = list(best[0].trained_with)[:COLUMNS] if best else []
    rows = [
        [str(each.number), number_text(each.value), *(_cell(each.trained_with, name) for name in names)]
        for each in best
    ]
    heading = ["trial", inline(metric), *map(inline, names)]
    return markdown_table(heading, rows) if rows else []


def _cell(params: Params, name: str) -> str:
    return inline(param_of(params, name) if name in params else None)


def _running(trials: Sequence[Trial]) -> list[str]:
    running = [trial for trial in trials if trial.running]
    more = [f"- and {len(running) - RUNNING} more are running"] if len(running) > RUNNING else []
    return [f"- running: trial {trial.number}, {point(trial.trained_with)}" for trial in running[:RUNNING]] + more


def _reasons(trials: Sequence[Trial]) -> list[str]:
    """Return how and why trials have no value, the commonest first, and why the latest ones were stopped."""
    ended = [trial for trial in trials if trial.done and trial.outcome not in ("ok", "pruned")]
    reasons = Counter((str(trial.outcome), trial.reason) for trial in ended)
    failed = [
        f"- {outcome} {times(count)}: {inline(reason, 200)}"
        for (outcome, reason), count in reasons.most_common(REASONS)
    ]
    pruned = [trial for trial in trials if trial.outcome == "pruned"]
    return failed + [f"- stopped: trial {trial.number}, {inline(trial.reason, 200)}" for trial in pruned[-REASONS:]]


def _diagnoses(diagnoses: Mapping[int, Sequence[str]]) -> list[str]:
    """Return what the learning curves show, the commonest first, with the trials."""
    trials: dict[str, list[int]] = {}
    for number, names in sorted(diagnoses.items()):
        for name in names:
            trials.setdefault(name, []).append(number)
    ordered = sorted(trials.items(), key=lambda found: -len(found[1]))
    return [f"- {inline(name)}: {plural('trial', len(found))} {some_of(found, COLUMNS)}" for name, found in ordered]


def times(count: int) -> str:
    """Return how often something came in words: `once`, `3 times`."""
    return "once" if count == 1 else f"{count} times"


def fitting(lines: Sequence[str], room: int) -> list[str]:
    """Return the first lines, as many as fit into `room` characters with one between each two."""
    ends: Iterable[int] = accumulate(len(line) + 1 for line in lines)
    return [line for line, end in zip(lines, ends, strict=True) if end - 1 <= room]


def inline(value: object, longest: int = 60) -> str:
    """Return a value as Markdown shows it, cut to `longest` characters before it is escaped."""
    return markdown(short("None" if value is None else param_text(value), longest))
