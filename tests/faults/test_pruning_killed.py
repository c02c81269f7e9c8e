"""Drivers that are killed while trials are being pruned: no trial is both pruned and finished, and none runs twice."""

from __future__ import annotations

import pytest

from tests.faults.pruning import killed_while_it_prunes


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_study_whose_driver_is_killed_while_it_prunes(seed, server, tmp_path):
    killed_while_it_prunes(server, tmp_path, seed, kills=3)
