"""What is known of one parameter of the code for which a study is drafted, wherever it is declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """One parameter: `type` is int, float, bool, list, string, path or uri; `default` None where none is written out.

    `choices` are the values that it may have, `low` and `high` its bounds, where they are declared. `words` are those
    that give it to a command: one, or the words of a group. The code does not start without one that is `required`.
    `stays` says why a study must not give it a value; "" where it may.
    """

    name: str
    type: str = "string"
    default: Any = None
    required: bool = False
    choices: Sequence[Any] = ()
    low: float | None = None
    high: float | None = None
    words: Sequence[str] = ()
    stays: str = ""

    @property
    def grouped(self) -> bool:
        """Whether its words go together: they vanish with a value that is false, and a list gives several."""
        return len(self.words) > 1 or self.type == "list"


def kind_of(default: Any) -> str:
    """Return the type of a default as a parameter has it."""
    if isinstance(default, bool):
        return "bool"
    return "int" if isinstance(default, int) else "float" if isinstance(default, float) else "string"
