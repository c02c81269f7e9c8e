"""Following trials from the tracking server: their learning curves live on a terminal, until they have ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlflow_tune.cli.plots import curves_text
from mlflow_tune.cli.pulse import Pulse, print_gone
from mlflow_tune.diagnosis import curves_of_interest
from mlflow_tune.driver.pruner import Pruner
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.display.tables import outcome_text
from mlflow_tune.text import point_text
from mlflow_tune.tracking import Client, Studies, StudyRecord, Trials
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

INTERVAL = 1.0
MOST_DRAWN = 2


class Follower:
    """Follows trials, one after the other; with `elsewhere`, only as long as the study is running."""

    def __init__(
        self, console: Console, client: Client, study: StudyRecord, spec: StudySpec, elsewhere: bool = False
    ) -> None:
        self._console = console
        self._metric = spec.metric
        self._spec = spec
        self._pruner: Pruner | None = None
        self._elsewhere = elsewhere
        self._trials = Trials(client, study)
        self._studies = Studies(client)
        self._uri = client.uri
        self.over = threading.Event()

    def follow(self, run_ids: Sequence[str]) -> None:
        """Return when the trials of these runs have ended, or when `over` is set."""
        from rich.live import Live

        try:
            for run_id in run_ids:
                if self._console.is_terminal:
                    with Live(console=self._console, auto_refresh=False) as live:
                        self._until_ended(run_id, live)
                else:
                    self._until_ended(run_id, None)
        finally:
            if self._pruner is not None:
                self._pruner.close()

    def _until_ended(self, run_id: str, live: Live | None) -> None:
        pulse = Pulse()
        while not self.over.is_set():
            trial = self._trials.of_run(run_id)
            if live is not None:
                live.update(self._picture(trial), refresh=True)
            if (trial is not None and not trial.running) or self._abandoned(trial, pulse):
                return
            self.over.wait(INTERVAL)

    def _abandoned(self, trial: Trial | None, pulse: Pulse) -> bool:
        if not self._elsewhere:
            return False
        record = self._studies.get(self._trials.study.run_id)
        if pulse.is_gone(record):
            print_gone(self._console, record, self._uri)
            return True
        return trial is None and not record.running

    def _picture(self, trial: Trial | None) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        if trial is None:
            return Text("queued; it runs next")
        seconds = ((trial.end_time or time.time() * 1000) - trial.start_time) / 1000
        head = Text(f"{outcome_text(trial)}  {point_text(trial.trained_with)}  ({seconds:.0f} s)")
        names = curves_of_interest(self._trials.logged(trial).stepped, self._metric)[:MOST_DRAWN]
        curves = {name: self._trials.history(trial, name) for name in names}
        if not curves:
            return Group(head, Text("no curve yet"))
        said = self._opinion(trial) if trial.running else ""
        return Group(head, curves_text(curves, min(self._console.width, 100)), *([Text(said)] if said else []))

    def _opinion(self, trial: Trial) -> str:
        """Return what the rule that stops trials of the study would do with this one; nothing is stopped by it."""
        if self._spec.stop_trials is None:
            return ""
        if self._pruner is None:
            self._pruner = Pruner(self._spec, self._trials)
            self._pruner.know([each for each in self._trials.all() if each.number != trial.number])
        return self._pruner.opinion(trial)
