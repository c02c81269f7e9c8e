"""Two trials side by side, as plain data: what differs in their parameters, metrics, curves and artifacts.

All is pairs: the value of the first trial and that of the second, None where a trial lacks it.
"""

from __future__ import annotations

import difflib
import io
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal, TypeAlias, TypeVar

from mlflow_tune.report.difference.changes import against, change_of, changes
from mlflow_tune.space import Value
from mlflow_tune.text import bytes_text, cut, factor_text, printable, trial_label
from mlflow_tune.trial import Curve, Goal, Trial, is_finite

T = TypeVar("T")
Two: TypeAlias = tuple[T, T]
Kind: TypeAlias = Literal["image", "text", "other"]

IMAGES = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".svg": "image/svg+xml",
}
TEXTS = {".txt", ".log", ".json", ".csv", ".yaml", ".yml", ".md"}
LARGEST = {"image": 20_000_000, "text": 2_000_000, "other": 0}  # bytes that are shown
MOST_PIXELS = 100_000_000  # a small file may hold a picture that no browser can open
MOST_LINES = 2000
LONGEST_LINE = 1000
UNREADABLE = "not an image that can be shown"


@dataclass(frozen=True)
class Direction:
    """Which way metrics get better: whether one falls, None where that is not known."""

    metric: str
    goal: Goal
    falls: Callable[[str], bool | None]


@dataclass(frozen=True)
class ParamRow:
    """A parameter's values, whether they differ, and the second as a multiple of the first.

    `texts` are the values as people read them, empty where a trial lacks one.
    """

    name: str
    values: Two[Value]
    texts: Two[str]
    changed: bool
    factor: float | None

    @property
    def change(self) -> str:
        """The change in words: by which factor, or that there is one; empty where the values are equal."""
        return (factor_text(self.factor) or "changed") if self.changed else ""


@dataclass(frozen=True)
class MetricRow:
    """A metric's last values, the second less the first, and the number of the better trial, where they are known."""

    name: str
    values: Two[float | None]
    difference: float | None
    better: int | None

    @property
    def gain(self) -> str:
        """The difference with its sign, empty where it is not known."""
        return "" if self.difference is None else f"{self.difference:+.4g}"


@dataclass(frozen=True)
class Content:
    """A trial's artifact: size in bytes, SHA-256, width and height if it is an image, `shown` if it can be shown.

    What was too large to be downloaded has no digest.
    """

    size: int
    sha256: str = ""
    pixels: Two[int] | None = None
    shown: bytes | None = None


@dataclass(frozen=True)
class Artifact:
    """One artifact of both trials, by the name under which it was asked for."""

    name: str
    files: Two[Content | None]

    @property
    def kind(self) -> Kind:
        """What it is, by the ending of its name."""
        return kind_of(self.name)

    @property
    def equal(self) -> bool | None:
        """Whether both trials have it with the same content; None when that is not known."""
        first, second = self.files
        if first is None or second is None or first.size != second.size:
            return False
        return first.sha256 == second.sha256 if first.sha256 and second.sha256 else None


@dataclass(frozen=True)
class Files:
    """The files that the trials logged, as size in bytes by name, and whether these are all."""

    sizes: Two[Mapping[str, int | None]]
    complete: bool = True

    def rows(self) -> list[tuple[str, Two[bool], Two[int | None]]]:
        """Return for each name, in order, which trials have it, and its sizes."""
        first, second = self.sizes
        return [
            (name, (name in first, name in second), (first.get(name), second.get(name)))
            for name in sorted({*first, *second})
        ]


@dataclass(frozen=True)
class Difference:
    """Two trials of a study, held against each other.

    `metrics` are the last values of all that the training code logged, `findings` what the learning curves show, in
    sentences. `curves` are those with steps, by metric. `files` is None when artifacts were asked for by name.
    """

    study: str
    run_id: str
    direction: Direction
    trials: Two[Trial]
    metrics: Two[Mapping[str, float]]
    findings: Two[Sequence[str]] = ((), ())
    curves: Mapping[str, Two[Curve]] = field(default_factory=dict)
    files: Files | None = None
    artifacts: Sequence[Artifact] = ()

    @property
    def labels(self) -> Two[str]:
        """How the trials are called: `#003`, `#007`."""
        first, second = self.trials
        return trial_label(first.number), trial_label(second.number)

    @property
    def sentence(self) -> str:
        """What was changed from the first trial to the second, and what that did to the metric."""
        first, second = self.trials
        return against(second, first, self.direction.metric, self.direction.goal)

    def param_rows(self) -> list[ParamRow]:
        """Return the parameters, those of the second trial first."""
        first, second = (trial.params for trial in self.trials)
        changed = {change.name for change in changes(first, second)}
        rows = [change_of(name, first, second) for name in dict.fromkeys([*second, *first])]
        return [
            ParamRow(
                row.name,
                (row.before, row.after),
                row.texts,
                row.name in changed,
                row.factor if row.name in changed else None,
            )
            for row in rows
        ]

    def metric_rows(self) -> list[MetricRow]:
        """Return the metrics, the study's first, then by name."""
        names = sorted({*self.metrics[0], *self.metrics[1]}, key=lambda name: (name != self.direction.metric, name))
        return [self._metric_row(name) for name in names]

    def _metric_row(self, name: str) -> MetricRow:
        before, after = (metrics.get(name) for metrics in self.metrics)
        if before is None or after is None or not (is_finite(before) and is_finite(after)):
            return MetricRow(name, (before, after), None, None)
        falls, gain = self.direction.falls(name), after - before
        if falls is None or gain == 0:
            return MetricRow(name, (before, after), gain, None)
        return MetricRow(name, (before, after), gain, self.trials[(gain < 0) == falls].number)


def kind_of(name: str) -> Kind:
    """Return what an artifact is, by the ending of its name."""
    ending = PurePosixPath(name).suffix.lower()
    return "image" if ending in IMAGES else "text" if ending in TEXTS else "other"


def image_size(name: str, content: bytes) -> Two[int] | None:
    """Return width and height in pixels; None for what cannot be read, is too large to be opened, or tells no size."""
    size = _svg_size(content) if name.lower().endswith(".svg") else _raster_size(content)
    return size if size and size[0] * size[1] <= MOST_PIXELS else None


def _raster_size(content: bytes) -> Two[int] | None:
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about sizes, which are judged above
        try:
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "GIF", "WEBP")) as image:
                return image.size
        except Exception:  # what Pillow raises for a broken file is of many kinds
            return None


def _svg_size(content: bytes) -> Two[int] | None:
    """Read the size by its letters: the file is other people's, and parsing XML can be made to cost any amount."""
    tag = re.search(rb"<svg\b[^>]{0,4000}>", content[:20_000])
    sizes = [re.search(rb"\s%s\s*=\s*[\"'](\d{1,6})" % key, tag[0]) for key in (b"width", b"height")] if tag else []
    found = [int(size[1]) for size in sizes if size]
    return (found[0], found[1]) if len(found) == 2 else None


def shown_lines(content: bytes) -> tuple[list[str], int]:
    """Return a text artifact's lines, fit to be shown, and how many more there are; long lines are cut."""
    lines = content.decode("utf-8", "replace").splitlines()
    fit = [line.expandtabs(4) for line in lines[:MOST_LINES]]
    return [printable(cut(line, LONGEST_LINE)) for line in fit], len(lines) - len(fit)


def unified(difference: Difference, artifact: Artifact) -> list[str]:
    """Return the unified diff of a text artifact that both trials have, a line each, without the names of files."""
    shown = [file.shown for file in artifact.files if file is not None and file.shown is not None]
    if artifact.kind != "text" or len(shown) < 2:
        return []
    (before, _), (after, _) = map(shown_lines, shown)
    return list(difflib.unified_diff(before, after, *difference.labels, lineterm=""))


def told(difference: Difference, artifact: Artifact) -> str:
    """Return in words how the artifact's two files compare, and why one is not shown."""
    lacking = [label for label, file in zip(difference.labels, artifact.files, strict=True) if file is None]
    found = [file for file in artifact.files if file is not None]
    same = {True: "the same in both trials", False: "they differ", None: "too large to be compared"}[artifact.equal]
    words = [f"trial {lacking[0]} has no such artifact" if lacking else same]
    if artifact.kind != "other" and any(file.shown is None for file in found):
        large = any(file.size > LARGEST[artifact.kind] for file in found)
        words.append(f"more than {bytes_text(LARGEST[artifact.kind])} are not shown" if large else UNREADABLE)
    return "; ".join(words)
