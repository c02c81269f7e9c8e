"""The words that a name is made of, and sets of such words."""

from __future__ import annotations

import re


def words_of(name: str) -> list[str]:
    """Return the words of a name, in lower case: `maxDepth`, `max_depth` and `max-depth` have the same."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return [word for word in re.split(r"[^a-z0-9]+", apart) if word]


def word_set(text: str) -> frozenset[str]:
    """Return the words that stand in the text with blanks between them."""
    return frozenset(text.split())
