"""What a shell completes the argument STUDY to: names of a local store's studies, and study files."""

from __future__ import annotations

import re
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from mlflow_tune.tracking.local_names import local_study_names

FILES = (".yaml", ".yml")
_ONE_WORD = re.compile(r"[\w.+-]+")  # what a shell takes as one word, and a terminal as text


def complete_study(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Return the studies, and the study files here, whose names begin so; where none does, the shell offers files."""
    typed = (each.params.get("tracking_uri") for each in (ctx, ctx.parent) if each is not None)
    files = sorted(file.name for file in Path().iterdir() if file.suffix in FILES)
    words = [*local_study_names(next(filter(None, typed), None)), *files]
    fitting = [word for word in words if word.startswith(incomplete) and _ONE_WORD.fullmatch(word)]
    return [CompletionItem(incomplete, type="file"), *map(CompletionItem, fitting)]
