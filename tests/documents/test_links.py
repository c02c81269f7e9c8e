"""Links within the repository: each leads to a file that exists, and to a heading that it has."""

from __future__ import annotations

import pytest

from tests.documents.markdown import DOCUMENTS, anchors, links, name_of, read
from tests.fixtures import ROOT

ELSEWHERE = ("https://", "http://")


def broken(document) -> list[str]:
    """Return the document's links that lead nowhere."""
    return [target for target in links(document) if not target.startswith(ELSEWHERE) and not leads(document, target)]


def leads(document, target: str) -> bool:
    name, _, anchor = target.partition("#")
    path = (document.parent / name).resolve() if name else document
    if not path.exists() or not path.is_relative_to(ROOT):
        return False
    return not anchor or (path.suffix == ".md" and anchor in anchors(path))


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_link_within_the_repository_leads_somewhere(document):
    assert broken(document) == []


def test_a_broken_link_would_be_found(tmp_path, monkeypatch):
    monkeypatch.setattr("tests.documents.test_links.ROOT", tmp_path)
    (tmp_path / "there.md").write_text("# A `heading`, twice\n## Twice\n## Twice\n")
    page = tmp_path / "page.md"
    right = "[a](there.md) [b](there.md#a-heading-twice) [c](there.md#twice-1) [`d`](#here) ![e](https://x.org/no.png)"
    page.write_text(
        f"# Here\n{right} [f](missing.md) [g](there.md#no) [h](#no) ![i](no.png) [j](../out.md) `[k](no)`\n"
    )
    assert broken(page) == ["missing.md", "there.md#no", "#no", "no.png", "../out.md"]


def test_every_document_is_reached_from_the_readme():
    reached, waiting = set(), [ROOT / "README.md"]
    while waiting:
        document = waiting.pop()
        if document in reached:
            continue
        reached.add(document)
        targets = (target.partition("#")[0] for target in links(document) if not target.startswith(ELSEWHERE))
        waiting += [path for target in targets if (path := (document.parent / target).resolve()).suffix == ".md"]
    assert {name_of(document) for document in DOCUMENTS} <= {name_of(document) for document in reached}


def test_the_readme_is_short():
    assert len(read(ROOT / "README.md").splitlines()) < 250
