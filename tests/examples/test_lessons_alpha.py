"""P-Net's project by itself, as people run it, and the lesson on its alpha in the short form."""

import os
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

from tests.fixtures import ROOT
from tests.projects.test_projects import refusal, run_in
from tests.support.required import required

PNET = ROOT / "projects" / "pnet"
LESSON = ROOT / "examples" / "alpha" / "lesson.py"
EPOCHS = 2
SMALL = {"lr": "0.015", "epochs": str(EPOCHS), "batch_size": "128", "crops": "2", "networks": "2", "seed": "0"}
PARAMS = {"alpha": "0.1", **SMALL}
METRICS = {"cls_loss", "box_loss", "val_cls_loss", "val_box_loss", "recall", "box_error", "recall_std"}
pytestmark = [
    pytest.mark.slow,
    # MLflow 3.17's own tables under SQLAlchemy 2.1; nothing that this project could change.
    pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy:DeprecationWarning"),
]


@pytest.fixture(autouse=True, scope="module")
def torch():
    """PyTorch and scikit-image; the tests are skipped, or fail, without them."""
    required("torch", "torch")
    required("skimage", "torch")
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


@pytest.fixture
def code(monkeypatch):
    """The project's modules, imported as its script imports them, and forgotten afterwards."""
    monkeypatch.syspath_prepend(str(PNET))
    names = ("faces", "network", "train")
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    import faces
    import network
    import train

    yield SimpleNamespace(faces=faces, network=network, train=train)
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def by_mlflow(store_template, tmp_path_factory):
    """The project under plain `mlflow run`, every parameter given."""
    given = [word for name, value in PARAMS.items() for word in ("-P", f"{name}={value}")]
    command = (sys.executable, "-m", "mlflow", "run", str(PNET), "--env-manager", "local", *given)
    return run_in(tmp_path_factory.mktemp("pnet"), store_template, *command)


def arguments(**changes):
    given = {"alpha": 0.1, "lr": 0.015, "epochs": EPOCHS, "batch_size": 128, "crops": 2, "networks": 1, "seed": 0}
    return SimpleNamespace(**{**given, **changes})


@pytest.mark.long
def test_mlflow_run_leaves_params_and_a_point_an_epoch_of_every_metric(by_mlflow):
    assert by_mlflow.process.returncode == 0, by_mlflow.process.stderr
    assert (by_mlflow.run.info.status, by_mlflow.run.data.params) == ("FINISHED", PARAMS)
    assert set(by_mlflow.run.data.metrics) == METRICS
    for name in METRICS:
        points = by_mlflow.client.get_metric_history(by_mlflow.run.info.run_id, name)
        assert [point.step for point in points] == list(range(1, EPOCHS + 1)), name
    assert 0 <= by_mlflow.run.data.metrics["recall"] <= 1


def test_no_picture_is_in_both_halves(code):
    training, validation = code.faces.load_windows(2, 0)
    seen, unseen = (set(windows.picture.tolist()) for windows in (training, validation))
    assert (len(seen), len(unseen)) == (100, 100)
    assert not seen & unseen
    for half in (seen, unseen):
        assert sum(picture < 100 for picture in half) == 50, "the first 100 pictures are the faces"


def test_the_halves_hold_no_equal_pictures(code):
    from skimage.data import lfw_subset

    pictures = [picture.tobytes() for picture in lfw_subset()]
    training, validation = ({pictures[number] for number in half} for half in code.faces.split())
    assert not training & validation


def test_another_seed_moves_the_windows_to_train_on_alone(code):
    (ours, held), (again, _), (other, also_held) = (code.faces.load_windows(2, seed) for seed in (0, 0, 1))
    assert (ours.pixels == again.pixels).all()
    assert not (ours.pixels == other.pixels).all()
    assert (held.pixels == also_held.pixels).all()


def test_a_window_is_what_its_overlap_with_the_face_says(code):
    import numpy as np

    faces = code.faces
    rng = np.random.default_rng(0)
    for kind, low, high in ((faces.IS_FACE, 0.65, 1), (faces.PART, 0.4, 0.65), (faces.BACKGROUND, 0, 0.3)):
        corners = faces.place(200, kind, True, rng)
        assert corners.min() >= 0
        assert corners.max() <= faces.PICTURE
        overlap = faces.overlaps(corners)
        assert low <= overlap.min() < overlap.max() <= high
    np.testing.assert_allclose(faces.overlaps(faces.FACE[None]), 1)
    np.testing.assert_allclose(faces.overlaps(faces.FACE[None] - [10, 0, 10, 0]), 9 * 19 / (29 * 19))


def test_the_box_leads_from_the_window_back_to_the_face(code):
    """What is cut out by hand at whole pixels is the window, and its box lies where the face is."""
    import numpy as np

    corners = np.array([[5.0, 2.0, 17.0, 14.0]])
    picture = np.arange(625.0).reshape(1, 25, 25)
    assert np.allclose(code.faces.scale(picture, corners)[0, 0].numpy(), picture[0, 2:14, 5:17], atol=1e-3)
    _, windows = code.faces.load_windows(1, 0)
    boxes = windows.box[windows.kind == code.faces.IS_FACE].numpy()
    sides = 19 / (1 + boxes[:, 2] - boxes[:, 0])  # the face's width over its share of the window
    np.testing.assert_allclose(19 / (1 + boxes[:, 3] - boxes[:, 1]), sides, rtol=1e-5)
    assert 13 <= sides.min() < sides.max() <= 25
    assert np.ptp(boxes, axis=0).min() > 0.1, "all four are there to be learned"


def test_the_loss_leaves_out_what_a_window_says_nothing_of(code, torch):
    windows = code.faces.load_windows(1, 0)[0]
    logits, boxes = torch.zeros(len(windows.kind)), windows.box.clone()
    boxes[windows.kind == code.faces.BACKGROUND] = 9.0
    logits[windows.kind == code.faces.PART] = 9.0
    cls_loss, box_loss = code.network.losses(logits, boxes, windows)
    assert cls_loss.item() == pytest.approx(0.6931, abs=1e-4)
    assert box_loss.item() == 0
    boxes[windows.kind != code.faces.BACKGROUND] += 1 / 25
    assert code.network.losses(logits, boxes, windows)[1].item() == pytest.approx(4, rel=1e-4), "a pixel, four times"


def test_our_adam_is_that_of_pytorch(code, torch):
    ours, theirs = (torch.tensor([1.0, -2.0, 3.0], requires_grad=True) for _ in range(2))
    adam, reference = code.network.Adam([ours]), torch.optim.Adam([theirs], lr=0.1)
    for _ in range(20):
        adam.step((ours**4).sum() + ours.sum(), 0.1)
        reference.zero_grad()
        ((theirs**4).sum() + theirs.sum()).backward()
        reference.step()
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_equal_parameters_give_equal_curves_and_networks_are_averaged(code):
    first, again, second = (list(code.train.train(arguments(seed=seed))) for seed in (0, 0, 1))
    assert first == again
    assert first != second
    both = list(code.train.train(arguments(networks=2)))
    for (_, one), (_, two), (_, mean) in zip(first, second, both, strict=True):
        assert mean["recall"] == pytest.approx((one["recall"] + two["recall"]) / 2)
        assert mean["box_loss"] == pytest.approx((one["box_loss"] + two["box_loss"]) / 2)


@pytest.mark.parametrize("wrong", [("--epochs", "0"), ("--networks", "0"), ("--crops", "-1"), ("--seed", "-1")])
def test_what_cannot_be_trained_is_refused_in_words(wrong, tmp_path):
    assert f"must hold, but got {wrong[1]}" in refusal(tmp_path, PNET / "train.py", *wrong)


def test_the_project_knows_nothing_of_mlflow_tune():
    assert all("mlflow_tune" not in path.read_text() for path in PNET.glob("*.py"))


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_lesson_finds_what_the_grid_finds_in_at_most_half_of_its_trials(tmp_path):
    from mlflow import MlflowClient

    env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    process = subprocess.run(
        [sys.executable, str(LESSON), str(tmp_path), "--short"],
        cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    client = MlflowClient(env["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("alpha")
    runs = client.search_runs([experiment.experiment_id], max_results=1000)
    studies = {run.info.run_name: run.info.run_id for run in runs if run.data.tags["tune.kind"] == "study"}
    trials = {
        name: [run for run in runs if run.data.tags.get("mlflow.parentRunId") == run_id]
        for name, run_id in studies.items()
    }
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert len(trials["alpha-grid"]) == 13
    assert 2 < len(trials["alpha-boundary"]) <= len(trials["alpha-grid"]) / 2
    assert len(trials["alpha-fresh-seeds"]) == 5
    found = {
        name: float(at) for name, at in re.findall(r"^(\w+): \d+ trials, .*: alpha ([\d.]+)", process.stdout, re.M)
    }
    assert found["bisection"] <= found["grid"] * 1.68, "no more than a step apart, where the curve is monotone"
    kept = [run for run in trials["alpha-boundary"] if run.data.metrics["recall"] >= 0.25]
    assert max(float(run.data.params["alpha"]) for run in kept) == pytest.approx(found["bisection"], abs=1e-4)
    for name in ("curve", "windows"):
        assert (tmp_path / f"alpha_{name}.png").stat().st_size > 10_000
        assert f"alpha_{name}.png" in [file.path for file in client.list_artifacts(studies["alpha-boundary"])]
