"""The short form of tests/benchmarks/soak.py: a driver does not grow with its trials; the benchmark would notice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.benchmarks.soak import Sample, broken_promises, soak

LEVEL = Sample(trials=30, memory=200, threads=3, descriptors=9, files=0, requests=4.2, seconds=0.05, work=0.01)


@pytest.mark.long
@pytest.mark.parametrize("trials", [100, pytest.param(300, marks=pytest.mark.long)])
def test_a_driver_of_many_trials_stays_as_it_was(trials, server, tmp_path):
    samples = soak(server, trials, 1, tmp_path)
    assert [sample.trials for sample in samples] == list(range(trials // 10, trials + 1, trials // 10))
    assert broken_promises(samples) == []


@pytest.mark.parametrize(
    ("grown", "words"),
    [
        ({"memory": 270}, "memory grew from 200 to 270"),
        ({"threads": 33}, "threads grew from 3 to 33"),
        ({"descriptors": 309}, "descriptors grew"),
        ({"files": 300}, "files grew"),
        ({"requests": 9.2}, "requests of a trial grew from 4.20 to 9.20"),
        ({"work": 0.1}, "work for a trial grew"),
    ],
    ids=lambda value: value.split()[0] if isinstance(value, str) else "",
)
def test_the_benchmark_notices_what_grows(grown, words):
    [found] = broken_promises([LEVEL, replace(LEVEL, trials=300, **grown)])
    assert words in found
    assert broken_promises([LEVEL, replace(LEVEL, trials=300, requests=6.5, seconds=1.2)]) == [], "paced in time"
