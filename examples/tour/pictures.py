"""Make the pictures of the tour: `python examples/tour/pictures.py [FOLDER]`. It takes a few minutes.

Each command runs as a person types it, in a copy of this folder. What it prints becomes an SVG; the figure is that of
the report.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

from mlflow_tune import Study

HERE = Path(__file__).parent
IMAGES = HERE.parent / "images"
WIDTH = 110
FIGURE = "importance"
COMMANDS = {
    "tour_run": "mlflow-tune run study.yaml",
    "tour_resume": "mlflow-tune resume diabetes --strategy bayesian --trials +10",
    "tour_best": "mlflow-tune best diabetes --command",
}


def output(command: str, folder: Path) -> str:
    """Run the command in the folder; return what it printed."""
    environment = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "XDG_STATE_HOME": str(folder)}
    words = [sys.executable, "-m", "mlflow_tune", *command.split()[1:]]
    done = subprocess.run(words, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.replace(str(folder), "/home/ada/tour")


def shortened(text: str) -> str:
    """Return the output without the lines of the trials in the middle, which look alike."""
    lines = text.rstrip().splitlines()
    trials = [index for index, line in enumerate(lines) if re.match(r"#\d{3} ", line)]
    if len(trials) > 8:
        lines[trials[4] : trials[-2]] = ["..."]
    return "\n".join(lines)


def svg(command: str, text: str) -> str:
    """Return a terminal window that shows the command and its output."""
    console = Console(record=True, width=WIDTH, file=StringIO())
    console.print(Text(f"$ {command}", style="bold"))
    console.print(shortened(text), markup=False, emoji=False, highlight=True)
    drawn = console.export_svg(title="", unique_id="tour")
    return re.sub(r"@font-face \{.*?\}\s*", "", drawn, flags=re.DOTALL)  # no font from elsewhere: the viewer's own


def main(folder: Path) -> None:
    """Run the tour's commands one after another, and write a picture of each."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name) / "tour"
        place.mkdir()
        for file in ("train.py", "study.yaml"):
            shutil.copy(HERE / file, place)
        for picture, command in COMMANDS.items():
            (folder / f"{picture}.svg").write_text(svg(command, output(command, place)) + "\n")
        study = Study.load("diabetes", tracking_uri=f"sqlite:///{place / 'mlflow.db'}")
        study.plot(FIGURE).savefig(folder / f"tour_{FIGURE}.png", dpi=70)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
