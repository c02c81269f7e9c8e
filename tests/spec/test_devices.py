"""What a study file may say of GPUs, and how many trials they let run at once."""

from __future__ import annotations

import pytest

from mlflow_tune import InputError
from mlflow_tune.spec.devices import as_gpus, as_share, refuse_more_workers, trials_at_once
from mlflow_tune.spec.study_file import parse_study

STUDY = {
    "name": "s",
    "run": {"command": ["train", "{x}"]},
    "metric": "loss",
    "space": {"x": {"type": "float", "low": 0, "high": 1}},
    "strategy": "random",
    "stop": {"trials": 4},
}
UUID, MIG = "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/0"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("auto", "auto"), ("none", "none"), (4, 4), ("4", 4), ([0, 1], [0, 1]), ((2,), [2]), ("0,1", [0, 1]),
        ("[0, 1]", [0, 1]), ("[3]", [3]), ("3,", [3]), (["1", "0"], [1, 0]), (UUID, [UUID]), ([UUID, MIG], [UUID, MIG]),
        (f"{MIG},{UUID}", [MIG, UUID]),
    ],
)  # fmt: skip
def test_devices_are_named_in_any_of_these_ways(written, meant):
    assert as_gpus(written) == meant
    kept = parse_study({**STUDY, "gpus": written}).model_dump(mode="json", exclude_none=True)
    assert kept["gpus"] == meant
    assert parse_study(kept).gpus == meant, "what the server holds says the same"


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (True, r"must be auto, none, a count such as 4, or a list of devices such as \[0, 1\], but got True"),
        (1.5, "must be auto"), ("all", "must be auto"), ({}, "must be auto"), (0, "must be at least 1, but got 0"),
        (-1, "must be at least 1"), ([], "names no device"), ("[]", "names no device"),
        ([0, "0"], "names the device 0 twice: gpus_per_trial, below 1"), ([0, None], "a device is a number from 0"),
        ([-1], "a device is a number from 0"), (["cuda:0"], "a device is a number from 0"),
        (["GPU-1\n2"], "a device is"), ([["0"]], "a device is"), ([True], "a device is"),
    ],
)  # fmt: skip
def test_what_names_no_devices_is_refused(written, words):
    with pytest.raises(InputError, match=rf"^gpus: .*({words})"):
        parse_study({**STUDY, "gpus": written})


@pytest.mark.parametrize(("written", "meant"), [(1, 1), (2.0, 2), ("0.5", 0.5), (0.25, 0.25)])
def test_a_trial_gets_whole_devices_or_a_part_of_one(written, meant):
    assert as_share(written) == meant
    assert parse_study({**STUDY, "gpus": 2, "gpus_per_trial": written}).share == meant


@pytest.mark.parametrize("written", [0, -1, 1.5, "much", float("inf"), True])
def test_other_shares_are_refused(written):
    with pytest.raises(InputError, match=r"^gpus_per_trial: must be "):
        parse_study({**STUDY, "gpus": 2, "gpus_per_trial": written})


@pytest.mark.parametrize(
    ("devices", "share", "most"),
    [(4, 1, 4), (4, 2, 2), (5, 2, 2), (1, 2, 0), (4, 0.5, 8), (1, 0.1, 10), (3, 0.3, 9), (2, 0.7, 2), (1, 1 / 3, 3)],
)
def test_so_many_trials_run_at_once(devices, share, most):
    assert trials_at_once(devices, share) == most
    refuse_more_workers(most, devices, share)
    with pytest.raises(InputError, match=rf"^workers: {most + 1} trials? at once, "):
        refuse_more_workers(most + 1, devices, share)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"workers": 5, "gpus": [0, 1, 2, 3]},
            r"^workers: 5 trials at once, 1 device each, are more than 4 devices \(0, 1, 2, 3\) can hold: at most "
            r"workers: 4, or gpus_per_trial: 0\.5 where trials may share a device$",
        ),
        (
            {"workers": 9, "gpus": 4, "gpus_per_trial": 0.5},
            r"9 trials at once, 0\.5 of a device each, are more than 4 devices can hold: at most workers: 8, or "
            r"gpus_per_trial: 0\.333 ",
        ),
        ({"workers": 1, "gpus": 1, "gpus_per_trial": 2}, r"1 trials? at once, 2 devices each, .* gpus_per_trial: 1$"),
        ({"gpus_per_trial": 0.5}, r"^gpus: says how many devices a trial gets of those that gpus names: give gpus too"),
        ({"gpus": 4, "executor": {"dask": "tcp://there:8786"}}, r"^gpus: the workers of a Dask cluster have dev"),
    ],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(changes, words):
    with pytest.raises(InputError, match=words):
        parse_study({**STUDY, **changes})


def test_a_study_without_devices_is_kept_as_before():
    assert not {"gpus", "gpus_per_trial"} & set(parse_study(STUDY).model_dump(mode="json", exclude_none=True))
