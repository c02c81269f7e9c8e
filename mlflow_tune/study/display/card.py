"""A study as a notebook shows it when a cell ends with it: state, best, leaderboard, links, the best so far."""

from __future__ import annotations

from mlflow_tune.errors import TrackingError
from mlflow_tune.report.card import Card, card_html
from mlflow_tune.report.subject import subject_of
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.display.progress import search_words
from mlflow_tune.study.display.tables import BEST
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.tracking import Studies
from mlflow_tune.trial import ranked


def study_card(spec: StudySpec, study: StudyHandle | None) -> str:
    """Return the card of a study as the tracking server holds it now, None for one that has not been run.

    When the server is out of reach, it shows what the last session from here left, and says so.
    """
    if study is None:
        return card_html(Card(spec.name, search_words(spec), spec.metric, note="It has not been run yet."))
    from mlflow_tune.report.figures.progress import best_so_far_figure

    note = ""
    try:
        record, trials = Studies(study.client).get(study.run_id), study.trials
    except TrackingError as error:
        record, trials, note = study.record, list(study.history), f"Not read anew: {error}"
    over = record.state == "finished"
    card = Card(
        name=spec.name,
        what=search_words(spec),
        metric=spec.metric,
        state=record.state,
        why=record.why_stopped,
        links=study.links,
        best=spec.best(trials),
        history=trials,
        listed=ranked(spec.strategy.eligible(trials), spec.goal)[:BEST],
        note=note,
        hint="Go on with it by:",
        command="" if over else study.resume_command,
        figure=best_so_far_figure(subject_of(spec, trials), trials),
    )
    return card_html(card)
