"""A study in a notebook: a table with a bar that is drawn again in place while the study runs."""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mlflow_tune.driver.callbacks import Callback
from mlflow_tune.report.card import Card, card_html
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.display.progress import most_trials, search_words, start_line
from mlflow_tune.study.display.tables import state_text
from mlflow_tune.study.handle import StudyHandle, study_command
from mlflow_tune.text import point_text, some_of, trial_label
from mlflow_tune.tracking import StudyState
from mlflow_tune.trial import Trial

logger = logging.getLogger(__name__)
INTERVAL = 0.25  # seconds between two drawings: a browser shows no more
ROWS = 10  # of the trials that began last
NAMED = 3  # trials that the words of an interrupt name


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook, which shows HTML."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return getattr(shell, "kernel", None) is not None


class LiveTable(Callback):
    """Draws the study in the output of the cell, while the context is open.

    A thread of its own draws, so that what is new is seen while training code holds the driver's thread.
    """

    def __init__(self, study: Callable[[], StudyHandle]) -> None:
        self._study = study
        self._display: Any = None
        self._changed = threading.Event()
        self._over = threading.Event()
        self._history: Sequence[Trial] = ()
        self._running: dict[int, Trial] = {}
        self._note = ""
        self._ended: tuple[str, str] | None = None
        # What a thread shows belongs to the cell whose context it runs in.
        self._thread = threading.Thread(target=contextvars.copy_context().run, args=(self._keep_drawing,), daemon=True)

    def __enter__(self) -> LiveTable:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._display is not None:
            self._draw()

    def on_study_start(self, spec: StudySpec, links: Mapping[str, str], history: Sequence[Trial]) -> None:
        """Show the table."""
        from IPython.display import display

        self._spec = spec
        self._links = links
        self._history = tuple(history)
        self._display = display(self._drawn(), raw=True, display_id=True)
        self._thread.start()

    def on_trial_start(self, trial: Trial) -> None:
        """Add the trial."""
        self._running[trial.number] = trial
        self._changed.set()

    def on_trial_end(self, trial: Trial, history: Sequence[Trial]) -> None:
        """Show how the trial ended."""
        self._running.pop(trial.number, None)
        self._history = tuple(history)
        self._changed.set()

    def on_interrupt(self, running: Sequence[Trial]) -> None:
        """Say what is waited for, and how to end that."""
        named = some_of([f"{trial_label(trial.number)} ({point_text(trial.params)})" for trial in running], NAMED)
        those = "it" if len(running) == 1 else "them"
        self._note = f"Interrupted: no new trial starts; waiting for {named}. Interrupt again to end {those}."
        self._changed.set()

    def on_study_end(self, state: StudyState, why: str, history: Sequence[Trial]) -> None:
        """Show how the study ended, and how to go on."""
        self._history = tuple(history)
        self._running.clear()
        self._note = ""
        self._ended = (state, why)

    def _keep_drawing(self) -> None:
        while not self._over.wait(INTERVAL):
            if self._changed.is_set():
                self._changed.clear()
                self._draw()

    def _draw(self) -> None:
        try:
            self._display.update(self._drawn(), raw=True)
        except Exception as error:  # whatever a frontend's connection raises: no reason for the study to end
            logger.warning("the table cannot be drawn any more: %s: %s", type(error).__name__, error)
            self._over.set()
            self._display = None

    def _drawn(self) -> dict[str, str]:
        ended = self._ended
        words = state_text(*ended) if ended else self._note
        return {"text/html": card_html(self._card()), "text/plain": f"{start_line(self._spec)} {words}".rstrip()}

    def _card(self) -> Card:
        spec = self._spec
        trials = {trial.number: trial for trial in (*self._history, *tuple(self._running.values()))}
        history = [trials[number] for number in sorted(trials)]
        most = most_trials(spec)
        state, why = self._ended or ("", "")
        hint, command = self._way_on(state)
        return Card(
            name=spec.name,
            what=search_words(spec),
            metric=spec.metric,
            state=state,
            why=why,
            links=self._links,
            best=spec.best(history),
            history=history,
            listed=history[::-1][:ROWS],
            most=None if most is None else max(most, sum(trial.done for trial in history)),
            note=self._note,
            hint=hint,
            command=command,
        )

    def _way_on(self, state: str) -> tuple[str, str]:
        """Return the command that people want next, after the words that tell what it does."""
        if state == "aborted":
            return "Mend the code, then run the failed trials again by:", self._study().retry_command
        if state and state != "finished":
            return "Go on with it by:", self._study().resume_command
        if self._links:
            return "", ""
        handle = self._study()
        doing = "Compare the trials" if state else "Watch it"
        return f"{doing} in MLflow, from a terminal, by:", study_command("ui", handle.run_id, handle.client.uri)
