"""Whether a study that is driven elsewhere still has a heartbeat, by our own clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from mlflow_tune.settings import lease_seconds
from mlflow_tune.study.handle import study_command
from mlflow_tune.text.console import print_whole
from mlflow_tune.tracking import StudyRecord

if TYPE_CHECKING:
    from rich.console import Console


class Pulse:
    """Notices when the heartbeat of a study stands still."""

    def __init__(self) -> None:
        self._seen = ""
        self._since = time.monotonic()

    def silence(self, record: StudyRecord) -> float:
        """Return for how many seconds the heartbeat has stood still, 0 when the study is not running."""
        if record.heartbeat != self._seen or not record.running:
            self._seen = record.heartbeat
            self._since = time.monotonic()
        return time.monotonic() - self._since

    def is_gone(self, record: StudyRecord) -> bool:
        """Whether the driver must be taken for dead: it gave no sign of life for two leases."""
        return self.silence(record) > 2 * lease_seconds()


def print_gone(shown: Console, record: StudyRecord, uri: str) -> None:
    """Print what to do about a driver that is dead."""
    shown.print(f"{record.name} is no longer being run by anybody; to continue it:")
    print_whole(shown, study_command("resume", record.run_id, uri))
