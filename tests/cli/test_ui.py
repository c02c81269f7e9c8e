"""`mlflow-tune ui` serves a local store, and other commands find its server; a note of one that is gone is harmless."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from mlflow_tune import Int
from mlflow_tune.cli import main
from mlflow_tune.study.study import Study
from mlflow_tune.tracking.holder import maker_here
from mlflow_tune.tracking.served import noted, served
from tests.fixtures.small_studies.helpers import nothing_left, start, study_file

GONE = json.dumps({**json.loads(maker_here()), "pid": 2**22 + 1})


def said(*words: object) -> str:
    """Return what `mlflow-tune` prints on standard output, which is to end well."""
    result = CliRunner().invoke(main, [*map(str, words)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.long
def test_other_commands_find_the_server_of_ui_while_it_serves_their_store(sqlite_store, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_store)
    path = study_file(tmp_path / "code", name="seen")
    assert said("run", path).splitlines()[1] == "watch it: mlflow-tune ui seen"
    refused = CliRunner().invoke(main, ["open", "seen"])
    assert (refused.exit_code, "`mlflow-tune ui seen` starts one" in refused.stderr) == (2, True)

    ui = start(["ui", "seen", "--no-browser", "--port", 0], tmp_path)
    ui.said("Ctrl-C stops the server.")
    link = ui.out.read_text().strip()
    assert said("open", "seen").strip() == link
    assert said("ui", "seen", "--no-browser").strip() == link
    assert json.loads(said("open", "seen", "--json"))["links"]["charts"] == link
    again = said("run", path, "--name", "again").splitlines()
    base = link.partition("#")[0]
    assert again[1].startswith(f"in MLflow: {base}#/experiments/0/runs?")
    assert "mlflow-tune ui again" in again, "the server may be gone when a person reads this"

    ui.signal(signal.SIGINT)
    assert ui.wait() == 130
    nothing_left(ui)
    assert CliRunner().invoke(main, ["open", "seen"]).exit_code == 2


def test_a_note_of_a_server_that_is_gone_or_is_not_ours_does_no_harm(server, sqlite_store, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    there = Study(
        name="there", objective=lambda x: x, space={"x": Int(1, 4)}, metric="m", stop={"trials": 1}, tracking_uri=server
    )
    port = int(server.rpartition(":")[2])
    folder = tmp_path / "state" / "mlflow-tune" / "servers"
    run_id = there.create().run_id
    assert served(sqlite_store, run_id) == ""
    with noted(sqlite_store, port):
        (note,) = folder.iterdir()
        assert served(sqlite_store, run_id) == f"http://127.0.0.1:{port}"
        assert served(sqlite_store, "f" * 32) == "", "it serves another store"
        assert served("sqlite:////another.db", run_id) == ""
        assert note.stat().st_mode & 0o777 == 0o600
        text = note.read_text()
        for spoilt in (
            "",
            "[]",
            "{",
            text[:-1],
            text.replace(str(port), "1"),
            json.dumps({**json.loads(text), "maker": GONE}),
        ):
            note.write_text(spoilt)
            assert served(sqlite_store, run_id) == ""
        note.write_text(text)
        note.chmod(0o666)
        assert served(sqlite_store, run_id) == "", "anybody may have written it"
        note.chmod(0o600)
        with noted(sqlite_store, 1):
            pass
    assert not [*folder.iterdir()]
    Path(folder).rmdir()
    folder.touch()
    with noted(sqlite_store, port):
        assert served(sqlite_store, run_id) == ""
