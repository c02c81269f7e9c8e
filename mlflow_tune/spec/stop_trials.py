"""Which trials of a study are stopped: the key `stop_trials` of the study file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from mlflow_tune.diagnosis.names import falls
from mlflow_tune.diagnosis.stopping import RULES, Rule, Terms, make_rule, rule_to_json
from mlflow_tune.errors import InputError
from mlflow_tune.spec.fields import Count, CountFromZero, Duration, Metric
from mlflow_tune.spec.forms import Written, rule_form
from mlflow_tune.text import shown, unknown
from mlflow_tune.trial import Goal

AUTO = "auto"


def _rule(value: Any) -> Rule | None:
    """Return the rule, None for the one that is chosen by replay."""
    if value is None or isinstance(value, Rule):
        return value
    name = value.get("name") if isinstance(value, Mapping) else value
    if name == AUTO and value in (AUTO, {"name": AUTO}):
        return None
    if isinstance(name, str) and "(" not in name and name not in RULES:
        raise InputError(unknown("rule", name, [AUTO, *RULES]))
    return make_rule(value)


class StopTrials(BaseModel):
    """Which trials are stopped before their end, and how: `after`, `every` and `protect` count the metric's own steps.

    `rule` None stands for `auto`, which chooses by replay. `metric` is what is looked at, where that is not what the
    study tunes. A trial gets SIGTERM, and SIGKILL after `grace` seconds. What diverged is stopped under every rule.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, arbitrary_types_allowed=True)

    rule: Annotated[
        Rule | None,
        BeforeValidator(_rule),
        PlainSerializer(lambda rule: AUTO if rule is None else rule_to_json(rule)),
        Written(rule_form),
    ] = None
    """`auto`, which chooses by replaying the study's curves; or a rule such as `median` or `{name: asha, eta: 3}`."""
    metric: Metric | None = None
    """The metric whose curve is judged, where that is not the one that the study tunes."""
    after: CountFromZero = 0
    """How many steps of each trial are safe from the rule."""
    every: Count = 1
    """After how many steps a trial is judged again."""
    protect: CountFromZero = 0
    """How many of the best trials are safe from the rule."""
    grace: Duration = 30.0
    """How long a trial that gets SIGTERM may take to end, before SIGKILL."""

    @property
    def terms(self) -> Terms:
        """What is safe from the rule."""
        return Terms(self.after, self.every, self.protect)

    def watched(self, metric: str, goal: Goal) -> tuple[str, Goal]:
        """Return the metric whose curves are looked at, and what is better of it, in a study that tunes this one."""
        looked_at = self.metric or metric
        named = falls(looked_at)
        if looked_at == metric or named is None:
            return looked_at, goal
        return looked_at, "minimize" if named else "maximize"


def as_stop_trials(value: object) -> object:
    """Return the key's mapping: a word alone names the rule."""
    if isinstance(value, str):
        return {"rule": value}
    if value is not None and not isinstance(value, Mapping | StopTrials):
        raise InputError(
            f"must be a rule such as auto, or a mapping such as {{rule: auto, after: 3}}, but got {shown(value)}"
        )
    return value
