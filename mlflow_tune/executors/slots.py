"""Which devices there are, and which of them each slot of a study has."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence

from mlflow_tune.errors import InputError
from mlflow_tune.launchers.output import last_lines
from mlflow_tune.launchers.slots import Slots, Tenancy
from mlflow_tune.spec.devices import AUTO, refuse_more_workers, trials_at_once
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.trial import Devices

# In this order: with two of ROCm's set, HIP_VISIBLE_DEVICES counts what ROCR_VISIBLE_DEVICES has left.
INHERITED = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
_NO_DEVICES = ("", "-1", "NoDevFiles", "none", "void")
_LISTED = re.compile(r"\s*(?:GPU (?P<gpu>\d+): |(?P<mig>MIG) ).*\(UUID: (?P<uuid>[^)]+)\)")
ASK_SECONDS = 60.0


@contextlib.contextmanager
def slots_of(spec: StudySpec) -> Iterator[Slots]:
    """Give the slots of a study's trials on this machine. Raises as `placed` does."""
    if not spec.placed:
        yield Slots([None] * spec.workers)
        return
    devices = placed(spec)
    with contextlib.closing(Tenancy()) as tenancy:
        yield Slots(devices, tenancy)


def placed(spec: StudySpec) -> list[Devices]:
    """Return the devices of each slot of a study that gives out some.

    Raises InputError, with its key, when there are none, or too few for its workers.
    """
    devices = found_devices(spec.gpus)
    refuse_more_workers(spec.workers, len(devices), spec.share, ", ".join(devices))
    return [devices_of(slot, devices, spec.share) for slot in range(spec.workers)]


def devices_of(slot: int, devices: Sequence[str], share: float) -> Devices:
    """Return the devices of a slot: so many of its own, or the one that it shares with as few others as can be."""
    if share < 1:
        return (devices[slot % len(devices)],)
    count = int(share)
    return tuple(devices[slot * count : (slot + 1) * count])


# --- which there are -------------------------------------------------------------------------------------------------


def found_devices(gpus: object, environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the devices that a study names by `gpus`: a list of them, a count, or `auto`.

    A count takes the first ones of the devices that this process was given, by CUDA_VISIBLE_DEVICES or ROCm's names;
    without any it trusts that there are so many. `auto` takes all that this process was given, else all that nvidia-smi
    lists. Raises InputError, key `gpus`, when there are none, or too few.
    """
    if isinstance(gpus, list):
        return [str(device) for device in gpus]
    given = _inherited(os.environ if environment is None else environment)
    if gpus == AUTO:
        return _listed() if given is None else given
    assert isinstance(gpus, int)
    if given is None:
        return [str(number) for number in range(gpus)]
    if len(given) < gpus:
        raise InputError(f"must be at most {len(given)}, for this process was given {', '.join(given)}", "gpus")
    return given[:gpus]


def _inherited(environment: Mapping[str, str]) -> list[str] | None:
    """Return the devices that this process was given, None when nobody has said.

    Raises InputError when somebody has given it none.
    """
    name = next((name for name in INHERITED if name in environment), None)
    if name is None:
        return None
    text = environment[name]
    devices: list[str] = []
    for word in map(str.strip, text.split(",")):
        if word in _NO_DEVICES:  # CUDA too goes no further
            break
        devices.append(word)
    if not devices:
        raise InputError(f"none found: {name}={text!r} gives this process none", "gpus")
    return list(dict.fromkeys(devices))


def _listed() -> list[str]:
    """Return the devices that nvidia-smi lists: GPUs by number, those that are divided by the UUIDs of their parts."""
    remedy = "name them in gpus, or in CUDA_VISIBLE_DEVICES"
    if (program := shutil.which("nvidia-smi")) is None:
        words = "none found: no CUDA_VISIBLE_DEVICES is set, and there is no nvidia-smi to ask"
        raise InputError(f"{words}: {remedy}", "gpus")
    try:
        asked = subprocess.run([program, "-L"], capture_output=True, timeout=ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"none found: nvidia-smi does not answer ({error}): {remedy}", "gpus") from None
    devices: dict[str, list[str]] = {}
    number = ""
    for line in asked.stdout.decode(errors="replace").splitlines():
        if not (found := _LISTED.match(line)):
            continue
        if found["gpu"]:
            number = found["gpu"]
            devices[number] = []
        elif number:
            devices[number].append(found["uuid"])
    if asked.returncode or not devices:
        said = last_lines(asked.stderr + asked.stdout) or "nothing"
        raise InputError(f"none found: nvidia-smi said {said}: {remedy}", "gpus")
    return [device for number, parts in devices.items() for device in parts or [number]]


# --- on a worker of a cluster ----------------------------------------------------------------------------------------

_taken: set[int] = set()
_lock = threading.Lock()


@functools.cache
def _own() -> list[str]:
    """Return the devices of this process, which stay the same while it lives."""
    return found_devices(AUTO)


@contextlib.contextmanager
def devices_here(share: float) -> Iterator[Devices]:
    """Give devices of this worker process, which no other trial in it has; the cluster counts how many trials it takes.

    Raises InputError when it has too few.
    """
    devices = _own()
    most = trials_at_once(len(devices), share)
    with _lock:
        slot = next((slot for slot in range(most) if slot not in _taken), None)
        if slot is None:
            message = (
                f"the worker takes more trials than its devices ({', '.join(devices)}) hold: correct its resource GPU"
            )
            raise InputError(message, "gpus")
        _taken.add(slot)
    try:
        yield devices_of(slot, devices, share)
    finally:
        with _lock:
            _taken.remove(slot)
