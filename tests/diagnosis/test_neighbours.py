"""What a study's other trials speak against is never proposed."""

from __future__ import annotations

import pytest

from mlflow_tune.diagnosis import Neighbours, neighbours, suggestions
from mlflow_tune.diagnosis.finding import Finding
from mlflow_tune.space import Float, Space
from mlflow_tune.trial import Trial

SPACE = Space({"lr": Float(1e-4, 1.0, log=True, role="learning_rate")})
STUCK = [Finding("not-learning", "loss", (0, 9), "it does not learn", {"rises": 0.1, "fall": 0.5})]
WILD = [Finding("diverged", "loss", (0, 9), "it diverged")]


def trial(number: int, lr: float, value: float | None, outcome: str = "ok") -> Trial:
    return Trial(number, {"lr": lr}, outcome=outcome, value=value)


def said(findings: list[Finding], own: Trial, *others: Trial) -> str:
    (found,) = suggestions(findings, SPACE, own.params, lambda name: neighbours(own, [*others, own], "minimize", name))
    return found


def test_where_better_trials_lie_on_the_other_side_nothing_leads_away_from_them():
    found = said(STUCK, trial(3, 0.3, 2.0), trial(1, 0.01, 0.11), trial(2, 0.02, 0.11))
    assert found == (
        "lr: people multiply it by 3 to 10 here, but #001, #002 did better: go on from there, at 0.01 to 0.02"
    )


def test_a_proposal_names_the_trials_that_it_rests_on():
    assert said(WILD, trial(1, 0.3, None, "not-finite")).endswith("try 0.03 to 0.1 (rests on #001 alone)")
    found = said(WILD, trial(2, 0.3, None, "not-finite"), trial(1, 0.01, 0.2))
    assert found.endswith("try 0.03 to 0.1 (rests on #002; #001 did better that way)")


def test_a_value_beyond_a_worse_trial_is_not_proposed_and_one_before_it_is():
    assert "try 0.03 (rests on" in said(STUCK, trial(1, 0.01, 1.0), trial(2, 0.05, 3.0))
    found = said(STUCK, trial(1, 0.01, 1.0), trial(2, 0.02, 3.0), trial(3, 0.02, 4.0, "ok"))
    assert found == "lr: people multiply it by 3 to 10 here, but #002, #003, which went that way, did worse"


@pytest.mark.parametrize("outcome", ["failed", "timeout", "interrupted", None])
def test_a_trial_that_tells_nothing_counts_for_nothing(outcome):
    assert neighbours(trial(1, 0.1, 1.0), [trial(2, 0.2, None, outcome)], "minimize", "lr") == Neighbours(
        "#001", 0.1, [], []
    )


def test_the_goal_says_which_trials_are_better():
    own, other = trial(1, 0.1, 1.0), trial(2, 0.2, 2.0)
    most, least = (neighbours(own, [own, other], goal, "lr") for goal in ("maximize", "minimize"))
    assert most is not None
    assert least is not None
    assert (most.against(0.3), least.against(0.3)) == (False, True)
    assert neighbours(own, [other], "minimize", "momentum") is None
