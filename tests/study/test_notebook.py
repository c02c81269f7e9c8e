"""A study in a notebook, in a real kernel: the live table, interrupts, and the notebook of `examples/`."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest

from tests.fixtures import ROOT
from tests.fixtures.small_studies.helpers import outcomes, runs_of
from tests.support.kernel import Kernel, shown, until_shown
from tests.support.server import copy_store

pytestmark = pytest.mark.slow

HELD = """
import time
from pathlib import Path
from mlflow_tune import Int, Study

def held(x, name):
    while not Path(f"go-{name}-{x}").exists():
        time.sleep(0.01)
    return x

def study(name, objective=held, **more):
    space = {"x": Int(1, 3, grid=[1, 2, 3])}
    given = {"metric": "loss", "strategy": "grid", "parameters": {"name": name}, **more}
    return Study(name=name, objective=objective, space=space, **given)
"""


def go(name: str, place: Path, most: int = 3) -> None:
    """Let the first trials of the study end."""
    for x in range(1, 1 + most):
        (place / f"go-{name}-{x}").touch()


@pytest.fixture(scope="module")
def place(tmp_path_factory, store_template):
    """The folder in which the kernels run, with the store that they find there."""
    folder = tmp_path_factory.mktemp("notebook")
    copy_store(store_template, folder)
    return folder


@pytest.fixture(scope="module")
def cells(place):
    """A kernel in which all tests run cells: it imports MLflow once."""
    with Kernel(place) as started:
        started.run(HELD)
        yield started


def test_the_table_is_live_and_ends_with_the_study(cells, place):
    def meanwhile(cell):
        until_shown(cell, "1 running")
        assert "#001 running" in shown(cell)
        (place / "go-live-1").touch()
        until_shown(cell, "#002 running")  # while the driver's thread is within the trial
        assert "1 of 3" in shown(cell)
        assert "best loss 1 , trial 1" in shown(cell)
        go("live", place)

    cell = cells.run("study('live').run();", meanwhile)
    assert sum(output.output_type == "display_data" for output in cell.outputs) == 1, "one table, drawn in place"
    assert "live : minimize loss by grid, up to 3 trials; finished (grid: every point" in shown(cell)
    assert "3 of 3" in shown(cell)
    assert "mlflow-tune ui" in shown(cell)
    assert cell.outputs[-1].data["text/plain"].startswith("live: minimize loss by grid, up to 3 trials finished")
    assert "best loss 1" in shown(cells.run("Study.load('live')"))
    silent = cells.run("study('silent').run(quiet=True).best.value", lambda _: go("silent", place))
    assert shown(silent) == "1.0"


@pytest.mark.parametrize("workers", [1, 2])
def test_an_interrupt_says_what_it_waits_for_and_a_second_one_ends_it(cells, place, workers):
    name = f"cut-{workers}"

    def once(cell):
        until_shown(cell, f"{workers} running")
        cells.interrupt()
        until_shown(cell, "Interrupted: no new trial starts; waiting for #001 (x=1)")
        go(name, place, workers)

    cell = cells.run(f"study('{name}', workers={workers}).run()", once)
    assert cell.outputs[-1].ename == "KeyboardInterrupt"
    assert "interrupted (interrupted by Ctrl-C)" in shown(cell)
    assert ".resume()" in shown(cell)

    def twice(cell):
        until_shown(cell, f"#00{workers + 1} running")
        cells.interrupt()
        until_shown(cell, "Interrupt again to end it.")
        cells.interrupt()

    cell = cells.run(f"Study.load('{name}', objective=held).resume()", twice)
    assert cell.outputs[-1].ename == "KeyboardInterrupt"
    ended = [each[2:] for each in outcomes(runs_of(f"sqlite:///{place / 'mlflow.db'}", name)[1])]
    assert ended == [("ok", "FINISHED")] * workers + [("interrupted", "KILLED")]
    assert shown(cells.run("print(1 + 1)")) == "2", "the kernel goes on"


def test_a_failed_study_is_an_error_of_its_cell(cells):
    cell = cells.run("study('odd', parameters={'name': 7}, stop={'trials': 1}, objective=lambda x, name: x / 0).run()")
    assert cell.outputs[-1].ename == "StudyFailed"
    assert "trial 1 failed first: ZeroDivisionError: division by zero" in cell.outputs[-1].evalue


@pytest.mark.long
def test_the_example_runs(place):
    notebook = nbformat.read(ROOT / "examples" / "notebook.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells), "it is kept without its outputs"
    with Kernel(place, notebook) as started:
        started.run_all()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    run, card, frame, importance, parallel, resumed, searched, study = code[1:]
    assert "diabetes : minimize rmse by bayesian, up to 20 trials; finished" in shown(run)
    assert "best rmse" in shown(card)
    assert "<img" in card.outputs[0].data["text/html"]
    assert frame.outputs[0].data["text/html"].count("<tr") == 6 + 1
    assert all("image/png" in cell.outputs[0].data for cell in (importance, parallel))
    assert "Trial(number=" in shown(resumed)
    assert "max_depth" in shown(searched)
    assert "diabetes search" in shown(study)
