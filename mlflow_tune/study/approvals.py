"""Which code this user has let studies run on this machine: by what they started, and by what they said yes to.

A tracking server holds what a study runs, and whoever may write there may change it, under any name. So it is
remembered in a file of the user's own, a line each time: the study's run id and all that decides which code runs, and
with which words. What differs from that is shown, and asked about, before it runs. A study that is about to be made has
no run id: its line bears the nonce that its run will have, so that no kill comes between the run and the line.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.command import Command
from mlflow_tune.space import Choice
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.text import cut, escaped
from mlflow_tune.tracking.user_files import open_user_file, user_file

logger = logging.getLogger(__name__)
_LONGEST = 200  # characters that are kept of a part; of a longer one its beginning, and a digest of the whole
_FOLDER = "folder"
_RUN_ID, _NONCE = "run_id", "nonce"  # what a line names its study by
# What could not be written holds for this process.
_of_this_process: dict[str, Mapping[str, str]] = {}


@dataclass(frozen=True)
class Unapproved:
    """What a study would run that this user has neither started nor approved.

    `parts` are all that decides that, by their place in a study file; `before` how they were when they were approved,
    None for a study that never was.
    """

    name: str
    parts: Mapping[str, str]
    before: Mapping[str, str] | None

    @property
    def lines(self) -> list[str]:
        """What would run, part by part, with nothing in it that a terminal would act on; first why one is asked."""
        if self.before is None:
            why = "is none that you have started or approved on this machine; it runs here:"
            told = [f"{key}: {text}" for key, text in self.parts.items()]
        else:
            why = "has been changed since you started or approved it:"
            told = [_change(key, self.before.get(key), self.parts.get(key)) for key in self._changed(self.before)]
        return [f"the study {self.name!r} {why}", *map(escaped, told)]

    @property
    def sentence(self) -> str:
        """The same on one line."""
        first, *others = self.lines
        return f"{first} {'; '.join(others)}"

    def _changed(self, before: Mapping[str, str]) -> list[str]:
        keys = dict.fromkeys([*self.parts, *before])
        return [key for key in keys if _kept(self.parts.get(key)) != before.get(key)]


def _change(key: str, before: str | None, now: str | None) -> str:
    if before is None:
        return f"{key}: {now} (new)"
    if now is None:
        return f"{key}: nothing (it was {before})"
    return f"{key}: {now} (it was {before})"


def unapproved(study: StudyHandle) -> Unapproved | None:
    """Return what the study would run, None when this user has started or approved exactly that on this machine.

    Where a person has said in which folder the code lies, the server's word for it does not count.
    """
    parts = _parts(study.spec, study.folder)
    before = _remembered(study)
    if study.moved:
        parts.pop(_FOLDER)
        before = before and {key: text for key, text in before.items() if key != _FOLDER}
    if before == {key: _kept(text) for key, text in parts.items()}:
        return None
    return Unapproved(study.record.name, parts, before)


def refuse_unapproved(study: StudyHandle, yes: bool, how: str = "resume(yes=True)", key: str = "") -> None:
    """Raise InputError, with this key, for what this user has neither started nor approved.

    A `yes` approves it now; `how` is the way to say so.
    """
    if not yes and (what := unapproved(study)):
        raise InputError(f"{what.sentence}; look at it, and allow it to run here with {how}", key)


def approve_start(nonce: str, spec: StudySpec, folder: Path) -> None:
    """Remember what a study runs that its user is about to make, with this nonce.

    Where that cannot be written it holds for this process, which is said once.
    """
    _remember(_NONCE, nonce, _kept_parts(spec, folder))


def approve(study: StudyHandle) -> None:
    """Remember what the study runs, for its user has said yes to it: see `approve_start`."""
    parts = _kept_parts(study.spec, study.folder)
    before = _remembered(study)
    if study.moved:  # what the server says of the folder was not looked at
        parts.pop(_FOLDER)
        parts |= {_FOLDER: before[_FOLDER]} if before and _FOLDER in before else {}
    if before != parts:
        _remember(_RUN_ID, study.run_id, parts)


def _parts(spec: StudySpec, folder: Path) -> dict[str, str]:
    """Return all that decides which code a study runs, and with which words, as texts by their place in a study file.

    A Python object is left out: no server can name one, whoever goes on with its study gives it.
    """
    run = spec.run.model_dump(mode="json", exclude_defaults=True, exclude={"objective"})
    fixed = run.pop("parameters", {})
    parts = {f"run.{key}": _shell_words(value) if key == "command" else str(value) for key, value in run.items()}
    parts |= {f"run.parameters.{name}": json.dumps(value, ensure_ascii=False) for name, value in fixed.items()}
    parts |= {"reference": spec.reference} if spec.reference else {}
    parts |= {"executor.dask": spec.executor.dask} if spec.executor else {}
    parts[_FOLDER] = str(folder)
    for name, dimension in spec.space.items():
        words = dimension.values if isinstance(dimension, Choice) else None
        parts[f"space.{name}"] = "a number" if words is None else json.dumps(list(words), ensure_ascii=False)
    return parts


def _kept_parts(spec: StudySpec, folder: Path) -> dict[str, str | None]:
    return {key: _kept(text) for key, text in _parts(spec, folder).items()}


def _shell_words(command: Command) -> str:
    """Return the command as a shell would take it, its groups in brackets: they go by a value."""
    return " ".join(shlex.quote(part) if isinstance(part, str) else f"[{shlex.join(part)}]" for part in command)


def _kept(text: str | None) -> str | None:
    """Return what is remembered of a part: itself, of a long one its beginning and a digest."""
    if text is None or len(text) <= _LONGEST:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{cut(text, _LONGEST)} (SHA-256 {digest})"


# --- the file --------------------------------------------------------------------------------------------------------


def approvals_file() -> Path:
    """Return the file of this user's approvals, in the XDG state folder. Raises RuntimeError without a home."""
    return user_file("approvals.jsonl")


def _remembered(study: StudyHandle) -> Mapping[str, str] | None:
    """Return the parts that were approved last of this study, None when none were.

    What its user said yes to comes before what was started: a nonce is a tag, which others may write over.
    """
    lines = _read()
    return _last(lines, _RUN_ID, study.run_id) or _last(lines, _NONCE, study.record.nonce)


def _last(lines: Sequence[str], key: str, ident: str) -> Mapping[str, str] | None:
    if ident in _of_this_process:
        return _of_this_process[ident]
    found = (_approved(line, key, ident) for line in reversed(lines) if ident in line)
    return next((parts for parts in found if parts), None)


def _approved(line: str, key: str, ident: str) -> Mapping[str, str] | None:
    with suppress(ValueError, TypeError, KeyError, RecursionError):  # a line that was cut short by a full disk
        form = json.loads(line)
        if form[key] == ident:
            return dict(form["approved"])
    return None


def _remember(key: str, ident: str, parts: Mapping[str, str | None]) -> None:
    line = f"\n{json.dumps({key: ident, 'approved': parts})}\n"  # the last one may have been cut short
    try:
        descriptor = open_user_file(approvals_file(), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            if os.write(descriptor, line.encode()) < len(line):  # one write, which no other process can divide
                raise OSError("the disk is full")
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError) as error:
        if not _of_this_process:
            words = getattr(error, "strerror", None) or error
            logger.warning("what you approve holds for this process only, for it cannot be kept: %s", words)
        _of_this_process[ident] = {key: text for key, text in parts.items() if text is not None}
    else:
        _of_this_process.pop(ident, None)


def _read() -> list[str]:
    """Return the lines of the file, none where it cannot be read."""
    with suppress(OSError, RuntimeError):
        descriptor = open_user_file(approvals_file(), os.O_RDONLY)
        with os.fdopen(descriptor, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    return []
