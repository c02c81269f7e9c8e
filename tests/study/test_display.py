"""What `run` and `resume` show in a script, whom they tell, and what a study looks like in a notebook's cell."""

from __future__ import annotations

import io
import math
import re
import signal
from typing import Any, cast

import pandas as pd
import pytest
from rich.console import Console

from mlflow_tune import Callback, Categorical, Float, InputError, Int, Study, StudyFailed
from mlflow_tune.report.frame import trials_frame
from mlflow_tune.report.table import BEFORE
from mlflow_tune.space import Space
from mlflow_tune.study.display.progress import screen_for
from mlflow_tune.study.display.summary import no_value_words
from mlflow_tune.trial import Trial
from tests.support.terminal import plain

SPACE = {"x": Int(1, 4, grid=[1, 2, 3, 4])}


def study(uri: str, objective=lambda x: x, **more) -> Study:
    """Return a study of four points, called `s`."""
    given = {"name": "s", "space": SPACE, "metric": "loss", "strategy": "grid", "tracking_uri": uri, **more}
    return Study(objective=objective, **given)


class Record(Callback):
    def __init__(self) -> None:
        self.told: list[object] = []

    def on_study_start(self, spec, links, history) -> None:
        self.told.append(("start", spec.name, len(history)))

    def on_trial_start(self, trial) -> None:
        self.told.append(trial.number)

    def on_trial_end(self, trial, history) -> None:
        assert history[-1] == trial
        self.told.append((trial.number, trial.outcome))

    def on_interrupt(self, running) -> None:
        self.told.append([trial.number for trial in running])

    def on_study_end(self, state, why, history) -> None:
        self.told.append((state, len(history)))


class Ends:
    """A callback of a class of its own, which is interested in one thing."""

    ended = 0

    def on_trial_end(self, trial, history) -> None:
        self.ended += 1


@pytest.mark.slow
def test_a_script_sees_a_line_a_trial_and_a_summary_unless_it_is_to_be_quiet(sqlite_store, capsys):
    record, ends = Record(), Ends()
    done = study(sqlite_store, stop={"trials": 2}).run(callbacks=[record, ends])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "s: minimize loss by grid, up to 2 trials"
    assert lines[1] == f"watch it: mlflow-tune ui s --tracking-uri {sqlite_store}"
    assert re.fullmatch(r"#001 ok  loss=1  x=1  \(\d+\.\d s\)  best 1 \(#001\)", lines[2])
    assert lines[3].startswith("#002 ok  loss=2  x=2")
    assert "s is finished (trials: the budget of 2 is used)" in lines
    assert f"mlflow-tune ui s --tracking-uri {sqlite_store}" in lines[4:]
    assert record.told == [("start", "s", 0), 1, (1, "ok"), 2, (2, "ok"), ("finished", 2)]
    assert ends.ended == 2

    again = Record()
    done.resume("+1", quiet=True, callbacks=[again])
    assert again.told == [("start", "s", 2), 3, (3, "ok"), ("finished", 3)]
    assert capsys.readouterr().out == ""
    with pytest.raises(InputError, match="a callback has at least one of on_study_start, on_trial_start"):
        done.resume("+1", callbacks=[object()])


def test_the_first_ctrl_c_says_at_once_what_is_waited_for(sqlite_store, capsys):
    """The objective runs in the driver's thread: it is told while that is busy."""
    told: list[str] = []
    record = Record()

    def objective(x):
        if x == 2:
            signal.raise_signal(signal.SIGINT)
            while not told:  # for ever, were it told afterwards
                told.append(capsys.readouterr().out) if [2] in record.told else None
        return x

    with pytest.raises(KeyboardInterrupt):
        study(sqlite_store, objective).run(callbacks=[record])
    assert "Ctrl-C: no new trial starts; 1 still runs. Press again to kill it." in told[0]
    assert record.told[-3:] == [[2], (2, "ok"), ("interrupted", 2)]
    assert ".resume()" in capsys.readouterr().out


@pytest.mark.slow
def test_an_aborted_study_is_an_error_that_has_the_study_and_says_what_to_do(sqlite_store, capsys):
    def objective(x):
        return math.nan if x == 1 else x / 0

    with pytest.raises(StudyFailed, match="the study 's' is aborted") as failed:
        study(sqlite_store, objective, stop={"failures": 2}).run()
    assert [trial.outcome for trial in failed.value.study.trials] == ["not-finite", "failed", "failed"]
    assert "trial 2 failed first: ZeroDivisionError: division by zero" in str(failed.value)
    assert "resume(retry_failed=True)" in capsys.readouterr().out
    assert failed.value.exit_code == 1

    with pytest.raises(StudyFailed, match="trial 1 ended not-finite") as failed:
        study(sqlite_store, lambda x: math.nan, name="nan", stop={"trials": 1}).run(quiet=True)
    assert str(failed.value).endswith("Change the code or the space, and run it under another name.")


def test_of_trials_that_a_rule_stopped_nobody_says_that_they_failed(sqlite_store):
    ended = [
        Trial(1, {}, "failed", reason="exit code 1", end_time=1),
        Trial(2, {}, "pruned", reason="median: too bad", end_time=2),
        Trial(3, {}, "timeout", reason="after 1 s", end_time=0),
    ]
    assert no_value_words("loss", ended) == (
        "no trial has a value of 'loss'; 1 failed, 1 failed by timeout, 1 stopped by a rule, the last: exit code 1"
    )
    assert no_value_words("loss", ended[1:2], told=True) == "no trial has a value of 'loss'; 1 stopped by a rule"
    assert no_value_words("loss", [Trial(1, {}, "interrupted")]) == "no trial has a value of 'loss'"

    spec = study(sqlite_store).spec
    screen = io.StringIO()
    with screen_for(Console(file=screen, force_terminal=True, width=160), lambda: cast(Any, None)) as bar:
        bar.on_study_start(spec, {"charts": "http://a"}, [])
        for count, trial in enumerate(ended, 1):
            bar.on_trial_start(trial)
            bar.on_trial_end(trial, ended[:count])
    said = plain(screen.getvalue())
    assert "0 running, 2 failed, 1 stopped" in said
    assert "exit code 1" in said and "too bad" not in said


@pytest.mark.slow
def test_a_study_is_shown_as_a_card_a_table_and_pictures(sqlite_store):
    named = study(sqlite_store, name="<b>&", stop={"trials": 3})
    assert "It has not been run yet." in named._repr_html_()
    done = named.run(quiet=True)
    card = done._repr_html_()
    assert "<strong>&lt;b&gt;&amp;</strong>: minimize loss by grid" in card
    assert "<strong>finished</strong> (trials: the budget of 3 is used)" in card
    assert re.findall(r"<td[^>]*>(#\d+)</td>", card) == ["#001", "#002", "#003"]
    assert card.count("<img") == 1
    assert "http" not in re.sub(r'src="[^"]*"', "", card), "a local store has no links"

    frame = done.dataframe()
    assert frame.index.tolist() == [1, 2, 3]
    assert frame["value"].tolist() == [1.0, 2.0, 3.0]
    assert frame["metrics.loss"].tolist() == [1.0, 2.0, 3.0]

    figure = done.plot("parameters")
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert done.plot().get_suptitle() == "Best loss so far"
    with pytest.raises(InputError, match="unknown picture 'para'"):
        done.plot("para")
    with pytest.raises(InputError, match="needs two parameters, and 20 trials whose values differ"):
        done.plot("importance")


def test_a_frame_has_typed_columns():
    space = Space(
        {
            "lr": Float(0.1, 1),
            "units": Int(1, 9),
            "act": Categorical(["relu", "tanh"]),
            "flag": Categorical([True, False]),
            "mixed": Categorical([16, 0.5]),
            "value": Categorical([1, "a"]),
        }
    )
    params = {"lr": 1, "units": 3, "act": "relu", "flag": True, "mixed": 16, "value": "a"}
    ended = {"outcome": "ok", "value": 0.5, "start_time": 1_000, "end_time": 3_500, "metrics": {"acc": 0.5, "trial": 2}}
    frame = trials_frame([Trial(2, params, **ended), Trial(1, {"units": 2}, metrics={"log10_lr": 1.0})], space)
    assert frame.index.tolist() == [1, 2]
    kinds = {name: str(kind) for name, kind in frame.dtypes.items()}
    assert kinds == {
        "attempt": "int64", "outcome": "string", "value": "float64", "lr": "float64", "units": "Int64", "act": "string",
        "flag": "boolean", "mixed": "float64", "params.value": "object", "why": "string", "reason": "string",
        "strategy": "string", "run_id": "string", "start": kinds["start"], "end": kinds["end"], "seconds": "float64",
        "metrics.acc": "float64",
    }  # fmt: skip
    assert kinds["start"].startswith("datetime64[") and kinds["start"].endswith(", UTC]")
    assert frame.loc[2, "end"] == pd.Timestamp(3_000, unit="ms", tz="UTC")
    assert frame.loc[1, ["value", "lr", "act", "end", "seconds"]].isna().all()
    assert frame.loc[1, "outcome"] == "running"
    off = trials_frame([Trial(1, {**params, "units": 2.5})], space)
    assert off["units"].tolist() == [2.5], "what a person tried outside of the space stays as it is"
    assert list(trials_frame([], space).columns)[: len(BEFORE) - 1] == list(BEFORE[1:])
