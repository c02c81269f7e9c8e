"""Which devices there are, which of them each slot has, and what trials see of theirs: no GPU is needed."""

from __future__ import annotations

import json
import os
import signal
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

import pytest

from mlflow_tune import InputError, Study, StudyConflict
from mlflow_tune.executors.slots import devices_here, devices_of, found_devices
from mlflow_tune.launchers.slots import Tenancy
from tests.fixtures.small_studies.helpers import outcomes, runs_of, start, study_file, study_folder, tune, wait_for

SMI = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-5d5ba0d6-d33d-2b2c-524d-9e3d8d2b8a77)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaaaaaa-d33d-2b2c-524d-9e3d8d2b8a77)
  MIG 1g.5gb      Device  0: (UUID: MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f)
  MIG 1g.5gb      Device  1: (UUID: MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb)
GPU 2: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbbbbbb-d33d-2b2c-524d-9e3d8d2b8a77)
"""

# --- which there are --------------------------------------------------------------------------------------------------


def fake_nvidia_smi(monkeypatch, folder: Path, text: str | None = None, code: int = 0) -> None:
    """Put a nvidia-smi that says this before all others on PATH, or take it away."""
    tools = folder / "tools"
    tools.mkdir()
    if text is not None:
        program = tools / "nvidia-smi"
        (tools / "said").write_text(text)
        program.write_text(f'#!/bin/sh\n[ "$1" = -L ] && /bin/cat {tools}/said\nexit {code}\n')
        program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))


@pytest.mark.parametrize(
    ("environment", "devices"),
    [
        ({"CUDA_VISIBLE_DEVICES": "2,3"}, ["2", "3"]),
        ({"CUDA_VISIBLE_DEVICES": " 5 , GPU-8932f937,MIG-6fd2c0a5"}, ["5", "GPU-8932f937", "MIG-6fd2c0a5"]),
        ({"CUDA_VISIBLE_DEVICES": "1,-1,2"}, ["1"]),
        ({"CUDA_VISIBLE_DEVICES": "1,1,2"}, ["1", "2"]),
        ({"HIP_VISIBLE_DEVICES": "1,2"}, ["1", "2"]),
        ({"ROCR_VISIBLE_DEVICES": "4,5", "HIP_VISIBLE_DEVICES": "0,1"}, ["4", "5"]),
    ],
)
def test_auto_takes_the_share_that_a_scheduler_has_given(environment, devices):
    assert found_devices("auto", environment) == devices
    assert found_devices(1, environment) == devices[:1]
    assert found_devices([7, "GPU-1"], environment) == ["7", "GPU-1"], "a list is what its writer wants"
    with pytest.raises(InputError, match=rf"^gpus: must be at most {len(devices)}, for this process was given "):
        found_devices(len(devices) + 1, environment)


@pytest.mark.parametrize("value", ["", "-1", "NoDevFiles"])
@pytest.mark.parametrize("gpus", ["auto", 2])
def test_a_share_without_devices_is_told(value, gpus):
    with pytest.raises(InputError, match=rf"^gpus: none found: CUDA_VISIBLE_DEVICES='{value}' gives this process none"):
        found_devices(gpus, {"CUDA_VISIBLE_DEVICES": value})


def test_auto_asks_nvidia_smi_where_nobody_has_given_a_share(monkeypatch, tmp_path):
    fake_nvidia_smi(monkeypatch, tmp_path, SMI)
    parts = ["MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", "MIG-cba663e8-9bed-5b25-b243-5985ef7c9beb"]
    assert found_devices("auto", {}) == ["0", *parts, "2"]
    assert found_devices(2, {}) == ["0", "1"], "a count is trusted"


@pytest.mark.parametrize(
    ("said", "code", "words"),
    [
        (None, 0, "no CUDA_VISIBLE_DEVICES is set, and there is no nvidia-smi to ask"),
        (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
            9,
            "said NVIDIA-SMI has fail",
        ),
        ("No devices found.", 0, "nvidia-smi said No devices found"),
        ("", 0, "nvidia-smi said nothing"),
    ],
)
def test_where_there_are_none_the_error_says_what_was_looked_for(monkeypatch, tmp_path, said, code, words):
    fake_nvidia_smi(monkeypatch, tmp_path, said, code)
    with pytest.raises(InputError, match=rf"^gpus: none found: .*{words}.*: name them in gpus, or in CUDA_VISIBLE"):
        found_devices("auto", {})


@pytest.mark.parametrize(
    ("share", "placed"),
    [
        (1, [("a",), ("b",), ("c",), ("d",)]),
        (2, [("a", "b"), ("c", "d")]),
        (0.5, [("a",), ("b",), ("c",), ("d",), ("a",), ("b",), ("c",), ("d",)]),
    ],
)
def test_each_slot_has_its_share(share, placed):
    assert [devices_of(slot, ["a", "b", "c", "d"], share) for slot in range(len(placed))] == placed


def test_a_worker_of_a_cluster_gives_out_its_own_and_no_more(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,5")
    with devices_here(1) as first:
        with devices_here(1) as second:
            assert (first, second) == (("4",), ("5",))
            with pytest.raises(InputError, match=r"more trials than its devices \(4, 5\) hold"), devices_here(1):
                pass
        with devices_here(1) as third:
            assert third == second


# --- after an earlier driver ------------------------------------------------------------------------------------------


def test_the_next_driver_waits_for_what_an_earlier_one_has_left(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    first, second, other = Tenancy(), Tenancy(), Tenancy()
    watched = first.hold()
    first.begin("study")
    other.begin("another study")
    with pytest.raises(StudyConflict, match=r"earlier driver still run .* and hold its devices \(.* is locked"):
        second.begin("study", seconds=0)
    os.close(watched)
    second.begin("study")
    first.close()
    os.close(second.hold())  # the earlier driver, which has slept until now, leaves the file to the later one
    second.close()
    assert second.hold() == -1
    other.close()
    assert not list(tmp_path.iterdir())


# --- what trials see --------------------------------------------------------------------------------------------------

SPACE = {"x": {"type": "int", "low": 1, "high": 12, "grid": list(range(1, 13))}}


def study(uri: str, folder: Path, **changes) -> Study:
    """Return a study of calls that note in `folder` which devices they use, and how long anything of them does."""
    return Study(
        name=f"placed-{uuid4().hex}", run={"function": "objectives:placed"}, space=SPACE, metric="loss",
        strategy="grid", tracking_uri=uri, folder=study_folder(folder), **changes,
    )  # fmt: skip


def uses(folder: Path) -> list[dict]:
    """Return what the trials have noted: slot, devices, and the first and the last moment of their use."""
    noted = []
    for path in folder.glob("use-*"):
        head, *moments = path.read_text().split("\n")[:-1]
        noted.append({**json.loads(head), "begin": float(moments[0]), "end": float(moments[-1])})
    return noted


def most_at_once(noted: Iterable[dict], key: str = "devices") -> dict[str, int]:
    """Return for each device how many trials have used it at one instant."""
    steps = defaultdict(list)
    for use in noted:
        for device in use[key].split(","):
            steps[device] += [(use["begin"], 1), (use["end"], -1)]
    most = {}
    for device, changes in steps.items():
        held = [0]
        for _, change in sorted(changes):
            held.append(held[-1] + change)
        most[device] = max(held)
    return most


@pytest.mark.slow
def test_four_workers_share_four_devices_out_also_after_kills_and_timeouts(sqlite_store, tmp_path):
    """What was killed has left a process that ignores SIGTERM and uses the device as long as it lives."""
    done = study(
        sqlite_store, tmp_path, workers=4, gpus=[0, 1, 2, 3], timeout="4s", retries=1,
        parameters={"folder": str(tmp_path), "together": 4, "dies": 5, "hangs": 6},
    ).run()  # fmt: skip
    found = {(trial.number, trial.attempt): trial.outcome for trial in done.trials}
    assert found == {(number, 2 if number in (5, 6) else 1): "ok" for number in range(1, 13)}
    noted = uses(tmp_path)
    assert len(noted) == 14
    assert most_at_once(noted) == {"0": 1, "1": 1, "2": 1, "3": 1}
    assert {(use["slot"], use["devices"]) for use in noted} == {(str(n), str(n)) for n in range(4)}
    assert all((use["rocr"], use["hip"]) == (use["devices"], "0") for use in noted)
    assert all(use["imported"] == use["devices"] for use in noted), "devices were set after the code was imported"
    processes = {(use["pid"], use["slot"]) for use in noted}
    assert len(processes) == len(dict(processes)) > 4, "a process kept its slot, and one that died was replaced"
    _, children = runs_of(sqlite_store, done.spec.name)
    told = {(run.data.tags["tune.trial"], run.data.tags["tune.devices"]) for run in children}
    assert told == {(str(use["x"]), use["devices"]) for use in noted}


@pytest.mark.slow
def test_eight_workers_at_half_a_device_are_no_three_on_one(sqlite_store, tmp_path):
    done = study(
        sqlite_store, tmp_path, workers=8, gpus=4, gpus_per_trial=0.5,
        parameters={"folder": str(tmp_path), "together": 8},
    ).run()  # fmt: skip
    assert {trial.outcome for trial in done.trials} == {"ok"}
    assert most_at_once(uses(tmp_path)) == {"0": 2, "1": 2, "2": 2, "3": 2}
    assert most_at_once(uses(tmp_path), "slot") == {str(slot): 1 for slot in range(8)}


@pytest.mark.long
def test_a_resume_after_a_kill_waits_until_the_devices_are_free(sqlite_store, tmp_path):
    (tmp_path / "tmp").mkdir()
    file = study_file(
        tmp_path, run={"function": "objectives:placed", "parameters": {"folder": str(tmp_path), "holds": True}},
        workers=2, space={**SPACE, "x": {**SPACE["x"], "grid": [1, 2, 3]}},
    )  # fmt: skip
    here = {"TMPDIR": str(tmp_path / "tmp"), "MLFLOW_TUNE_LEASE": "3s"}
    driver = start(["run", file, "--gpus", "GPU-a1,GPU-b2"], tmp_path, sqlite_store, **here)
    wait_for(lambda: len(uses_begun(tmp_path)) == 2)
    os.kill(driver.pid, signal.SIGKILL)
    (tmp_path / "go").touch()
    driver.wait()
    again = tune(["resume", file, "--gpus", "GPU-b2,GPU-a1", "-v"], tmp_path, sqlite_store, **here)
    assert again.code == 0, again.err.read_text()
    noted = uses(tmp_path)
    assert len(noted) == 5
    assert most_at_once(noted) == {"GPU-a1": 1, "GPU-b2": 1}
    assert not list((tmp_path / "tmp").glob("mlflow-tune-*.lock"))
    parent, children = runs_of(sqlite_store, file_name(file))
    assert [each[:3] for each in outcomes(children)] == [
        (1, 1, "interrupted"), (1, 2, "ok"), (2, 1, "interrupted"), (2, 2, "ok"), (3, 1, "ok"),
    ]  # fmt: skip
    assert parent.data.tags["tune.gpus"] == '["GPU-b2","GPU-a1"]'


def uses_begun(folder: Path) -> list[Path]:
    return [path for path in folder.glob("use-*") if path.read_text().count("\n") > 1]


def file_name(file: Path) -> str:
    return file.read_text().partition("name: ")[2].split()[0]


# --- what is refused --------------------------------------------------------------------------------------------------


def test_five_workers_on_four_devices_are_refused_before_a_run_is_made(sqlite_store, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3")
    five = {"name": "five", "objective": abs, "space": SPACE, "metric": "loss", "tracking_uri": sqlite_store,
            "workers": 5, "strategy": "grid"}  # fmt: skip
    words = r"^workers: 5 trials at once, 1 device each, are more than 4 devices \(0, 1, 2, 3\) can hold: at most work"
    with pytest.raises(InputError, match=words):
        Study(**five, gpus="auto").run()
    with pytest.raises(InputError, match=words):
        Study(**five, gpus=[0, 1, 2, 3])
    assert runs_of(sqlite_store, "five") == (None, [])


def test_whoever_runs_the_trials_gives_them_their_devices(sqlite_store):
    from concurrent.futures import ThreadPoolExecutor

    asked = Study(name="asked", space=SPACE, metric="loss", strategy="grid", tracking_uri=sqlite_store, gpus=2)
    with pytest.raises(InputError, match=r"^gpus: whoever runs the trials gives them their devices"):
        asked.ask()
    given = Study(
        name="g", objective=abs, space=SPACE, metric="loss", strategy="grid", tracking_uri=sqlite_store, gpus=2
    )
    with pytest.raises(InputError, match=r"^gpus: whoever"), ThreadPoolExecutor(1) as executor:
        given.run(executor=executor)


@pytest.mark.slow
def test_one_worker_with_a_device_is_a_process_of_its_own_and_resume_may_take_the_device_away(sqlite_store, tmp_path):
    def objective(x):
        return {"loss": x, "pid": os.getpid(), "slot": int(os.environ["MLFLOW_TUNE_SLOT"]),
                "device": int(os.environ.get("CUDA_VISIBLE_DEVICES", "-1"))}  # fmt: skip

    done = Study(
        name="alone", objective=objective, space=SPACE, metric="loss", strategy="grid", stop={"trials": 1}, gpus=[3],
        tracking_uri=sqlite_store,
    ).run()  # fmt: skip
    [first] = done.trials
    assert first.metrics["pid"] != os.getpid()
    assert (first.metrics["slot"], first.metrics["device"]) == (0, 3)
    again = Study.load("alone", objective=objective, tracking_uri=sqlite_store).resume("+1", gpus="none")
    second = again.trials[1]
    assert second.metrics["pid"] == os.getpid()
    assert (second.metrics["slot"], second.metrics["device"]) == (0, -1)
    _, children = runs_of(sqlite_store, "alone")
    assert [run.data.tags.get("tune.devices") for run in children] == ["3", None]
    assert "MLFLOW_TUNE_SLOT" not in os.environ
