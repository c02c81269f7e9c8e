"""The GPUs of a study: which ones, how many of them a trial gets, and how many trials that lets run at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

from mlflow_tune.errors import InputError
from mlflow_tune.spec import forms
from mlflow_tune.spec.forms import Written
from mlflow_tune.text import as_number, counted, number_text, shown

AUTO = "auto"
NONE = "none"
GIVEN: TypeAlias = str | int | list[int | str]
_RULE = "must be auto, none, a count such as 4, or a list of devices such as [0, 1]"
_DEVICE = re.compile(r"[A-Za-z]+-[\w./:-]{1,100}")  # a UUID of NVIDIA or AMD, or a MIG device


def as_gpus(value: object) -> GIVEN:
    """Return `auto`, `none`, a count or a list of devices; raise InputError otherwise.

    A command line writes a list as `0,1` or `[0, 1]`.
    """
    if isinstance(value, str):
        text = value.strip()
        if text in (AUTO, NONE):
            return text
        listed = text.startswith("[") and text.endswith("]")
        words = [word.strip() for word in text.strip("[]").split(",") if word.strip()]
        if text.isdecimal():
            value = int(text)
        elif listed or "," in text or _DEVICE.fullmatch(text):
            value = words
    if isinstance(value, list | tuple):
        return _devices(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise InputError(f"{_RULE}, but got {shown(value)}")
    if value < 1:
        raise InputError(f"must be at least 1, but got {value}; leave it out where trials need no device")
    return value


def _devices(given: Sequence[object]) -> list[int | str]:
    """Return the devices of a list. Raises InputError when it is empty, one is no device, or one comes twice."""
    devices = [_device(each) for each in given]
    if not devices:
        raise InputError("names no device; leave it out where trials need none")
    for device in devices:
        if devices.count(device) > 1:
            raise InputError(f"names the device {device} twice: gpus_per_trial, below 1, lets trials share devices")
    return devices


def _device(given: object) -> int | str:
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    if isinstance(given, str) and given.isdecimal():
        return int(given)
    if isinstance(given, str) and _DEVICE.fullmatch(given):
        return given
    raise InputError(f"a device is a number from 0, or a UUID such as GPU-8932f937 or MIG-6fd2c0a5, not {shown(given)}")


def as_share(value: object) -> float:
    """Return how many devices a trial gets: a whole number, or the part of one below 1; raise InputError otherwise."""
    share = as_number(value)
    if not 0 < share < float("inf") or (share > 1 and share != int(share)):
        raise InputError(f"must be a whole number of devices, or a part of one such as 0.5, but got {shown(value)}")
    return int(share) if share >= 1 else share


Gpus = Annotated[GIVEN, BeforeValidator(as_gpus), Written(forms.GPUS)]
Share = Annotated[float, BeforeValidator(as_share), Written(forms.NUMBER)]


def trials_at_once(devices: int, share: float) -> int:
    """Return how many trials may run at once on so many devices, each with its share of them."""
    return devices // int(share) if share >= 1 else devices * int(1 / share + 1e-9)


def refuse_more_workers(workers: int, devices: int, share: float, which: str = "") -> None:
    """Raise InputError, key `workers`, when so many trials at once are more than the devices (`which`) can hold."""
    if workers <= (most := trials_at_once(devices, share)):
        return
    each = f"{number_text(share)} of a device" if share < 1 else counted(int(share), "device")
    there = f"{counted(devices, 'device')}{which and f' ({which})'}"
    remedy = f"at most workers: {most}" if most else f"gpus_per_trial: {devices}"
    if most:
        part = 1000 // -(-workers // devices) / 1000
        remedy += f", or gpus_per_trial: {number_text(part)} where trials may share a device"
    asked = f"{counted(workers, 'trial')} at once, {each} each"
    raise InputError(f"{asked}, are more than {there} can hold: {remedy}", "workers")
