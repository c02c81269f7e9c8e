"""What must not be shown or stored: credentials within URIs, and what variables named like secrets hold."""

from __future__ import annotations

import os
import re

from mlflow_tune.text.secrets import CREDENTIALS, secrets_here

_COLOURS = re.compile(r"(?:\x1b\[[0-?]*[ -/]*[@-~])+")
MASK = "***"


def without_credentials(text: str) -> str:
    """Return the text without the user names and passwords of the URIs in it; a bare user name stays (ssh://git@)."""
    return CREDENTIALS.sub(_public, text) if "@" in text else text


def holds_credentials(text: str) -> bool:
    """Whether a URI in the text holds a password, or a user name where that may be a token: over http and https."""
    return without_credentials(text) != text


def _public(found: re.Match[str]) -> str:
    scheme, user = found.groups()
    return scheme if ":" in user or scheme.lower().startswith("http") else found[0]


def masked(text: str) -> str:
    """Return the text without credentials in URIs and without the secrets that variables of this process hold.

    They are found as they stand, by lines, as Python, JSON, URLs and base64 write them, and with colour codes within.
    """
    coloured = _COLOURS.search(text) is not None
    plain = _COLOURS.sub("", text) if coloured else ""
    for form in sorted({form for _, _, form in secrets_here()}, key=len, reverse=True):
        text = text.replace(form, MASK)
        if coloured and form in plain:
            text = re.sub(f"(?:{_COLOURS.pattern})?".join(map(re.escape, form)), MASK, text)
    return without_credentials(text)


def masked_bytes(data: bytes) -> bytes:
    """Return what a process printed as `masked` does; bytes that are no UTF-8 stay as they are."""
    return masked(data.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def secret_within(text: str) -> str:
    """Return the name of a variable whose secret the text holds, "" when there is none.

    A path that exists is none here: variables such as SSL_KEY name a file, and so may a study.
    """
    for name, value, form in secrets_here():
        if form in text and not os.path.exists(value):  # noqa: PTH110  Path.exists raises for what is no path at all
            return name
    return ""
