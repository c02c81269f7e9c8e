"""The secrets that variables of this process hold, and the forms in which they may stand in a text."""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from urllib.parse import quote, quote_plus

# A password may hold `@` itself, so the last one before the host counts; a slash, a blank or a quote ends the search.
CREDENTIALS = re.compile(r"""([A-Za-z][A-Za-z0-9+.-]*://)([^\s/?#'"<>]*)@""")
_WORDS = (
    r"[A-Z]*(?:SECRET|PASSWORD|PASSPHRASE|TOKEN|APIKEY|CREDENTIAL)S?|[A-Z]*PASSWD"  # also PGPASSWORD
    r"|PASS|PWD|KEYS?|PAT|CREDS?|O?AUTH|DSN|CONN(?:ECTION)?_?STR(?:ING)?"
)
_NAME = re.compile(rf"(?<![A-Z])(?:{_WORDS})(?![A-Z])")  # whole words, so neither AUTHOR nor TOKENIZERS
_NO_SECRETS = {"PWD", "OLDPWD", "SSH_AUTH_SOCK"}  # two folders, and the way to an agent
_PAIR = re.compile(r"(?:^|;)\s*([\w ]+?)\s*=([^;]*)")  # of a connection string: `Server=db;Password=...`
_LAST_WORD = re.compile(rf"(?:{_WORDS})$")  # of `AccountKey`, the name of such a pair
_PLAIN = {"password", "passphrase", "credentials"}  # which every text about them holds
_SHORTEST = 8  # characters: a shorter text stands in a log for other reasons


def secrets_here() -> Iterator[tuple[str, str, str]]:
    """Yield the name of each variable that holds a secret, its value, and a form in which the secret may be found."""
    for name in list(os.environ):  # at once: another thread may take a variable away meanwhile
        value = os.environ.get(name, "")
        for secret in _secrets_of(name, value):
            for form in _forms(secret):
                yield name, value, form


def is_secret_name(name: str) -> bool:
    """Whether a variable of this name holds a secret: it has a whole word such as KEY or TOKEN."""
    return name not in _NO_SECRETS and bool(_NAME.search(name.upper()))


@lru_cache(maxsize=512)
def _secrets_of(name: str, value: str) -> tuple[str, ...]:
    """Return what of a variable's value is secret: all of it, its lines, and the parts of a connection string."""
    found = []
    if is_secret_name(name):
        found += [value, *value.splitlines(), *_members(value)]
    if "://" in value:
        found += [secret for match in CREDENTIALS.finditer(value) if (secret := _of_address(match[1], match[2]))]
    if ";" in value:
        found += [held for key, held in _PAIR.findall(value) if _LAST_WORD.search(key.upper())]
    kept = dict.fromkeys(each.strip() for each in found)
    return tuple(each for each in kept if len(each) >= _SHORTEST and not _is_plain(each))


def _of_address(scheme: str, credentials: str) -> str:
    """Return the password, else a token that stands alone; "" for `postgres:postgres` and for a user alone."""
    user, colon, password = credentials.partition(":")
    if password:
        return "" if password == user else password
    return user if not colon or scheme.startswith("http") else ""


def _members(value: str) -> list[str]:
    """Return the secret members of a JSON object, such as the private key of a service account."""
    with suppress(ValueError, RecursionError):
        form = json.loads(value)
        if isinstance(form, dict):
            texts = [item for key, item in form.items() if isinstance(item, str) and is_secret_name(key)]
            return [part for text in texts for part in (text, *text.splitlines())]
    return []


def _is_plain(text: str) -> bool:
    """Whether the text is a number, a word such as `password`, or the first or last line of every key."""
    with suppress(ValueError):
        float(text)
        return True
    return text.lower() in _PLAIN or (text.startswith("-----") and "\n" not in text)


@lru_cache(maxsize=1024)
def _forms(secret: str) -> tuple[str, ...]:
    """Return the secret as Python, JSON, URLs and base64 write it."""
    data = secret.encode("utf-8", "surrogateescape")
    quoted = [quote(data, safe=""), quote(data), quote_plus(data)]
    quoted += [re.sub("%..", lambda found: found[0].lower(), text) for text in quoted]
    written = [json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1]]
    encoded = [_base64(data, before) for before in range(3)]
    encoded += [text.translate(str.maketrans("+/", "-_")) for text in encoded]
    found = dict.fromkeys([secret, *written, repr(data)[2:-1], *quoted, *encoded])
    return tuple(form for form in found if len(form) >= _SHORTEST)


def _base64(data: bytes, before: int) -> str:
    """Return the characters that base64 writes for the data alone, where `before` bytes stand before it."""
    text = base64.b64encode(bytes(before) + data).decode()
    return text[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
