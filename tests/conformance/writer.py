"""One of several processes that write to a store at once: `writer.py URI EXPERIMENT INDEX FOLDER`."""

import sys
import time
from pathlib import Path

from mlflow_tune.tracking import Client, Studies, Trials
from mlflow_tune.tracking.records import new_nonce
from mlflow_tune.trial import Outcome, Suggestion

uri, experiment, index, folder = sys.argv[1:]
client = Client(uri)
Studies(client).all("nothing")  # the store is open now
Path(folder, f"ready-{index}").touch()
while not Path(folder, "go").exists():
    time.sleep(0.002)

studies = Studies(client)
definition = {"name": f"writer {index}", "metric": "loss", "goal": "minimize"}
study = studies.create(definition, str(studies.experiment(experiment, create=True)), {}, folder, new_nonce())
trials = Trials(client, study, {}, {})
for number in range(1, 6):
    trial = trials.start(number, Suggestion({"lr": number / 8}, "in order"), "grid", 1, {})
    trials.finish(trial, Outcome("ok"), number / 4)
studies.update(study.run_id, {}, "finished")
