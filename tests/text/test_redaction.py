"""What variables named like secrets hold is found in any form in which code prints it, and nothing else is."""

from __future__ import annotations

import base64
import json
import os
import urllib.parse

import pytest

from mlflow_tune.launchers.output import TAIL_BYTES, Tail, how_it_ended
from mlflow_tune.text.redaction import masked, secret_within

NAMES = (
    "API_KEY",
    "API_KEY_2",
    "APIKEY",
    "SECRET_KEY_BASE",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_CREDENTIALS",
    "DB_PASS",
    "DB_PASSWORD",
    "MYSQL_PWD",
    "PGPASSWORD",
    "PGPASSWORD_1",
    "GITHUB_PAT",
    "GH_TOKEN",
    "TOKENS",
    "REDIS_AUTH",
    "SENTRY_DSN",
    "AZURE_STORAGE_CONNECTION_STRING",
    "app_secret",
    "DEPLOY_TOKEN_V2",
    "SSH_PASSPHRASE",
    "2ND_KEY",
    "SMTP_CREDS",
    "DB_CONN_STR",
)
NO_SECRETS = (
    "AUTHOR",
    "GIT_AUTHOR_NAME",
    "TOKENIZERS_PARALLELISM",
    "KEYBOARD",
    "MONKEY",
    "PATH",
    "PASSENGER",
    "COMPASS",
    "PWD",
    "OLDPWD",
    "SSH_AUTH_SOCK",
    "PATTERN",
    "SECRETARY",
    "XAUTHORITY",
)
VALUE = 'pla/nt+ed "se\'cret" \\ñ=%'


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no variable of the person who runs the tests."""
    for name in os.environ:
        if name != "PATH":
            monkeypatch.delenv(name)


@pytest.mark.parametrize("name", NAMES)
def test_a_variable_with_such_a_word_in_its_name_holds_a_secret(monkeypatch, name):
    monkeypatch.setenv(name, VALUE)
    assert masked(f"a {VALUE} b") == "a *** b"
    assert secret_within(f"a{VALUE}b") == name


@pytest.mark.parametrize("name", NO_SECRETS)
def test_other_words_that_hold_such_a_word_are_none(monkeypatch, name):
    monkeypatch.setenv(name, VALUE)
    assert masked(VALUE) == VALUE
    assert secret_within(VALUE) == ""


@pytest.mark.parametrize(
    "value", ["short", "12345678", "-1.5e300", "0123456789", "true", "FALSE", "       x", "password"]
)
def test_short_texts_numbers_and_truth_words_are_none(monkeypatch, value):
    monkeypatch.setenv("SORT_KEY", value)
    assert masked(f"{value} {value}") == f"{value} {value}"
    assert secret_within(value) == ""


def test_a_password_that_is_the_name_of_its_user_is_none(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://postgres:postgres@db/x")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "postgresql+psycopg2://postgres:@/mlflow?host=/tmp/x")
    assert masked("postgres") == "postgres"


def test_a_path_that_exists_is_masked_but_may_stand_in_a_study(monkeypatch, tmp_path):
    for path, name in ((tmp_path, ""), ("/not/here.pem", "SSL_KEY")):
        monkeypatch.setenv("SSL_KEY", str(path))
        assert masked(f"reading {path}") == "reading ***"
        assert secret_within(f"--key={path}") == name


FORMS = {
    "raw": lambda text: text,
    "repr": repr,
    "a dict's repr": lambda text: str({"KEY": text}),
    "the repr of bytes": lambda text: repr(text.encode()),
    "JSON": json.dumps,
    "JSON in Unicode": lambda text: json.dumps(text, ensure_ascii=False),
    "percent": lambda text: urllib.parse.quote(text, safe=""),
    "a path's percent": urllib.parse.quote,
    "a form's percent": urllib.parse.quote_plus,
    "percent in small letters": lambda text: urllib.parse.quote(text, safe="").replace("%2F", "%2f"),
    "colours": lambda text: "".join(f"\x1b[3{index % 8}m{char}\x1b[0m" for index, char in enumerate(text)),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 of URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "a login's base64": lambda text: base64.b64encode(f"me:{text}".encode()).decode(),
    "a longer login's base64": lambda text: base64.b64encode(f"user:{text}".encode()).decode(),
}


@pytest.mark.parametrize("form", FORMS)
def test_it_is_masked_in_every_form(monkeypatch, form):
    monkeypatch.setenv("API_KEY", VALUE)
    if form == "percent in small letters":
        monkeypatch.setenv("API_KEY", "only/slashes/here")
    value = os.environ["API_KEY"]
    shown = masked(f"<{FORMS[form](value)}>")
    assert "***" in shown
    assert len(shown) <= len("<{'KEY': '***'}>") + 12, "what is left of it tells next to nothing"
    assert secret_within(FORMS[form](value)) == ("" if form == "colours" else "API_KEY")


def test_each_line_of_a_key_is_masked(monkeypatch):
    lines = ["-----BEGIN PRIVATE KEY-----", "bGluZSBvbmUgb2YgaXQ", "bGluZSB0d28gb2YgaXQ", "-----END PRIVATE KEY-----"]
    monkeypatch.setenv("SIGNING_KEY", "\n".join(lines) + "\n")
    assert masked("\n".join(lines)) == "***"
    assert masked(lines[1]) == masked(f"{lines[2]}\r\n").strip() == "***"
    assert masked(repr("\n".join(lines))) == "'***'"
    assert masked(f"{lines[0]}\nanother\n") == f"{lines[0]}\nanother\n"
    monkeypatch.setenv("SIGNING_KEY", json.dumps({"private_key": "\n".join(lines), "project": "not-a-secret"}))
    assert masked(f"{lines[1]} of not-a-secret") == "*** of not-a-secret"


@pytest.mark.parametrize(
    ("name", "value", "secret"),
    [
        ("DATABASE_URL", "postgresql://me:planted-pw@db/x", "planted-pw"),
        ("REDIS_URL", "redis://:planted-pw@db", "planted-pw"),
        ("REMOTE", "https://planted-token@example.invalid/x.git", "planted-token"),
        ("BLOBS", "AccountName=me;AccountKey=planted-key==;Endpoint=x", "planted-key=="),
        ("DB", "Server=db;User Id=me;Password=planted-pw;", "planted-pw"),
    ],
)
def test_the_secret_of_a_connection_string_is_masked_by_itself(monkeypatch, name, value, secret):
    monkeypatch.setenv(name, value)
    assert masked(f"with {secret} as me") == "with *** as me"
    assert secret not in masked(value)


def test_a_secret_across_the_cut_is_masked_before_it(monkeypatch):
    monkeypatch.setenv("API_KEY", secret := "planted-secret-across-the-cut")
    for more in (0, 3 * TAIL_BYTES):
        tail = Tail()
        tail.feed(b"a" * more + secret.encode() + b"b" * (TAIL_BYTES - 1))
        note, kept = bytes(tail).split(b"\n", 1)
        assert TAIL_BYTES - len(secret) < len(kept) <= TAIL_BYTES
        assert note.endswith(b"earlier bytes were dropped]")
        assert b"planted" not in kept
        assert b"the-cut" not in kept
    many = Tail()
    for _ in range(300):
        many.feed(secret.encode() * 1000)
    assert b"cut" not in bytes(many)
    assert b"planted" not in bytes(many)


def test_a_reason_is_cut_when_its_secrets_are_masked(monkeypatch):
    monkeypatch.setenv("API_KEY", "planted-secret" * 20)
    tail = Tail()
    tail.feed(b"x" * 300 + b"planted-secret" * 20)
    assert "planted" not in how_it_ended(1, bytes(tail))
