"""What mlflow_tune/cli/JSON.md says of the JSON of each command."""

import re

from tests.fixtures import ROOT

PAGE = ROOT / "mlflow_tune" / "cli" / "JSON.md"


def documented() -> dict[str, list[str]]:
    """Return the keys of each command's object in their order, but for `schema`, which is the first of all."""
    found = {}
    for commands, keys in re.findall(r"^\| (`[a-z`, ]+`) \| (.+) \|$", PAGE.read_text(), re.MULTILINE):
        told = re.sub(r"\([^()]*\)", "", keys)  # what stands in brackets is about a key
        outer = re.split(r": each|; a row|: the|; with", told)[0]
        for command in re.findall(r"`(\w+)`", commands):
            found[command] = re.findall(r"`(\w+)`", outer)
    return found


def answered(command: str, told: dict) -> None:
    """Hold an answer against the page."""
    assert told["schema"] == 1
    assert list(told) == ["schema", *documented()[command]]
