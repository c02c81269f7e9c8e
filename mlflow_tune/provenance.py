"""Where a study's code comes from: the tags that MLflow's own client would write, and the git commit."""

from __future__ import annotations

import logging
import subprocess
from pathlib import Path

logger = logging.getLogger(__name__)


def git_commit(folder: Path) -> str:
    """Return the commit that is checked out in `folder`, empty where there is none."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return answer.stdout.strip() if answer.returncode == 0 else ""


def user_tags() -> dict[str, str]:
    """Return who runs what, as MLflow's fluent API tags it: user, source, and what its plugins add."""
    from mlflow.tracking.context import registry

    tags: dict[str, str] = registry.resolve_tags()
    return tags


def source_tags(source: str, kind: str, folder: Path) -> dict[str, str]:
    """Return user, source and git commit as MLflow's fluent API tags them; its client leaves them out."""
    tags = user_tags()
    tags["mlflow.source.name"] = source
    tags["mlflow.source.type"] = "PROJECT" if kind == "project" else "LOCAL"
    tags.pop("mlflow.source.git.commit", None)
    if commit := git_commit(folder):
        tags["mlflow.source.git.commit"] = commit
    return tags


def tell_difference(recorded: str, folder: Path) -> None:
    """Warn when the code in `folder` is at another commit than the study's earlier trials."""
    current = git_commit(folder)
    if recorded and current and current != recorded:
        logger.warning("the code is at commit %s, but the study began at %s", current[:10], recorded[:10])
