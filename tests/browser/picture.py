"""Makes the README's picture: the charts of examples/digits.yaml, as the printed link opens them.

From the repository's root: python -m tests.browser.picture
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.browser.chromium import chromium, eventually, marks, new_page
from tests.support.server import make_template, mlflow_server

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "examples" / "images" / "digits.png"
TRIALS = 20


def tune(uri: str, *words: str) -> str:
    """Run `mlflow-tune` on the server; return what it printed."""
    command = [sys.executable, "-m", "mlflow_tune", *words, "--tracking-uri", uri]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def main() -> None:
    """Run the study on a server of its own, open its charts, and take the picture once all is drawn."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    with tempfile.TemporaryDirectory() as name:
        template, folder = make_template(Path(name) / "template.db"), Path(name) / "server"
        folder.mkdir()
        with mlflow_server(template, folder) as uri, chromium() as browser:
            tune(uri, "run", "examples/digits.yaml")
            page = new_page(browser, viewport={"width": 1440, "height": 2000})
            page.goto(tune(uri, "open", "digits-random"))
            eventually(lambda: [count for _, _, count in marks(page)], [TRIALS] * 8)
            page.set_viewport_size({"width": 1440, "height": 1000})
            page.wait_for_timeout(2000)  # the charts follow the size of the page
            page.screenshot(path=PICTURE)


if __name__ == "__main__":
    main()
