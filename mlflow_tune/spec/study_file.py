"""The study file: what it may say, YAML in, JSON out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from mlflow_tune.errors import Faults, InputError
from mlflow_tune.space import Choice, Dimension, Space, check_name
from mlflow_tune.spec.confirm import ConfirmSpec, refuse_boundary
from mlflow_tune.spec.devices import AUTO, NONE, Gpus, Share, refuse_more_workers
from mlflow_tune.spec.faults import faults_of
from mlflow_tune.spec.fields import (
    Address,
    Count,
    Experiment,
    Function,
    Metric,
    Name,
    refuse_passwords,
)
from mlflow_tune.spec.forms import OrElse, Written, rule_text, space_form, strategy_form
from mlflow_tune.spec.run import RunSpec
from mlflow_tune.spec.stop_trials import StopTrials, as_stop_trials
from mlflow_tune.spec.stopping import StopRules, why_done
from mlflow_tune.strategies import (
    STRATEGIES,
    Strategy,
    make_strategy,
    model_based,
    reserved_names,
    strategy_to_json,
)
from mlflow_tune.strategies.confirmation import Confirmation
from mlflow_tune.strategies.recommendation import Recommendation, recommend
from mlflow_tune.strategies.seeds import Seeds, seeds_of
from mlflow_tune.text import escaped, shown, value_text
from mlflow_tune.text.redaction import without_credentials
from mlflow_tune.text.yaml import load_yaml
from mlflow_tune.trial import Goal, Trial, as_known, best_trial

POINT_LIMIT = 6000
NUMBER_LENGTH = 24
LOCAL = "local"  # as a Dask scheduler's address: a cluster on this machine


def _space(value: object) -> Space:
    reserved = reserved_names()
    if not isinstance(value, Space):
        return Space.from_json(value, reserved)
    faults = Faults()
    for name in value:
        with faults.at():
            check_name(name, reserved)
    faults.tell()
    return value


def _strategy(value: Any, info: ValidationInfo) -> Any:
    goal = info.data.get("goal", "minimize")
    if type(value) in STRATEGIES.values():
        return make_strategy(strategy_to_json(value), goal)
    options = {"name": value} if isinstance(value, str) else value
    if not isinstance(options, Mapping):
        raise InputError(f"must be a mapping such as {{name: random, seed: 0}}, but got {shown(value)}")
    return make_strategy(options, goal)


class ExecutorSpec(BaseModel):
    """Where trials run instead of on this machine: `dask` is a scheduler's address, or "local" for a cluster here."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    dask: Address
    """The address of a Dask scheduler, or `local` for a cluster on this machine."""


class StudySpec(BaseModel):
    """All that a study file may say; the README beside this file has a table of the keys, made from here."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, arbitrary_types_allowed=True)

    name: Name
    """The study's name, which is also that of its parent run."""
    experiment: Experiment | None = None
    """The MLflow experiment, created when it is missing. Unless given, MLFLOW_EXPERIMENT_NAME, or else Default."""
    run: RunSpec
    """What one trial runs: exactly one of `project`, `command` and `function`, and how."""
    metric: Metric
    """The metric to tune, as the training code logs or returns it."""
    goal: Goal = "minimize"
    """Which way is better."""
    value: Literal["last", "best"] = "last"
    """Which step of the metric counts: its last one, or its best one. What a function returns is the last."""
    space: Annotated[Any, BeforeValidator(_space), PlainSerializer(lambda space: space.to_json()), Written(space_form)]
    """The parameters to search, by name."""
    strategy: Annotated[Strategy, BeforeValidator(_strategy), PlainSerializer(strategy_to_json), Written(strategy_form)]
    """How points are chosen: a strategy's name, or its name and options."""
    reference: Function | None = None
    """`module:function`: the true function of the only parameter, drawn beside the model."""
    stop: StopRules = StopRules()
    """When the study ends: whichever rule applies first."""
    stop_trials: Annotated[StopTrials | None, BeforeValidator(as_stop_trials), OrElse(rule_text)] = None
    """Which trials are stopped before their end: a rule's name, or the rule and its terms."""
    confirm: ConfirmSpec | None = None
    """Which of the best trials run again with fresh seeds, as the last part of the budget."""
    workers: Count = 1
    """How many trials run at once."""
    batch: bool = False
    """Whether `workers` trials make a round that ends before the next begins: slower, but the same points each time."""
    executor: ExecutorSpec | None = None
    """Where trials run, when not on this machine."""
    gpus: Gpus | None = None
    """The GPUs that trials share: `auto`, a count, a list such as `[0, 1]`, or `none`."""
    gpus_per_trial: Share | None = None
    """How many GPUs a trial gets: 1, 2, or a part of one such as 0.5; 1 unless given."""

    @property
    def placed(self) -> bool:
        """Whether each trial is given devices of its own."""
        return self.gpus not in (None, NONE)

    @property
    def share(self) -> float:
        """How many devices a trial is given: a whole number, or a part of one."""
        return self.gpus_per_trial or 1

    @property
    def one_number(self) -> bool:
        """Whether one parameter is searched, and it is numeric: then the metric is a curve over it."""
        return [isinstance(dimension, Choice) for dimension in self.space.values()] == [False]

    @property
    def reruns(self) -> int:
        """How many trials of the budget are kept for the confirmation."""
        return self.confirm.plan.trials if self.confirm else 0

    @property
    def search_trials(self) -> int | None:
        """How many trials the search may take, None where the budget does not say."""
        return None if self.stop.trials is None else self.stop.trials - self.reruns

    @property
    def seeds(self) -> Seeds:
        """Where the trials' random seed comes from."""
        return seeds_of(self.space, self.run.parameters, self.run.takes_seed)

    @property
    def constrained(self) -> str | None:
        """The metric that the strategy's constraint is about, if it has one."""
        requirement = self.strategy.requirement
        return None if requirement is None else requirement.metric

    @property
    def directions(self) -> dict[str, Goal]:
        """Which way is better, for the metric and for that of the constraint."""
        requirement = self.strategy.requirement
        constrained = {} if requirement is None else {requirement.metric: requirement.goal}
        return {**constrained, self.metric: self.goal}

    def best(self, history: Sequence[Trial]) -> Trial | None:
        """Return the best trial of those that meet the constraint, None when there is none."""
        return best_trial(self._eligible(history), self.goal)

    def why_searched(self, history: Sequence[Trial], now: int, again: bool = False) -> str | None:
        """Return the words for the rule that ends the search, None while there is none; `now` in milliseconds.

        The budget of trials ends none of which some are to run `again`: these were started within it.
        """
        rules = self.stop.model_copy(update={"trials": None}) if again else self.stop
        return why_done(rules, self.goal, self._eligible(history), now, self.reruns, self.workers)

    def confirmation(self, history: Sequence[Trial], seeds: Seeds | None = None) -> Confirmation | None:
        """Return how the confirmation stands, None where the study has none; `seeds` are those of its trials."""
        if self.confirm is None:
            return None
        return Confirmation(self.confirm.plan, self.goal, seeds or self.seeds, self._eligible(history))

    def recommended(self, history: Sequence[Trial]) -> Recommendation | None:
        """Return the trial whose parameters to use, None while there is none. It may take a second."""
        return recommend(self.strategy, self.space, as_known(history), self.confirmation(history), self.goal)

    def _eligible(self, history: Sequence[Trial]) -> list[Trial]:
        return self.strategy.eligible(as_known(history))

    @model_validator(mode="after")
    def _fits_together(self) -> StudySpec:
        faults = Faults()
        for name in (name for name in self.run.parameters if name in self.space):
            message = "is fixed here and searched in space; take it out of one"
            faults.add(InputError(message, f"run.parameters.{name}"))
        for of_space in (_check_size, refuse_passwords):
            with faults.at():
                of_space(self.space)
        self._check_strategy(faults)
        for check in (self._check_pictures, self._check_devices, self._check_confirmation):
            with faults.at():
                check()
        faults.tell()
        return self

    def _check_strategy(self, faults: Faults) -> None:
        """Add what is wrong with the strategy for this space, or what says that it ends."""
        try:
            self.strategy.check(self.space)
        except InputError as error:
            for fault in error.faults:
                of_space = any(f"{fault.key}.".startswith(f"{name}.") for name in self.space)
                faults.add(fault.under("space" if of_space else "strategy"))
            return
        if not self.stop.bounded and self.strategy.length(self.space) is None:
            message = f"{self.strategy.name} never ends by itself: give trials, time or patience"
            faults.add(InputError(message, "stop"))
        if self.stop.expected_improvement is not None and not self.strategy.has_model:
            having = " or ".join(model_based())
            faults.add(InputError(f"needs a model, which only the strategy {having} has", "stop.expected_improvement"))

    def _check_pictures(self) -> None:
        if self.reference is not None and not self.one_number:
            raise InputError("a true function is drawn for one numeric parameter only; take it out", "reference")

    def _check_confirmation(self) -> None:
        """Raise InputError when there is nothing that could be confirmed."""
        if self.confirm is None:
            return
        refuse_boundary(self.strategy)
        most, budget = self.confirm.plan.trials, self.stop.trials
        if budget is not None and budget <= most:
            message = f"takes up to {most} trials, and of the {budget} of stop.trials none would be left to search with"
            raise InputError(message, "confirm")

    def _check_devices(self) -> None:
        """Raise InputError when the devices cannot be given out so, as far as this shows without looking for them."""
        if self.gpus_per_trial is not None and self.gpus is None:
            raise InputError("says how many devices a trial gets of those that gpus names: give gpus too", "gpus")
        if self.executor is not None and self.executor.dask != LOCAL and self.gpus not in (None, NONE, AUTO):
            message = (
                f"the workers of a Dask cluster have devices of their own, so it must be auto, but got {self.gpus}"
            )
            raise InputError(message, "gpus")
        if isinstance(self.gpus, int):
            refuse_more_workers(self.workers, self.gpus, self.share)
        elif isinstance(self.gpus, list):
            refuse_more_workers(self.workers, len(self.gpus), self.share, ", ".join(map(str, self.gpus)))


def _check_size(space: Space) -> None:
    longest = sum(len(name) + 6 + _longest(dimension) for name, dimension in space.items())
    if longest > POINT_LIMIT:
        raise InputError(f"a point may need {longest} characters, but MLflow keeps {POINT_LIMIT} in one tag", "space")


def _longest(dimension: Dimension) -> int:
    return max(len(value_text(value)) for value in dimension.values) if isinstance(dimension, Choice) else NUMBER_LENGTH


_PARTS: dict[str, type[BaseModel]] = {
    "": StudySpec,
    "run": RunSpec,
    "stop": StopRules,
    "stop_trials": StopTrials,
    "executor": ExecutorSpec,
    "confirm": ConfirmSpec,
}


def read_study_file(path: Path, overrides: Mapping[str, object] | None = None) -> StudySpec:
    """Return what the study file says, with `overrides` (`{"stop.trials": 5}`) over it.

    Raises InputError with one line a fault: the file, the key's path, the rule and the values.
    """
    try:
        raw = load_yaml(path.read_text(encoding="utf-8"))
        if isinstance(raw, dict) and isinstance(raw.get("run"), dict) and "objective" in raw["run"]:
            message = "an objective is given from Python alone; a file names a project, a command or a function"
            raise InputError(message, "run.objective")
        return read_study(raw, overrides or {})
    except OSError as error:
        raise InputError(f"{path}: the study file cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: the study file cannot be read: it is not UTF-8 text") from error
    except InputError as error:
        raise InputError("\n".join(f"{path}: {line}" for line in str(error).splitlines())) from None


def read_study(raw: object, overrides: Mapping[str, object]) -> StudySpec:
    """Return the study of a mapping, with `overrides` (`{"stop.trials": 5}`) over it. Raises InputError."""
    return parse_study(_overridden(raw, overrides))


def parse_study(raw: object) -> StudySpec:
    """Return the checked study of a mapping; raise InputError with one line a fault."""
    if not isinstance(raw, Mapping):
        raise InputError(f"a study is a mapping of keys such as name, run, metric and space, but got {shown(raw)}")
    try:
        return StudySpec.model_validate(raw)
    except ValidationError as error:
        faults = faults_of(error, _PARTS)
        raise InputError(
            "\n".join(dict.fromkeys(escaped(without_credentials(str(fault))) for fault in faults))
        ) from None


def _overridden(raw: object, overrides: Mapping[str, object]) -> object:
    for path, value in overrides.items():
        raw = _with(raw, path.split("."), value)
    return raw


def _with(raw: object, keys: Sequence[str], value: object) -> object:
    """Return a copy with the value at the path of keys; what is no mapping stays, for its error to be told."""
    if not keys:
        return value
    if isinstance(raw, str) and keys == ["seed"]:
        raw = {"name": raw}
    if raw is not None and not isinstance(raw, Mapping):
        return raw
    inner = dict(raw or {})
    inner[keys[0]] = _with(inner.get(keys[0]), keys[1:], value)
    return inner
