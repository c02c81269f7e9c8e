"""Why MLflow did not let training code log to the trial's run, and the remedy for the study at hand.

A script that calls `mlflow.set_experiment` or `mlflow.set_tracking_uri` looks for the trial's run where it is not.
MLflow then says what it did not find, and nothing of the call that led there: that is looked for in the text of the
code, which is read and never run.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from mlflow_tune.launchers.output import REASON_LENGTH
from mlflow_tune.text import cut, short
from mlflow_tune.text.redaction import without_credentials
from mlflow_tune.trial import Job, Outcome

Place = tuple[str, int]  # a file and a line of it
MOST_FILES = 50
LONGEST_FILE = 2**20  # bytes
_FOREIGN = ("<", str(Path(os.__file__).parent))
_READ = 2**16  # bytes of what was printed
_FRAME = re.compile(r'File "([^"\n]{1,1000})", line (\d{1,7})')
_EXPERIMENT, _URI = "set_experiment", "set_tracking_uri"
_PLAIN = re.compile(r"[A-Za-z_][\w./-]*")


@dataclass(frozen=True)
class _Call:
    """A call in training code: where it is, its argument as it is written, and what that is worth, where it tells."""

    file: str
    line: int
    argument: str
    value: str | None


def told(outcome: Outcome, job: Job, folder: Path, words: Sequence[str] = ()) -> Outcome:
    """Return the outcome of a process; a failure of which MLflow's refusal is the cause names cause and remedy.

    It ran in `folder`; `words` are its command's, which may name scripts.
    """
    if outcome.kind != "failed" or not job.bind:
        return outcome
    text = outcome.output[-_READ:].decode(errors="replace")
    places = [(file, int(line)) for file, line in _FRAME.findall(text)]
    if not (cause := refused_run(text, places, job, folder, words)):
        return outcome
    return replace(outcome, reason=cut(f"{outcome.reason.partition(';')[0]}; {cause}", REASON_LENGTH), certain=True)


def refused_run(text: str, places: Iterable[Place], job: Job, folder: Path, words: Sequence[str] = ()) -> str:
    """Return why MLflow did not find the trial's run, as the error's text tells it, and the remedy; "" otherwise.

    `places` are those of the traceback, the outermost first.
    """
    run = re.escape(job.run_id)
    if re.search(rf"Cannot start run with ID {run} because active experiment ID", text):
        return _other_experiment(_found(_EXPERIMENT, places, folder, words))
    if re.search(rf"Run with id={run} not found|Run '{run}' not found", text):
        return _other_store(_found(_URI, places, folder, words), job, folder)
    return ""


def _other_experiment(call: _Call | str) -> str:
    why = "but the trial's run lies in another experiment, and MLflow refuses to log there"
    named = call.value if isinstance(call, _Call) else None
    there = f"`experiment: {named if _PLAIN.fullmatch(named) else json.dumps(named)}`" if named else "its experiment"
    return f"{_said(call, _EXPERIMENT)}, {why}: give the study `run.mlflow: follow`, or {there}"


def _other_store(call: _Call | str, job: Job, folder: Path) -> str:
    why = f"but the trial's run is on {short(without_credentials(job.tracking_uri), 100)}"
    named = call.value if isinstance(call, _Call) else None
    if named and re.match(r"sqlite:///[^/]", named):
        named = f"sqlite:///{folder / named.removeprefix('sqlite:///')}"
    there = f"`--tracking-uri {without_credentials(named)}`" if named else "that server (--tracking-uri)"
    return f"{_said(call, _URI)}, {why}: take that line out, or run the study with {there}"


def _said(call: _Call | str, name: str) -> str:
    if isinstance(call, _Call):
        return f"{call.file}:{call.line} calls mlflow.{name}({short(without_credentials(call.argument), 80)})"
    at = f" before {call}" if call else ""
    return f"the training code calls mlflow.{name}{at}"


def _found(name: str, places: Iterable[Place], folder: Path, words: Sequence[str]) -> _Call | str:
    """Return the call of this name that led to the error, else the last place of the person's own code."""
    own = [place for place in places if not place[0].startswith(_FOREIGN) and "-packages" not in place[0]]
    last = dict(own)  # the last line of each file
    files = [*dict.fromkeys([*(file for file, _ in reversed(own)), *_scripts(words, folder)])]
    beside = (str(path) for file in files[:2] for path in sorted(Path(folder, file).parent.glob("*.py")))
    for file in dict.fromkeys(islice((*files, *beside), MOST_FILES)):
        if calls := [*_calls(name, Path(folder, file), _relative(file, folder))]:
            before = [call for call in calls if call.line <= last.get(file, 0)]
            return (before or calls[:1])[-1]
    return f"{_relative(own[-1][0], folder)}:{own[-1][1]}" if own else ""


def _scripts(words: Sequence[str], folder: Path) -> Iterator[str]:
    yield from (word for word in words if word.endswith(".py") and Path(folder, word).is_file())


def _relative(file: str, folder: Path) -> str:
    path = Path(file)
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else file


def _calls(name: str, path: Path, shown: str) -> Iterator[_Call]:
    """Yield the calls of this name in a Python file, in order; of one that cannot be read, none."""
    try:
        if path.stat().st_size > LONGEST_FILE:
            return
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, OSError):
        return
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node.func) == name)
    for call in sorted(calls, key=lambda call: call.lineno):
        given = [*call.args, *(each.value for each in call.keywords)]
        by_id = any(each.arg == "experiment_id" for each in call.keywords)
        value = _value(given[0], constants) if given and not by_id else None
        yield _Call(shown, call.lineno, ", ".join(ast.unparse(each) for each in (*call.args, *call.keywords)), value)


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _value(argument: ast.expr, constants: Mapping[str, object]) -> str | None:
    held = argument.value if isinstance(argument, ast.Constant) else constants.get(getattr(argument, "id", ""))
    return held if isinstance(held, str) else None
