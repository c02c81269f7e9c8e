"""Two trials of a study held against each other: what is read of them from the tracking server."""

from __future__ import annotations

import difflib
import hashlib
import math
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from mlflow_tune.diagnosis import curves_of_interest, diagnosis_lines, names
from mlflow_tune.errors import InputError
from mlflow_tune.report.difference.difference import (
    LARGEST,
    Artifact,
    Content,
    Difference,
    Direction,
    Files,
    Two,
    image_size,
    kind_of,
)
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies import reserved_names
from mlflow_tune.study.handle import StudyHandle
from mlflow_tune.text import plural, short, some_of
from mlflow_tune.tracking import Artifacts, Trials
from mlflow_tune.tracking.artifacts import Entry, is_artifact_path, shown_name
from mlflow_tune.trial import INFINITE, Curve, Trial

MOST_FILES = 200
MOST_BYTES = 500_000_000  # a larger artifact is not downloaded
MOST_NAMES = 10


def difference_of(study: StudyHandle, numbers: tuple[int, int], paths: Sequence[str] = ()) -> Difference:
    """Return what differs from the first of two trials, by their numbers, to the second.

    `paths` are the artifacts to compare; without them all are listed. Nothing is written.

    Raises:
        InputError: The study has no such trial, both are one, or neither trial has an artifact of this path.
        TrackingError: The server is out of reach, or refuses.
    """
    wanted = [_checked(path) for path in dict.fromkeys(paths)]
    trials = _chosen(study.trials, numbers)
    reader = Trials(study.client, study.record)
    first, second = (reader.logged(trial) for trial in trials)
    stores = Artifacts(study.client, trials[0].run_id), Artifacts(study.client, trials[1].run_id)
    return Difference(
        study=study.record.name,
        run_id=study.run_id,
        direction=_direction(study.spec),
        trials=trials,
        metrics=(_own(first.metrics), _own(second.metrics)),
        findings=(diagnosis_lines(trials[0]), diagnosis_lines(trials[1])),
        curves=_curves(reader, trials, study.spec.metric, (first.stepped, second.stepped)),
        files=None if wanted else _listed(stores),
        artifacts=[_artifact(stores, name) for name in wanted],
    )


def _checked(path: str) -> str:
    name = path.removeprefix("./").rstrip("/")
    if not is_artifact_path(name):
        raise InputError(
            f"an artifact is named by its path in the run, without '..' and no '/' first, got {path!r}", "--artifact"
        )
    return name


def _chosen(trials: Sequence[Trial], numbers: tuple[int, int]) -> Two[Trial]:
    if numbers[0] == numbers[1]:
        raise InputError(f"two different trials are held against each other, but got {numbers[0]} twice", "TRIAL")
    known = {trial.number: trial for trial in trials}
    for number in numbers:
        if number not in known:
            raise InputError(f"the study has no trial {number}; it has {_ranges(sorted(known))}", "TRIAL")
    return known[numbers[0]], known[numbers[1]]


def _ranges(numbers: Sequence[int]) -> str:
    """Return numbers in words: `trials 1 to 5, 7`."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number])
    words = [" to ".join(map(str, span)) for span in spans]
    return f"{plural('trial', len(numbers))} {', '.join(words)}" if words else "none yet"


def _direction(spec: StudySpec) -> Direction:
    given = {name: goal == "minimize" for name, goal in spec.directions.items()}
    return Direction(spec.metric, spec.goal, lambda name: given[name] if name in given else names.falls(name))


def _own(metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics that are the training code's, without those that the study wrote."""
    reserved = reserved_names()
    return {
        name: _as_logged(value)
        for name, value in metrics.items()
        if name not in reserved and not name.startswith("log10_")
    }


def _curves(reader: Trials, trials: Two[Trial], metric: str, stepped: Two[Collection[str]]) -> dict[str, Two[Curve]]:
    wanted = curves_of_interest({*stepped[0], *stepped[1]}, metric)
    return {name: (_curve(reader, trials[0], name), _curve(reader, trials[1], name)) for name in wanted}


def _curve(reader: Trials, trial: Trial, metric: str) -> Curve:
    return [(step, _as_logged(value)) for step, value in reader.history(trial, metric)]


def _as_logged(value: float) -> float:
    """Return infinity for what MLflow's SQL stores make of it."""
    return math.copysign(math.inf, value) if abs(value) >= INFINITE else value


def _listed(stores: Two[Artifacts]) -> Files:
    (first, whole), (second, also_whole) = (store.files(MOST_FILES) for store in stores)
    sizes = ({shown_name(entry.path): entry.size for entry in entries} for entries in (first, second))
    return Files((next(sizes), next(sizes)), whole and also_whole)


def _artifact(stores: Two[Artifacts], name: str) -> Artifact:
    entries = [store.find(name) for store in stores]
    for store, entry in zip(stores, entries, strict=True):
        if entry is not None and entry.is_folder:
            raise InputError(f"{short(name)} is a folder: name a file; {_held(store, name)}", "--artifact")
    if entries == [None, None]:
        raise InputError(f"neither trial has the artifact {short(name)}; {_nearest(stores, name)}", "--artifact")
    files = [None if entry is None else _content(store, entry) for store, entry in zip(stores, entries, strict=True)]
    return Artifact(shown_name(name), (files[0], files[1]))


def _held(store: Artifacts, folder: str) -> str:
    names = [entry.path + "/" * entry.is_folder for entry in store.entries(folder)]
    return f"it holds {_some(names)}" if names else "it is empty"


def _nearest(stores: Two[Artifacts], name: str) -> str:
    files = _listed(stores)
    known = [row[0] for row in files.rows()]
    if not known:
        return "they have none"
    near = difflib.get_close_matches(name, known, MOST_NAMES, 0.6)
    return f"did you mean {_some(near)}?" if near else f"they have {_some(known)}"


def _some(names: Sequence[str]) -> str:
    return some_of([short(name, 120) for name in names], MOST_NAMES)


def _content(store: Artifacts, entry: Entry) -> Content:
    """Download an artifact into a folder of its own, and return what is known and shown of it."""
    if entry.size is not None and entry.size > MOST_BYTES:
        return Content(entry.size)
    with tempfile.TemporaryDirectory() as folder:
        path = store.download(entry.path, Path(folder))
        size = path.stat().st_size
        kind = kind_of(entry.path)
        digest = _sha256(path)
        content = path.read_bytes() if kind != "other" and size <= LARGEST[kind] else None
    if kind != "image" or content is None:
        return Content(size, digest, None, content)
    pixels = image_size(entry.path, content)
    # An SVG may well tell no size; any other image without one is no image.
    return Content(size, digest, pixels, content if pixels or entry.path.lower().endswith(".svg") else None)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
