"""The spelling of documents, messages, docstrings and comments, by codespell.

Of the tests the documents alone: their code misspells on purpose.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.documents.markdown import DOCUMENTS
from tests.fixtures import ROOT


def misspelt(*paths: Path) -> subprocess.CompletedProcess[str]:
    """Hold the files to codespell, as pyproject.toml sets it up."""
    code = "import sys; from codespell_lib import main; sys.exit(main(*sys.argv[1:]))"
    words = [sys.executable, "-c", code, "--toml", "pyproject.toml", *map(str, paths)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_no_word_is_misspelt():
    done = misspelt(*DOCUMENTS, *(ROOT / folder for folder in ("mlflow_tune", "examples", "projects")))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_misspelt_word_would_be_found(tmp_path):
    (tmp_path / "page.md").write_text("This sentence has a mispelled word.\n")
    assert "mispelled ==> misspelled" in misspelt(tmp_path / "page.md").stdout
