"""What `Study.run` and `resume` show by default: a live table in a notebook, elsewhere a line a trial and a summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mlflow_tune.driver.callbacks import Callback, Callbacks
from mlflow_tune.study.display.notebook import LiveTable, in_notebook
from mlflow_tune.study.display.progress import Lines
from mlflow_tune.study.display.summary import print_summary
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.text.console import console_for_people
from mlflow_tune.tracking import StudyState
from mlflow_tune.trial import Trial


@contextmanager
def shown(study: Callable[[], StudyHandle], quiet: bool, callbacks: Sequence[object]) -> Iterator[Callback]:
    """Give whoever is told of a drive: what shows it, unless `quiet`, and then the `callbacks`.

    `study` is asked for when it is on the tracking server. Raises InputError for what is no callback.
    """
    if quiet:
        yield Callbacks(callbacks)
    elif in_notebook():
        with LiveTable(study) as table:
            yield Callbacks([table, *callbacks])
    else:
        yield Callbacks([Script(study), *callbacks])


class Script(Lines):
    """Prints a plain line a trial, which bears what training code in this process prints, and at the end a summary."""

    def __init__(self, study: Callable[[], StudyHandle]) -> None:
        super().__init__(console_for_people(), study)

    def on_study_end(self, state: StudyState, why: str, history: Sequence[Trial]) -> None:  # noqa: ARG002
        """Print how the study ended, its best, where it is seen, and how to go on."""
        print_summary(self._console, self._study(), history, bool(self.ran))
