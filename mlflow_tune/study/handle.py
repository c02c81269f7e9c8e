"""A study as the tracking server holds it: what it is, its trials, and the command that goes on with it."""

from __future__ import annotations

import functools
import os
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mlflow_tune.driver.ending import Ending
from mlflow_tune.driver.publisher import Keeper, Publisher
from mlflow_tune.driver.reporter import Reporter
from mlflow_tune.errors import InputError, TuneError
from mlflow_tune.provenance import source_tags
from mlflow_tune.report.subject import subject_of
from mlflow_tune.spec.definition import ASKED, SEARCHED, recorded_spec, search_call
from mlflow_tune.spec.study_file import StudySpec
from mlflow_tune.text import counted
from mlflow_tune.text.yaml import dump_yaml
from mlflow_tune.tracking import (
    Artifacts,
    Client,
    Queue,
    Studies,
    StudyRecord,
    Trials,
    has_server,
    public_uri,
    served,
    study_links,
)
from mlflow_tune.trial import Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame


_PLAIN = re.compile(r"(?![0-9a-f]{32}$)[A-Za-z0-9][\w.-]{0,59}", re.ASCII)  # a name that every shell takes as it is


class StudyHandle:
    """A study that is on the tracking server, and whoever reads and writes its parts.

    `spec` is its definition, `folder` where its code lies, `moved` whether a person has said so, `source` the tags that
    tell where the code comes from, where they are known.
    `ending` says how the last session from here ended, and `history` are the trials as it left them, but for those
    whose runs were deleted.
    """

    def __init__(
        self,
        client: Client,
        record: StudyRecord,
        spec: StudySpec,
        folder: Path | None = None,
        source: Mapping[str, str] | None = None,
        moved: bool = False,
    ) -> None:
        self.client = client
        self.spec = spec
        self.moved = moved
        self.folder = folder or Path(record.folder)
        self.ending: Ending | None = None
        self.history: Sequence[Trial] = ()
        self._record = record
        self._source = source
        self._keep = Keeper()

    @classmethod
    def find(cls, study: str, experiment: str | None = None, tracking_uri: str | None = None) -> StudyHandle:
        """Return the study with this run id, or the newest of this name.

        Raises StudyNotFound, InputError, TrackingError.
        """
        client = Client(tracking_uri, only_read=True)
        record = Studies(client).find(study, experiment)
        return cls(client, record, recorded_spec(record))

    @property
    def record(self) -> StudyRecord:
        """The study's parent run as it was when it was last read, or as the last session left it."""
        if self.ending is None:
            return self._record
        return replace(self._record, state=self.ending.state, why_stopped=self.ending.why)

    @property
    def run_id(self) -> str:
        """The MLflow run id of the parent."""
        return self._record.run_id

    @property
    def trials(self) -> list[Trial]:
        """The trials as the tracking server holds them now: the latest attempt of each, by number."""
        return self.trial_store.all()

    @property
    def trial_store(self) -> Trials:
        """The trials on the tracking server."""
        constraint = self.spec.strategy.requirement
        trials = Trials(self.client, self.record, space=self.spec.space)
        return trials if constraint is None else replace(trials, seen=constraint.named_text)

    @property
    def queue(self) -> Queue:
        """The points that wait to be run next."""
        return Queue(self.client, self.record)

    @property
    def publisher(self) -> Publisher:
        """Who brings the parent run up to date."""
        return Publisher(Studies(self.client), self.spec, self.reporter, self.resume_command, self._keep)

    @property
    def reporter(self) -> Reporter:
        """Who draws the study."""
        return Reporter(Artifacts(self.client, self.run_id), self.trial_store, self.record, self.spec)

    @property
    def links(self) -> dict[str, str]:
        """The links to the study's charts, table, parent run and plain list of trials, none without a server.

        Of a local store they lead to the server that `mlflow-tune ui` runs on it, while it does.
        """
        uri = self.client.uri
        base = public_uri(uri) if has_server(uri) else served(uri, self.run_id)
        return study_links(base, self.record) if base else {}

    @property
    def source(self) -> Mapping[str, str]:
        """The tags that tell where the study's code comes from."""
        if self._source is None:  # asked of git and of MLflow's plugins: only a study that is driven needs it
            self._source = source_tags(self.spec.run.source, self.spec.run.kind, self.folder)
        return self._source

    @property
    def resume_command(self) -> str:
        """The command line that goes on with this study."""
        return resume_command(self.record, self.spec, self.client.uri, self.folder)

    @property
    def retry_command(self) -> str:
        """The command line that goes on with this study, and runs failed trials again."""
        return resume_command(self.record, self.spec, self.client.uri, self.folder, retry_failed=True)

    def resume_now(self, retry_failed: bool = False) -> str:
        """Return the command that goes on with this study, for whoever reads it now: by name where that is enough."""
        return resume_command(self.record, self.spec, self.client.uri, self.folder, retry_failed, self.word)

    def command(self, command: str) -> str:
        """Return the command line of this command for this study, for whoever reads it now, in whatever folder."""
        return study_command(command, self.word, self.client.uri)

    @functools.cached_property
    def word(self) -> str:
        """What names the study in a command now: its name where that leads to it and no other, else its run id."""
        name = self.record.name
        if not _PLAIN.fullmatch(name) or name.endswith((".yaml", ".yml")):
            return self.run_id
        try:
            named = [each for each in Studies(self.client).all(name=name) if each.name == name]
        except TuneError:  # a command that works is worth more than one that reads well
            return self.run_id
        alone = len({each.experiment_id for each in named}) == 1
        return name if alone and named[-1].run_id == self.run_id else self.run_id

    def dataframe(self) -> DataFrame:
        """Return the trials as they are now, a row a trial: see `Study.dataframe`."""
        from mlflow_tune.report.frame import trials_frame

        return trials_frame(self.trials, self.spec.space)

    def picture(self, what: str) -> Figure:
        """Return a picture of the trials as they are now: see `Study.plot`. Raises InputError."""
        from mlflow_tune.report.figures.study import figure_name, needed_words

        name, trials = figure_name(what), self.trials
        if (figure := self.reporter.figure(name, trials)) is None:
            valued = counted(sum(trial.value is not None for trial in trials), "trial")
            needed = needed_words(name, subject_of(self.spec, trials))
            raise InputError(f"the picture {name!r} needs {needed}; the study has {valued} with a value")
        return figure

    def log_study_file(self) -> None:
        """Log the study's definition as its file study.yaml."""
        text = dump_yaml(self.spec.model_dump(mode="json", exclude_none=True))
        Artifacts(self.client, self.run_id).log_text("study.yaml", text)

    def keep_study_file(self) -> None:
        """Log study.yaml, or warn that it cannot be written."""
        self._keep("study.yaml", self.log_study_file)


def study_command(command: str, word: str, uri: str) -> str:
    """Return the command line of a command for the study that `word` names, so that it works in every folder."""
    return shlex.join(["mlflow-tune", command, word, *_server_words(uri)])


def _server_words(uri: str) -> list[str]:
    """Return the option that names the store, none where the environment names it as it is wherever one stands."""
    return [] if uri == os.environ.get("MLFLOW_TRACKING_URI") else ["--tracking-uri", public_uri(uri)]


def resume_command(
    record: StudyRecord,
    spec: StudySpec,
    uri: str,
    folder: Path | None = None,
    retry_failed: bool = False,
    word: str = "",
) -> str:
    """Return the command that goes on with a study, so that it works in every folder.

    `uri` is the tracking URI, `folder` where its code lies when that is not where it was, `word` what names the study:
    its run id unless given.
    """
    word = word or record.run_id
    server = "".join(_server_words(uri)[1:])
    if spec.run.objective:
        given = f", tracking_uri={server!r}" if server else ""
        if spec.run.objective == ASKED:
            return f"Study.load({word!r}{given}).ask()"
        if spec.run.objective == SEARCHED:
            return search_call(record.name, given)
        how = "retry_failed=True" if retry_failed else ""
        return f"Study.load({word!r}, objective=...{given}).resume({how})"
    words = ["mlflow-tune", "resume", word, *_server_words(uri)]
    words += ["--folder", str(folder)] if folder and str(folder) != record.folder else []
    words += ["--retry-failed"] if retry_failed else []
    return shlex.join(words)
