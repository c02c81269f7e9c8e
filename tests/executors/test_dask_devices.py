"""Devices of trials on a real Dask cluster: elsewhere the workers give out their own, here the driver does."""

from __future__ import annotations

import os
import time
from itertools import pairwise

import pytest

from mlflow_tune import InputError
from tests.executors.test_executors import Cluster, study
from tests.fixtures.small_studies.helpers import runs_of, wait_for


def noting():
    """Return a function that tells what it sees of its place, and when; it travels by value, as no module is there."""

    def seen(x):
        begin = time.time()
        time.sleep(0.05)
        names = {"device": "CUDA_VISIBLE_DEVICES", "slot": "MLFLOW_TUNE_SLOT"}
        place = {key: int(os.environ[name]) for key, name in names.items()}
        return {"loss": x, "pid": os.getpid(), "begin": begin, "end": time.time(), **place}

    return seen


def at_no_instant_two(trials) -> bool:
    """Whether no two trials used one device at once."""
    uses = sorted((trial.metrics["device"], trial.metrics["begin"], trial.metrics["end"]) for trial in trials)
    return all(before[0] != after[0] or before[2] <= after[1] for before, after in pairwise(uses))


@pytest.mark.long
def test_a_cluster_places_trials_by_its_resource_and_the_worker_gives_out_its_own_devices(
    server, tmp_path, monkeypatch
):
    """One worker with two devices, and a scheduler that counts them; four workers of the study wait for these."""
    (tmp_path / "cluster").mkdir()
    lonely = Cluster(tmp_path / "cluster", workers=1)
    try:
        wait_for(lambda: _resources(lonely) == [0])  # before its worker is there, nobody knows what it will have
        given = {"objective": noting(), "workers": 4, "gpus": "auto", "stop": {"trials": 6}}
        with pytest.raises(
            InputError, match=r"^gpus: no worker of the cluster has 1 of the resource GPU \(at most 0\)"
        ):
            study(server, lonely, **given).run()
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5,6")
        lonely.add(4, "--resources", "GPU=2")
        wait_for(lambda: _resources(lonely) == [0, 2])
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        done = study(server, lonely, **given).run()
    finally:
        lonely.close()
    assert [trial.reason for trial in done.trials] == [""] * 6
    assert at_no_instant_two(done.trials)
    used = {(trial.metrics["device"], trial.metrics["pid"]) for trial in done.trials}
    assert sorted(device for device, _ in used) == [5, 6], "a process kept its device, and each had one process"
    told = {run.data.tags["tune.trial"]: run.data.tags["tune.devices"] for run in runs_of(server, done.spec.name)[1]}
    assert told == {str(trial.number): str(int(trial.metrics["device"])) for trial in done.trials}


def _resources(cluster: Cluster) -> list[float]:
    from distributed import Client

    with Client(cluster.address, set_as_default=False) as client:
        workers = client.scheduler_info(n_workers=-1)["workers"].values()
        return sorted(worker["resources"].get("GPU", 0) for worker in workers)


@pytest.mark.long
def test_a_cluster_of_this_machine_has_a_worker_a_slot(sqlite_store):
    done = study(
        sqlite_store, objective=noting(), executor={"dask": "local"}, gpus=["3", "8"], stop={"trials": 6}, name="here"
    ).run()
    assert [trial.reason for trial in done.trials] == [""] * 6
    assert at_no_instant_two(done.trials)
    assert {(trial.metrics["slot"], trial.metrics["device"]) for trial in done.trials} == {(0, 3), (1, 8)}
    assert len({trial.metrics["pid"] for trial in done.trials}) == 2, "a process kept neither its slot nor its devices"
    told = {run.data.tags["tune.trial"]: run.data.tags["tune.devices"] for run in runs_of(sqlite_store, "here")[1]}
    assert told == {str(trial.number): str(int(trial.metrics["device"])) for trial in done.trials}
