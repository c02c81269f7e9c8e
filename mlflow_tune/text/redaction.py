"""What must not be shown or stored: credentials within URIs, and what variables named like secrets hold."""

from __future__ import annotations

import os
import re

# A password may hold `@` itself, so the last one before the host counts; a slash, a blank or a quote ends the search.
_CREDENTIALS = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]*://)([^\s/?#'"<>]*)@""")
_NAME = re.compile(r"(SECRET|PASSWORD|PASSWD|TOKEN|KEY)$")
_SHORTEST = 8  # characters of what a variable holds: a shorter text stands in a log for other reasons
MASK = "***"


def without_credentials(text: str) -> str:
    """Return the text without the user names and passwords of the URIs in it; a bare user name stays (ssh://git@)."""
    return _CREDENTIALS.sub(_public, text) if "@" in text else text


def holds_credentials(text: str) -> bool:
    """Whether a URI in the text holds a password, or a user name where that may be a token: over http and https."""
    return without_credentials(text) != text


def _public(found: re.Match[str]) -> str:
    scheme, user = found.groups()
    return scheme if ":" in user or scheme.lower().startswith("http") else found[0]


def masked(text: str) -> str:
    """Return the text without credentials in URIs and without the values of secret variables of this process."""
    for secret in _secrets():
        text = text.replace(secret, MASK)
    return without_credentials(text)


def _secrets() -> list[str]:
    """Return what is held by the variables whose names end as those of secrets do, the longest first.

    A path is none: variables such as SSL_KEY name a file.
    """
    found = {value for name, value in os.environ.items() if _NAME.search(name.upper())}
    kept = (value for value in found if len(value) >= _SHORTEST and not value.startswith("/"))
    return sorted(kept, key=len, reverse=True)
