"""A study that is made to act on terminals: every command shows it, and nothing of it acts or looks like our words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from click.testing import CliRunner
from mlflow import MlflowClient
from mlflow.entities import Metric, Param

from mlflow_tune.cli import main
from tests.fixtures.small_studies.helpers import study_file
from tests.support import commands
from tests.support.terminal import at_terminal

pytestmark = pytest.mark.slow
BIDI = "\u202egnp.\u2066"
# What writes the clipboard, sets the title, makes a link, clears the screen; C1; a colour; what begins a line anew.
EVIL = (
    f"\x1b]52;c;ZXZpbA==\x07\x1b]0;evil\x07\x1b]8;;http://evil\x1b\\\x1b[2J\x9b31m\x1b[31m{BIDI}\r"
    "\nFAKED: all is well\x85FAKED\u2028FAKED\x0bFAKED\b"
)
SPACE = {
    "x": {"type": "int", "low": 1, "high": 9, "grid": [1, 2, 3]},
    "kind": {"type": "categorical", "values": [EVIL]},
}
DEFINITION = {
    "name": f"evil {BIDI}",
    "run": {"function": "mine:train", "parameters": {"fixed": EVIL}},
    "metric": "loss",
    "goal": "minimize",
    "space": SPACE,
}
CODE = "def train(x, kind, fixed=''):\n    if x == 9:\n        raise ValueError(kind)\n    return x\n"


class Hostile:
    """Two studies on a server that anybody writes to, a run that could be adopted, and a project."""

    def __init__(self, uri: str, folder: Path) -> None:
        self.uri = uri
        self.folder = folder
        self.client = MlflowClient(uri)
        self.experiment = f"hostile-{uuid4().hex[:8]}"
        self.id = self.client.create_experiment(self.experiment)
        (folder / "mine.py").write_text(CODE)
        self.first, self.second = self.study(), self.study()

    def study(self) -> str:
        """Write a study of three trials: one that was good, one that failed, one that waits."""
        tags = {
            "tune.kind": "study",
            "tune.study": f"evil {EVIL}",
            "tune.state": EVIL,
            "tune.why_stopped": EVIL,
            "tune.folder": str(self.folder),
            "tune.spec": json.dumps(DEFINITION),
            "mlflow.user": EVIL,
            "tune.strategy": '{"name":"grid"}',
            "tune.budget": '{"trials":30}',
            "tune.heartbeat": EVIL,
        }
        run_id = self.client.create_run(self.id, tags=tags, run_name=EVIL).info.run_id
        self.child(run_id, {"tune.trial": "1", "tune.outcome": "ok", "tune.diagnosis": json.dumps([EVIL])}, 1.0)
        self.child(run_id, {"tune.trial": "2", "tune.outcome": "failed", "tune.reason": EVIL})
        self.child(run_id, {"tune.trial": "3", "tune.outcome": "ok"}, 3.0)
        self.child(run_id, {"tune.trial": EVIL, "tune.outcome": EVIL})
        self.child(run_id, {"tune.queued": "waiting"}, status="SCHEDULED")
        self.client.log_text(run_id, EVIL, "note.txt")
        return run_id

    def child(self, run_id: str, tags: dict, value: float | None = None, status: str = "FINISHED") -> None:
        params = json.dumps({"x": 9 if tags.get("tune.outcome") == "failed" else 4, "kind": EVIL})
        common = {"mlflow.parentRunId": run_id, "tune.kind": "trial", "tune.params": params, "tune.why": EVIL}
        more = {"tune.strategy": EVIL, "tune.attempt": "1"}
        made = self.client.create_run(self.id, tags={**common, **more, **tags}, run_name=EVIL).info.run_id
        curve = [Metric("loss", value / step, step, step) for step in range(1, 9)] if value else []
        self.client.log_batch(made, metrics=[*curve, *([Metric("objective", value, 1, 0)] if value else [])])
        self.client.log_text(made, f"{EVIL}{value}", "said.txt")
        self.client.update_run(made, status)

    def by_hand(self) -> None:
        made = self.client.create_run(self.id, tags={"mlflow.user": EVIL}, run_name=EVIL).info.run_id
        self.client.log_batch(made, [Metric("loss", 1.0, 1, 0)], [Param("x", "5"), Param("kind", EVIL)])
        self.client.set_terminated(made)
        other = self.client.create_run(self.id, run_name=EVIL).info.run_id
        self.client.log_batch(other, params=[Param("x", EVIL)])

    def words(self, command: str) -> list[list[object]]:
        """Return the arguments with which the command is tried."""
        point = ["-P", "x=5", "--note", EVIL]
        known: dict[str, Sequence[Sequence[object]]] = {
            "list": [[]],
            "run": [[self.file(), "--experiment", self.experiment]],
            "mlproject": [["grid", f"study={self.file()}", "trials=1"], ["grid", f"metric={EVIL}"]],
            "init": [[self.project(), "-o", f"{uuid4().hex}.yaml"], [f"{EVIL}/nowhere"]],
            "compare": [[self.first, self.second, "--no-log"], [self.first, self.second, "--html", "c.html"]],
            "diff": [[self.first, 1, 2, "--artifact", "said.txt", "--html", "d.html"], [self.first, 1, 3]],
            "resume": [[self.second], [self.second, "--yes", "--trials", "+1"]],
            "try": [[self.first, *point], [self.first, *point, "--yes"], [self.first, "-P", f"kind={EVIL}x"]],
            "enqueue": [[self.first, *point]],
            "adopt": [[self.first, "--filter", "attributes.status != 'X'", "--dry-run"]],
            "ui": [[self.first, "--no-browser"]],
            "report": [[self.first]],
        }
        return [list(words) for words in known.get(command, [[self.first], [EVIL]])]

    def file(self) -> Path:
        study = {"space": SPACE, "run": DEFINITION["run"], "stop": {"trials": 1}, "name": f"own {BIDI}{uuid4().hex}"}
        path = study_file(self.folder, **study)
        (self.folder / "mine.py").write_text(CODE)
        return path

    def project(self) -> Path:
        folder = self.folder / "project"
        folder.mkdir(exist_ok=True)
        form = {
            "name": EVIL,
            "entry_points": {
                "main": {
                    "command": f"python train.py {{lr}} {{{'evil'}}}",
                    "parameters": {
                        "lr": {"type": "float", "default": 0.1},
                        "evil": {"type": "string", "default": EVIL},
                    },
                }
            },
        }
        (folder / "MLproject").write_text(yaml.safe_dump(form))
        (folder / "train.py").write_text("import mlflow\nmlflow.log_metric('val_loss', 1)\n")
        return folder


@pytest.fixture(scope="module")
def hostile(server: str, tmp_path_factory: pytest.TempPathFactory) -> Hostile:
    made = Hostile(server, tmp_path_factory.mktemp("hostile"))
    made.by_hand()
    return made


@pytest.mark.parametrize(
    ("command", "form"),
    [
        *((command, form) for command in sorted(commands.COMMANDS) for form in ([], ["--json"])),
        *((command, ["-v"]) for command in ("run", "resume", "try")),
    ],
    ids=lambda each: each if isinstance(each, str) else "".join(each) or "people",
)
def test_no_command_prints_what_acts_on_a_terminal(hostile, command, form):
    for words in hostile.words(command):
        result = CliRunner().invoke(main, [command, *map(str, words), *form, "--tracking-uri", hostile.uri])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert result.exit_code in (0, 1, 2), result.output
        assert result.stdout + result.stderr, "it says something"
        for said in (result.stdout, result.stderr):
            acts = sorted({char for char in said if not char.isprintable() and char not in "\n\t"})
            assert not acts, (words, acts)
            assert not [line for line in said.splitlines() if line.startswith("FAKED")], said
        if form == ["--json"]:
            json.loads(result.stdout)


def test_at_a_terminal_only_our_own_colours_and_moves_are_left(hostile):
    screen, _ = at_terminal(["watch", hostile.first], hostile.uri)
    assert all(part[:1] == "[" for part in screen.split("\x1b")[1:])
    assert not {"\x9b", "\x07", "\b", "\x85", "\u202e", "\u2066", "\u2028"} & set(screen)
    assert "\x1b[2J" not in screen
    assert not [line for line in screen.splitlines() if line.lstrip().startswith("FAKED")]
