"""The HTML page of two trials side by side: self-contained, without a script, everything in it escaped."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from mlflow_tune.report.difference.difference import (
    IMAGES,
    Artifact,
    Content,
    Difference,
    Files,
    MetricRow,
    ParamRow,
    Two,
    shown_lines,
    told,
    unified,
)
from mlflow_tune.report.html import filled, number, picture
from mlflow_tune.report.table import seconds_of
from mlflow_tune.text import bytes_text, iso_time, seconds_text, short, trial_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL = 256  # pixels: a smaller image is shown with its pixels as squares, where smoothing would hide them
SIGNS = {"+": "good", "-": "bad", "@": "soft"}


def diff_html(difference: Difference, figures: Mapping[str, Figure], made: int = 0) -> str:
    """Return the page, in UTF-8 when encoded. `made` is the time of writing in milliseconds since the epoch."""
    first, second = difference.labels
    contents = {
        "name": f"{short(difference.study)}: {first} and {second}",
        "made": iso_time(made),
        "labels": difference.labels,
        "sentence": short(difference.sentence, 2000),
        "metric": short(difference.direction.metric),
        "sense": "lower is better" if difference.direction.goal == "minimize" else "higher is better",
        "facts": _facts(difference),
        "params": [_param(row) for row in difference.param_rows()],
        "metrics": [_metric(row) for row in difference.metric_rows()],
        "figures": [picture(figure) for figure in figures.values()],
        "files": difference.files and _files(difference.files),
        "complete": difference.files is None or difference.files.complete,
        "artifacts": [_artifact(difference, artifact) for artifact in difference.artifacts],
    }
    return filled("diff.html", contents)


def _facts(difference: Difference) -> list[tuple[str, Two[list[str]]]]:
    """Return what is told of each trial: a heading, and lines for each."""
    first, second = difference.trials
    seconds = [seconds_of(trial) for trial in difference.trials]
    rows: list[tuple[str, Two[list[str]]]] = [
        ("outcome", ([first.outcome or "running"], [second.outcome or "running"])),
        ("value", ([number(first.value)], [number(second.value)])),
        ("seconds", ([seconds_text(seconds[0], unit="")], [seconds_text(seconds[1], unit="")])),
        ("why", ([short(first.why)], [short(second.why)])),
        ("reason", ([short(first.reason, 1000)], [short(second.reason, 1000)])),
        ("diagnosis", (_lines(difference, 0), _lines(difference, 1))),
    ]
    return [row for row in rows if any(any(lines) for lines in row[1])]


def _lines(difference: Difference, side: int) -> list[str]:
    return [short(line, 1000) for line in difference.findings[side]]


def _param(row: ParamRow) -> dict[str, Any]:
    return {
        "name": short(row.name),
        "cells": [short(text) for text in row.texts],
        "changed": row.changed,
        "change": row.change,
    }


def _metric(row: MetricRow) -> dict[str, Any]:
    return {
        "name": short(row.name),
        "cells": [number(value) for value in row.values],
        "difference": row.gain,
        "better": trial_label(row.better),
    }


def _files(files: Files) -> list[tuple[str, list[str]]]:
    return [
        (short(name), [bytes_text(size) if has else "none" for has, size in zip(held, sizes, strict=True)])
        for name, held, sizes in files.rows()
    ]


def _artifact(difference: Difference, artifact: Artifact) -> dict[str, Any]:
    words = short(told(difference, artifact))
    sides = zip(difference.labels, artifact.files, strict=True)
    return {
        "name": short(artifact.name),
        "kind": artifact.kind,
        "told": f"{words[:1].upper()}{words[1:]}",
        "sides": [{"label": label, **_side(artifact, label, file)} for label, file in sides],
        "diff": [(line, SIGNS.get(line[:1], "")) for line in unified(difference, artifact)],
    }


def _side(artifact: Artifact, label: str, file: Content | None) -> dict[str, Any]:
    if file is None:
        return {"facts": "no such artifact", "shown": False}
    pixels = f", {file.pixels[0]} x {file.pixels[1]} pixels" if file.pixels else ""
    digest = f", SHA-256 {file.sha256}" if artifact.kind == "other" and file.sha256 else ""
    side = {"facts": f"{bytes_text(file.size)}{pixels}{digest}", "shown": file.shown is not None}
    if file.shown is None:
        return side
    if artifact.kind == "image":
        return {
            **side,
            **_image(artifact, file, file.shown),
            "alt": f"{short(artifact.name)} of {label}{pixels}",
        }
    lines, more = shown_lines(file.shown)
    return {**side, "text": "\n".join(lines), "more": more}


def _image(artifact: Artifact, file: Content, shown: bytes) -> dict[str, Any]:
    kind = IMAGES[PurePosixPath(artifact.name).suffix.lower()]
    width, height = file.pixels or (None, None)
    return {
        "image": f"data:{kind};base64,{base64.b64encode(shown).decode()}",
        "width": width,
        "height": height,
        "small": width is not None and width < SMALL and kind != "image/svg+xml",
    }
