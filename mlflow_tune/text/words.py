"""Counts and lists in words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence


def plural(noun: str, count: float) -> str:
    """Return the noun as it follows the count: `trial` after 1, else `trials`."""
    return noun if count == 1 else f"{noun}s"


def counted(count: int, noun: str) -> str:
    """Return how many there are: `1 trial`, `2 trials`."""
    return f"{count} {plural(noun, count)}"


def some_of(words: Sequence[object], most: int) -> str:
    """Return the words with commas between them, at most so many, and how many more there are: `a, b and 3 more`."""
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(map(str, words[:most])) + more


def tally(words: Iterable[str]) -> str:
    """Return how often each of the words comes, by name: `1 failed, 12 ok`; empty for none."""
    return ", ".join(f"{count} {word}" for word, count in sorted(Counter(words).items()))


def trial_label(number: int | None) -> str:
    """Return how a trial is called: `#007`; empty for None."""
    return "" if number is None else f"#{number:03d}"


def words_of(name: str) -> list[str]:
    """Return the words of a name in lower case: `maxDepth`, `max_depth` and `max-depth` have the same."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    return [word for word in re.split(r"[^a-z0-9]+", apart) if word]
