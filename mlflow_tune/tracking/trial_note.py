"""The description on a trial's page in MLflow: its number, why it was chosen, what came of it, the way back.

It goes with requests that are made anyway: with the run when that is made, and with the outcome at its end.
"""

from __future__ import annotations

import json
from contextlib import suppress

from mlflow_tune.text import markdown, number_text, point_text, short
from mlflow_tune.tracking.studies import StudyRecord
from mlflow_tune.tracking.ui import run_link
from mlflow_tune.trial import Trial

LONGEST = 600  # characters of a sentence, before they are escaped


def nothing_seen(_: Trial) -> str:
    """Return what a trial shows of the constraint of a study that has none."""
    return ""


def trial_note(study: StudyRecord, trial: Trial, seen: str = "") -> str:
    """Return the Markdown of a trial as far as it is known: one that runs has no outcome yet.

    `seen` is what it shows of the study's constraint, "" without one.
    """
    again = f", attempt {trial.attempt}" if trial.attempt > 1 else ""
    link = f"[{_inline(study.name, 100)}]({run_link(study.experiment_id, study.run_id)})"
    lines = [f"**Trial {trial.number}**{again} of the study {link}.  "]
    if trial.outcome is not None:
        lines.append(f"{_came_of_it(study, trial)}{f', {_inline(seen)}' if seen else ''}.  ")
    if trial.raised:
        lines.append(f"Trained on, to {_inline(point_text(trial.raised))}.  ")
    lines.append(f"Chosen by {_inline(trial.strategy, 60)}: {_inline(trial.why)}.  ")
    lines += [f"Its learning curve: {_inline(text)}" for text in _diagnosis(trial.diagnosis)]
    return "\n".join(lines)


def _came_of_it(study: StudyRecord, trial: Trial) -> str:
    if trial.value is not None:
        metric = _inline(study.definition.get("metric", "objective"), 60)
        return f"It came to {metric} **{number_text(trial.value)}**"
    return f"It ended **{trial.outcome}**" + (f": {_inline(trial.reason)}" if trial.reason else "")


def _diagnosis(text: str) -> list[str]:
    """Return the sentences of a diagnosis; none of what is not of its form, for the server may hold anything."""
    with suppress(ValueError, TypeError, KeyError, RecursionError):
        return [str(finding["text"]) for finding in json.loads(text)][:3]
    return []


def _inline(text: object, longest: int = LONGEST) -> str:
    return markdown(short(text, longest))
