"""The short form of `python -m tests.faults kills`, and what its counts would notice."""

from __future__ import annotations

import pytest

from tests.faults.campaign import COMMANDS, GRID, Campaign


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_study_whose_commands_are_killed_loses_nothing(sqlite_store, tmp_path):
    campaign = Campaign(sqlite_store, "function", tmp_path / "1", seed=1)
    found = campaign.run(2 * len(COMMANDS))
    assert (found.kills.total(), found.wrong) == (2 * len(COMMANDS), 0), found

    # What is wrong is counted: a result that is gone, one twice, a run that is open.
    client = campaign._client
    ok = [run for run in campaign._children() if run.data.tags.get("tune.outcome") == "ok"]
    first, second, third, *_ = [run for run in ok if campaign._point(run) in GRID]
    client.delete_run(first.info.run_id)
    client.set_tag(second.info.run_id, "tune.params", third.data.tags["tune.params"])
    client.create_run(second.info.experiment_id)
    campaign._count()
    assert (campaign.counts.lost, campaign.counts.twice, campaign.counts.running) == (2, 1, 1)
