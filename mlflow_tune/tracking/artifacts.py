"""Files and images of a run."""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow_tune.tracking.client import Client

# MLflow names an image's file `<key>%step%<number>%timestamp%...`, with `+` for `%` where that is not allowed.
_STEP = re.compile(r"[%+]step[%+](\d+)[%+]")


@dataclass(frozen=True)
class Artifacts:
    """The artifacts of one run. Whatever an artifact store raises passes through."""

    client: Client
    run_id: str

    def log_text(self, name: str, text: str) -> None:
        """Log a text as a file."""
        self.log_bytes(name, text.encode("utf-8"))

    def log_bytes(self, name: str, content: bytes) -> None:
        """Log bytes as a file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(content)
            self.client.send("log_artifact", self.run_id, str(path))

    def log_folder(self, folder: Path) -> None:
        """Log all that a folder holds."""
        self.client.send("log_artifacts", self.run_id, str(folder))

    def log_image(self, key: str, step: int, image: Any) -> None:
        """Log an image (height, width, 3) at a step: the run page shows a card with a slider for each key."""
        self.client.send("log_image", self.run_id, image, key=key, step=step, synchronous=True)

    def image_steps(self, key: str) -> set[int]:
        """Return the steps at which there is an image."""
        files = self.client.send("list_artifacts", self.run_id, "images")
        found = (_STEP.search(file.path) for file in files if Path(file.path).name.startswith(key))
        return {int(match[1]) for match in found if match}
