"""What the tests of tracking share: a store with an experiment of the test's own, a study, a trial."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from mlflow_tune.tracking import Client, Studies, StudyRecord, Trials
from mlflow_tune.tracking.records import new_nonce
from mlflow_tune.trial import Outcome, Suggestion

OK = Outcome("ok", {"loss": 0.5})


def definition(name="study", **more):
    return {
        "name": name,
        "run": {"function": "train:objective", "parameters": {}},
        "metric": "loss",
        "goal": "minimize",
        "space": {"lr": {"type": "float", "low": 0.0, "high": 1.0}},
        "strategy": {"name": "random", "seed": 0},
        "stop": {"trials": 3, "failures": 5},
        "workers": 1,
        **more,
    }


@dataclass
class Tracker:
    """One store and an experiment of this test's own in it."""

    client: Client
    experiment: str
    experiment_id: str

    @property
    def studies(self) -> Studies:
        return Studies(self.client)

    @property
    def mlflow(self):
        """Plain MLflow, as any other program uses it."""
        from mlflow import MlflowClient

        return MlflowClient(self.client.uri)

    def study(self, name="study", **more) -> StudyRecord:
        return self.studies.create(
            definition(name, **more), self.experiment_id, {"mlflow.user": "ann"}, "/code", new_nonce()
        )

    def trials(self, study: StudyRecord | None = None) -> Trials:
        return Trials(self.client, study or self.study(), {"mlflow.user": "ann"}, {"epochs": 3})

    def children(self, study: StudyRecord):
        return self.mlflow.search_runs(
            [self.experiment_id], f"tags.`mlflow.parentRunId` = '{study.run_id}'", max_results=5000
        )


def tracker_of(uri: str, **options) -> Tracker:
    client, name = Client(uri, **options), f"tracking-{uuid.uuid4().hex}"
    return Tracker(client, name, str(Studies(client).experiment(name, create=True)))


def start(trials: Trials, number=1, params=None, attempt=1, why="drawn at random", evidence=None):
    suggestion = Suggestion(params or {"lr": 0.25}, why, evidence or {})
    return trials.start(number, suggestion, "random", attempt, {})
