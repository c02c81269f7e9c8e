"""Sets of the words that names are made of."""

from __future__ import annotations


def word_set(text: str) -> frozenset[str]:
    """Return the words that stand in the text with blanks between them."""
    return frozenset(text.split())
