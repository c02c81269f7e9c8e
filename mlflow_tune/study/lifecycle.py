"""The life of a study: it is made, a session holds it and gives its driver, and it is closed as the driver ended."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mlflow_tune.driver.callbacks import Callback, Callbacks
from mlflow_tune.driver.confirming import Confirming
from mlflow_tune.driver.driver import Driver
from mlflow_tune.driver.ending import Ending
from mlflow_tune.driver.publisher import Publisher
from mlflow_tune.errors import NothingFound, StudyConflict, StudyNotFound, TrackingError
from mlflow_tune.executors.factory import reference_values
from mlflow_tune.executors.pool import WorkerPool
from mlflow_tune.launchers.orphans import end_trials
from mlflow_tune.settings import reports_wanted
from mlflow_tune.spec.confirm import ConfirmSpec
from mlflow_tune.spec.definition import tell_length, tell_lower, with_budget, with_confirmation
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.strategies.seeds import Seeds, seeds_of
from mlflow_tune.study.approvals import approve_start
from mlflow_tune.study.handle import StudyHandle, resume_command, study_command
from mlflow_tune.study.training_on import train_on
from mlflow_tune.text import escaped
from mlflow_tune.tracking import (
    Client,
    StartedRun,
    Studies,
    StudyRecord,
    Trials,
    claimed,
    is_held,
    namesakes,
    save_view,
    started_run,
    take_name,
    told_when_deleted,
    withdraw,
)
from mlflow_tune.tracking.deletion import DELETED
from mlflow_tune.tracking.leftovers import sweep
from mlflow_tune.tracking.records import new_nonce, now
from mlflow_tune.tracking.trials import LEFT_OPEN
from mlflow_tune.trial import Params, Trial, as_known, searched

logger = logging.getLogger(__name__)
UNSEEDED = (
    "no parameter of the study is a random seed, so the reruns differ by whatever a rerun brings: fix one under "
    "run.parameters (seed: 0), search a whole number with `role: seed`, or put {seed} into the command"
)

# --- making a study --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where a study is to be made: its experiment, and the finished studies of its name there, oldest first.

    `experiment_id` is None while there is no such experiment. The run in which this process was `started` becomes the
    study, where there is one: in its own experiment, whatever the study says.
    """

    experiment_id: str | None
    finished: Sequence[StudyRecord] = ()
    started: StartedRun | None = None

    def true_to(self, spec: StudySpec) -> StudySpec:
        """Return the definition with the experiment in which the study will be; say so where that is another one."""
        if self.started is None or spec.experiment in (None, self.started.experiment):
            return spec
        here = self.started.experiment
        words = "the study names the experiment '%s', but a run that is there stays in '%s'"
        logger.warning(words, escaped(spec.experiment), escaped(here))
        return spec.model_copy(update={"experiment": here})


def place_for(client: Client, spec: StudySpec) -> Place:
    """Return where the study is to be made.

    Raises StudyConflict when an unfinished study of this name exists in the experiment.
    """
    started = started_run(client)
    experiment_id = started.experiment_id if started else Studies(client).experiment(spec.experiment)
    if experiment_id is None:
        return Place(None)
    unfinished, finished = namesakes(client, experiment_id, spec.name)
    if unfinished:
        first = unfinished[0]
        raise _second(first, spec, client, first.running and is_held(client, first.run_id))
    return Place(experiment_id, finished, started)


def make_study(client: Client, spec: StudySpec, source: Mapping[str, str], folder: Path, place: Place) -> StudyRecord:
    """Make the parent run; return the study, which is then running, and may have to withdraw: see `keep_name`.

    What it runs is approved first, so that whoever is killed from then on may go on with it. Raises InputError when the
    study's true function cannot be called.
    """
    reference = reference_values(spec, folder)
    studies = Studies(client)
    experiment_id = place.experiment_id or str(studies.experiment(spec.experiment, create=True))
    definition = spec.model_dump(mode="json", exclude_none=True)
    nonce = new_nonce()
    approve_start(nonce, spec, folder)
    return studies.create(definition, experiment_id, source, str(folder), nonce, reference, place.started)


def keep_name(client: Client, spec: StudySpec, record: StudyRecord) -> None:
    """Let a study that was just made keep its name, and write its view.

    Raises StudyConflict, as `place_for` does, when somebody made a study of this name at the same moment.
    """
    if first := take_name(client, record):
        withdraw(client, record, f"the study {first.run_id} was made at the same moment and keeps the name")
        raise _second(first, spec, client, driven=True)
    _save_view(client, record, spec)


def _save_view(client: Client, record: StudyRecord, spec: StudySpec) -> None:
    save_view(client, record, spec.metric, spec.goal, spec.space, stops=spec.stop_trials is not None)


def _second(first: StudyRecord, spec: StudySpec, client: Client, driven: bool) -> StudyConflict:
    if driven:
        watch = study_command("watch", first.run_id, client.uri)
        return StudyConflict(
            f"the study {first.name!r} is running already: see it by `{watch}`, or give the new one another name"
        )
    return StudyConflict(
        f"the study {first.name!r} exists and is not finished ({first.state}): go on with it by "
        f"`{resume_command(first, spec, client.uri)}`, or give the new one another name"
    )


# --- driving it ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Resumption:
    """How one goes on: with a budget of `trials` ("+20": so many more), with failed ones too, or queued ones only.

    With `confirm` the best trials run again, as that says, and nothing else. The trials of the numbers `train_on` are
    trained on first, for so many `epochs` where that is given.
    """

    trials: int | str | None = None
    retry_failed: bool = False
    only_queued: bool = False
    train_on: Sequence[int] = ()
    epochs: int | None = None
    confirm: ConfirmSpec | None = None


@contextmanager
def session(
    obtain: Callable[[], StudyHandle],
    pool: WorkerPool,
    defaults: Params,
    callback: Callback | None = None,
    resumption: Resumption | None = None,
) -> Iterator[Driver]:
    """Hold the study that `obtain` makes, or gives; give its driver, and close the study as that ended.

    Without a `resumption` the study was made just now. The trials of one that is opened again are read once, while it
    is held: budget, driver, summary and report know the same ones. Raises StudyConflict when somebody else drives it,
    InputError for a budget that is too small, and TrackingError.
    """
    study = obtain()
    callback = callback or Callbacks([])
    new = resumption is None
    maker = study.record.maker if new else None
    with told_when_deleted(study.client, study.record), claimed(study.client, study.run_id, maker) as claim:
        seeds, trials = _seeded(study, defaults)
        fresh = new and claim.first  # else somebody has had the time to adopt a run
        history = [] if fresh else trials.take_over()
        end_trials({trial.run_id for trial in history if trial.reason == LEFT_OPEN})
        if resumption and resumption.train_on:
            history = train_on(trials, history, resumption.train_on, resumption.epochs)
        by_hand = None if resumption is None else _reopen(study, history, resumption)
        asked = resumption is not None and resumption.confirm is not None
        if study.spec.confirm is not None and not seeds.name:
            logger.warning(UNSEEDED)
        callback.on_study_start(study.spec, study.links, history)
        publisher = _owing(study, viewless=not new and not history)
        driver = Driver(study.spec, publisher, trials, pool, callback, by_hand, Confirming(study.spec, seeds, asked))
        driver.know(history, resumption is not None and resumption.retry_failed, fresh)
        try:
            yield driver
        except (StudyConflict, StudyNotFound, TrackingError):
            raise
        except BaseException as error:
            publisher.close(driver.history, "aborted", f"{type(error).__name__}: {error}")
            raise
        assert driver.ending is not None
        if reports_wanted() and driver.history:
            callback.on_report_start()
        publisher.close(driver.history, driver.ending.state, driver.ending.why, driver.ending.as_asked)
        study.history = tuple(trial for trial in driver.history if trial.reason != DELETED)
        study.ending = driver.ending
        callback.on_study_end(study.ending.state, study.ending.why, study.history)


def _owing(study: StudyHandle, viewless: bool) -> Publisher:
    """Return the study's publisher, with what the first trial need not wait for.

    A study may be `viewless`: whoever made it was killed, and no trial has begun since.
    """
    publisher, client, record, spec = study.publisher, study.client, study.record, study.spec
    publisher.owe("what others left half made", lambda: sweep(client, record.experiment_id))
    publisher.owe("study.yaml", study.log_study_file)
    if viewless:
        publisher.owe("the comparison", lambda: _save_view(client, record, spec))
    return publisher


def _seeded(study: StudyHandle, defaults: Params) -> tuple[Seeds, Trials]:
    """Return where the trials' seeds come from, and the store of trials that have these, with what else is fixed."""
    fixed = {**defaults, **study.spec.run.parameters}
    seeds = seeds_of(study.spec.space, fixed, study.spec.run.takes_seed)
    fixed |= {seeds.name: seeds.own} if seeds.always else {}
    named = "" if seeds.searched else seeds.name
    return seeds, replace(study.trial_store, source=study.source, fixed=fixed, seed_name=named)


def _reopen(study: StudyHandle, history: Sequence[Trial], resumption: Resumption) -> Ending | None:
    """Mark the study as running again, within its new budget.

    Return how it ends when what waits in its queue has run, where nothing else is to run.
    """
    if resumption.confirm is not None:
        return _reopen_to_confirm(study, history, resumption.confirm)
    strategy, over = study.spec.strategy, study.record.state == "finished"
    before = study.spec.stop.trials
    study.spec = with_budget(study.spec, resumption.trials, len(searched(history)))
    tell_lower(before, study.spec.stop.trials)
    if not resumption.only_queued:
        tell_length(study.spec)
    Studies(study.client).reopen(study.run_id, study.spec.model_dump(mode="json", exclude_none=True))
    if not resumption.only_queued:
        return None
    if strategy.by_hand:
        over = not strategy.suggest(study.spec.space, history, 1)
    return Ending("finished" if over else "interrupted", "the trials that were asked for have ended", as_asked=True)


def _reopen_to_confirm(study: StudyHandle, history: Sequence[Trial], confirm: ConfirmSpec) -> Ending:
    """Mark the study as running again, to be confirmed as this says; return how it ends then."""
    over = study.record.state == "finished" or _is_searched(study.spec, history)
    spec = with_confirmation(study.spec, confirm)
    standing = spec.confirmation(history)
    assert standing is not None
    if not standing.leaders:
        raise NothingFound(f"no trial of {study.record.name} has a value: there is nothing to confirm")
    if (count := len(standing.leaders)) < confirm.top:
        logger.warning("points with a value: only %d, so no more can be confirmed", count)
    study.spec = spec
    Studies(study.client).reopen(study.run_id, spec.model_dump(mode="json", exclude_none=True))
    return Ending("finished" if over else "interrupted", "the trials that were asked for have ended", as_asked=True)


def _is_searched(spec: StudySpec, history: Sequence[Trial]) -> bool:
    """Return whether the search is over: by a rule, or because the strategy has nothing more to ask for."""
    return bool(spec.why_searched(history, now()) or not spec.strategy.suggest(spec.space, as_known(history), 1))
