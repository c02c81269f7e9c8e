"""Whether a study that is driven elsewhere still has a heartbeat, by our own clock."""

from __future__ import annotations

import time

from mlflow_tune.settings import lease_seconds
from mlflow_tune.tracking import StudyRecord


class Pulse:
    """Notices when the heartbeat of a study stands still."""

    def __init__(self) -> None:
        self._seen, self._since = "", time.monotonic()

    def silence(self, record: StudyRecord) -> float:
        """Return for how many seconds the heartbeat has stood still, 0 when the study is not running."""
        if record.heartbeat != self._seen or not record.running:
            self._seen, self._since = record.heartbeat, time.monotonic()
        return time.monotonic() - self._since

    def is_gone(self, record: StudyRecord) -> bool:
        """Whether the driver must be taken for dead: it gave no sign of life for two leases."""
        return self.silence(record) > 2 * lease_seconds()


def gone_words(record: StudyRecord) -> str:
    """Return what to do about a driver that is dead."""
    return f"nobody drives {record.name} any more; go on with it by: mlflow-tune resume {record.run_id}"
