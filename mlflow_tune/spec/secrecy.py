"""What people write into a study holds no secret, for MLflow stores it: refused at every entry."""

from __future__ import annotations

from collections.abc import Mapping

from mlflow_tune.errors import InputError
from mlflow_tune.text.redaction import holds_credentials, secret_within


def refuse_secrets(form: object, key: str = "") -> None:
    """Raise InputError when a text within the form holds what a secret variable holds, or a URI with a password.

    The form is what JSON writes: a text, or lists and mappings of them; `key` is the path to it. What a tracking server
    holds already is not asked about: it may be equal to a variable of somebody who only looks at it.
    """
    if isinstance(form, Mapping):
        for name, inner in form.items():
            refuse_secrets(str(name), key)
            refuse_secrets(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(form, list | tuple):
        for index, inner in enumerate(form):
            refuse_secrets(inner, f"{key}.{index}" if key else str(index))
    elif isinstance(form, str):
        _refuse(form, key)


def _refuse(text: str, key: str) -> None:
    if variable := secret_within(text):
        raise InputError(
            f"must not hold what the variable {variable} holds, because MLflow stores it: let the training code read "
            "it from the variable",
            key,
        )
    refuse_password(text, key)


def refuse_password(text: str, key: str = "") -> None:
    """Raise InputError when a URI in the text holds a password."""
    if holds_credentials(text):
        raise InputError(
            "must hold no URI with a password, because MLflow stores it: let the training code read the password from "
            "an environment variable",
            key,
        )
