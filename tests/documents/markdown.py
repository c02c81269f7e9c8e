"""Markdown, as far as the tests of documents read it: code blocks, links, headings, prose."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.fixtures import ROOT

FOLDERS = ("examples", "mlflow_tune", "projects", "tests")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\(([^()\s]+)\)")
_CODE = re.compile(r"`[^`\n]+`")


@dataclass(frozen=True)
class Block:
    """A fenced code block: the document that holds it, by its name in the repository, its language and its text."""

    document: str
    language: str
    text: str

    @property
    def first(self) -> str:
        """The first line, which names the block within its document."""
        return self.text.partition("\n")[0]

    @property
    def lines(self) -> list[str]:
        """The lines of a shell's block without comments, continued ones joined."""
        joined = re.sub(r"\\\n\s*", "", self.text)
        return [line for each in joined.splitlines() if (line := re.sub(r"\s+#.*$", "", each).strip())]


def name_of(document: Path) -> str:
    """Return the document's name in the repository."""
    return document.relative_to(ROOT).as_posix()


@cache
def read(document: Path) -> str:
    """Return the document's text."""
    return document.read_text(encoding="utf-8")


def blocks(document: Path) -> list[Block]:
    """Return the document's code blocks."""
    return [Block(name_of(document), language, text) for language, text in _FENCE.findall(read(document))]


def all_blocks(language: str | None = None) -> list[Block]:
    """Return the code blocks of all documents, or those in one language."""
    return [
        block for document in DOCUMENTS for block in blocks(document) if language is None or block.language == language
    ]


def block_of(name: str, first: str) -> Block:
    """Return the block of a document that begins with this line."""
    (found,) = (block for block in blocks(ROOT / name) if block.first == first)
    return found


def prose(document: Path) -> str:
    """Return the document without its code blocks."""
    return _FENCE.sub("", read(document))


def links(document: Path) -> Iterator[str]:
    """Yield the targets of the document's links and pictures."""
    yield from _LINK.findall(_CODE.sub("`code`", prose(document)))


@cache
def anchors(document: Path) -> frozenset[str]:
    """Return the anchors of the document's headings, as GitHub makes them."""
    found: Counter[str] = Counter()
    names = []
    for heading in re.findall(r"^#{1,6} (.+)$", prose(document), re.MULTILINE):
        text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        names.append(f"{slug}-{found[slug]}" if found[slug] else slug)
        found[slug] += 1
    return frozenset(names)


def section(document: Path, heading: str) -> str:
    """Return what stands under a heading of the second level."""
    text = read(document).partition(f"\n## {heading}\n")[2]
    assert text, f"{document} has no heading {heading!r}"
    return text.partition("\n## ")[0]
