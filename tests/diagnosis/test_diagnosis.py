"""The diagnosis of learning curves: as people have them, as they might be broken, and from real training."""

from __future__ import annotations

import json
import math
import random
import re
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_tune.diagnosis import Finding, diagnose, findings_from_json, findings_to_json, names, suggestions
from mlflow_tune.diagnosis.finding import MOST_CHARACTERS
from mlflow_tune.space import Categorical, Float, Int, Space
from mlflow_tune.trial import INFINITE
from tests.benchmarks.diagnosis import DEFAULTS, FAULTS, HEALTHY, right, train
from tests.projects.test_projects import train as train_by_hand

CHANCE = math.log(10)


def curve(function, count, first=1, every=1):
    return [(step, function(step)) for step in range(first, first + count * every, every)]


def decay(start, end, pace):
    return lambda step: end + (start - end) * math.exp(-step / pace)


def noisy(function, size, seed=0):
    drawn = random.Random(seed)
    return lambda step: function(step) + drawn.gauss(0, size)


def named(curves, metric="val_loss", goal="minimize"):
    return [finding.name for finding in diagnose(curves, metric, goal)]


def loss(function, count=40, **spacing):
    return {"val_loss": curve(function, count, **spacing)}


def both(train_function, validation, count=40):
    return {"train_loss": curve(train_function, count), "val_loss": curve(validation, count)}


def up_again(step):
    return decay(2.3, 0.3, 4)(step) + max(0, step - 15) * 0.01


HEALTHY_LOSS = decay(2.3, 0.2, 8)


@pytest.mark.parametrize(
    ("curves", "expected"),
    [
        (loss(HEALTHY_LOSS), []),
        (loss(decay(2.3, 0.2, 40)), ["still-improving"]),
        (loss(decay(2.3, 0.2, 3), 60), ["plateaued"]),
        (loss(lambda step: CHANCE - 1e-4 * step), ["not-learning"]),
        (loss(lambda step: 0.7), ["not-learning"]),
        (loss(noisy(lambda step: 0.5, 0.1)), ["unstable"]),
        (loss(lambda step: 2.3 * 1.2**step), ["diverged", "not-learning"]),
        (loss(lambda step: 2.3 if step < 20 else math.nan), ["diverged", "not-learning"]),
        (loss(lambda step: 2.3 if step < 20 else math.inf), ["diverged", "not-learning"]),
        (loss(lambda step: 2.3 if step < 20 else INFINITE), ["diverged", "not-learning"]),
        (loss(lambda step: math.nan), ["diverged"]),
        (both(decay(2.3, 0, 8), lambda step: CHANCE if step > 25 else HEALTHY_LOSS(step)), ["overfitting"]),
        (loss(lambda step: CHANCE if step > 25 else HEALTHY_LOSS(step)), ["diverged"]),
        (both(decay(2.3, 0, 6), up_again), ["overfitting", "plateaued"]),
        (loss(up_again), ["plateaued"]),  # without a training curve nobody can tell more
        (both(HEALTHY_LOSS, lambda step: HEALTHY_LOSS(step) + 0.05), []),
        (both(decay(2.3, 0, 4), lambda step: max(0.6, decay(2.3, 0, 8)(step))), ["overfitting", "plateaued"]),
        (loss(HEALTHY_LOSS, 4), ["too-little-evidence"]),
        (loss(HEALTHY_LOSS, 0), ["too-little-evidence"]),
        ({}, ["too-little-evidence"]),
        ({"lr": curve(HEALTHY_LOSS, 40)}, ["too-little-evidence"]),
    ],
)
def test_each_shape_has_its_name(curves, expected):
    assert named(curves) == expected


@pytest.mark.parametrize(
    ("curves", "expected"),
    [
        # per-iteration losses, noise of single minibatches
        (loss(noisy(decay(2.3, 0.3, 900), 0.15), 5000), []),
        (loss(noisy(decay(2.3, 0.3, 2500), 0.15), 5000), ["still-improving"]),
        (loss(noisy(decay(2.3, 0.3, 300), 0.15), 5000), ["plateaued"]),
        (loss(noisy(lambda step: CHANCE, 0.15), 5000), ["not-learning"]),
        # ... beside a validation curve of few points
        ({"train_loss": curve(noisy(decay(2.3, 0.3, 400), 0.3), 2000), **loss(decay(2.3, 0.3, 400), 40, every=50)}, []),
        # validation every fifth step
        ({"train_loss": curve(decay(2.3, 0.1, 20), 100), **loss(decay(2.3, 0.3, 20), 20, first=5, every=5)}, []),
        (
            {"train_loss": curve(decay(2.3, 0.0, 20), 100), **loss(up_again, 9, first=5, every=5)},
            ["overfitting", "plateaued"],
        ),
        # the learning rate is divided by ten at three fifths, and at four fifths
        (loss(lambda step: HEALTHY_LOSS(step) - 0.1 * (step > 24)), []),
        (loss(lambda step: HEALTHY_LOSS(step) - 0.1 * (step > 32)), []),
        # the first value is huge
        (loss(lambda step: 1e6 if step == 1 else HEALTHY_LOSS(step)), []),
        (loss(lambda step: 1e6 if step == 1 else decay(2.3, 0.2, 40)(step)), ["still-improving"]),
        # huge steps, of which one is missing; unsorted; one logged twice
        (loss(HEALTHY_LOSS, first=2**60), ["not-learning"]),
        ({"val_loss": [(2**55 * step, value) for step, value in curve(HEALTHY_LOSS, 40)]}, []),
        ({"val_loss": curve(HEALTHY_LOSS, 40)[::-1]}, []),
        ({"val_loss": [(40, math.nan), *curve(HEALTHY_LOSS, 40)]}, []),
        # not finite before the end
        (loss(lambda step: math.nan if step in (1, 7) else HEALTHY_LOSS(step)), []),
        # nothing left to learn
        (loss(lambda step: 0.0), ["plateaued"]),
        # one final value; the other curves stand in
        ({"test_loss": [(40, 0.3)], "loss": curve(decay(2.3, 0.2, 40), 40)}, ["still-improving"]),
    ],
)
def test_curves_as_other_people_have_them(curves, expected):
    metric = next((name for name in ("test_loss", "val_loss") if name in curves), "val_loss")
    assert named(curves, metric) == expected


@pytest.mark.parametrize("size", [0.01, 0.03])
@pytest.mark.parametrize("count", [40, 100, 1000])
def test_noise_of_a_validation_set_changes_no_name(count, size):
    """Of 20 draws 18 keep the name that the curves have without noise; `plateaued` may stand beside it."""
    falling = decay(2.3, 0.05, count / 5.5)
    shapes = {
        "": (falling, decay(2.3, 0.3, count / 5.5)),
        "still-improving": (falling, decay(2.3, 0.2, count)),
        "overfitting": (falling, lambda step: decay(2.3, 0.3, count / 8)(step) + max(0, step / count - 0.35) * 0.4),
    }
    for name, (train_loss, val_loss) in shapes.items():
        found = [named(both(train_loss, noisy(val_loss, size, seed), count)) for seed in range(20)]
        assert sum(name in each if name else not each for each in found) >= 18, (name, found)


def test_a_tuned_metric_that_was_logged_once_is_too_little():
    (finding,) = diagnose({"val_accuracy": [(40, 0.9)]}, "val_accuracy", "maximize")
    assert finding.name == "too-little-evidence"
    assert finding.text == "too little evidence: val_accuracy has 1 finite step, the last at step 40"


@pytest.mark.parametrize("whole", [1, 100])
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (decay(0.9, 0.05, 8), []),
        (decay(0.9, 0.05, 40), ["still-improving"]),
        (decay(0.9, 0.05, 3), ["plateaued"]),
        (lambda step: 0.9, ["not-learning"]),
        (lambda step: 0.9 if step > 25 else decay(0.9, 0.05, 8)(step), ["diverged"]),
        (noisy(lambda step: 0.3, 0.05), ["unstable"]),
    ],
)
def test_accuracy_alone_as_a_share_or_in_percent(error, expected, whole):
    curves = {"val_accuracy": curve(lambda step: whole * (1 - error(step)), 40)}
    assert named(curves, "val_accuracy", "maximize") == expected


def test_a_loss_far_above_guessing_has_diverged_and_learned_nothing():
    accuracy = {"val_accuracy": curve(lambda step: 0.1, 12)}
    came_back = diagnose(loss(decay(30, CHANCE, 2), 12) | accuracy, "val_loss", "minimize")
    assert [finding.name for finding in came_back] == ["diverged", "not-learning"]
    assert "where guessing gives about 2.3" in came_back[0].text
    assert named(loss(noisy(lambda step: 29, 1), 12) | accuracy)[0] == "diverged"


def test_a_hard_problem_is_no_divergence():
    """A thousand classes: after an epoch the loss is 4.5 at an accuracy of 0.2, whose guess would have 1.6."""
    curves = loss(decay(4.8, 2.4, 8)) | {"val_accuracy": curve(lambda step: 0.45 - decay(0.3, 0, 8)(step), 40)}
    assert named(curves) == []


@pytest.mark.parametrize(
    ("training", "validation"),
    [
        ("train_loss", "val_loss"),
        ("training_loss", "validation_loss"),
        ("loss", "val_loss"),
        ("train/loss", "val/loss"),
        ("loss/train", "loss/test"),
        ("train_rmse", "valid_rmse"),
        ("train_loss_epoch", "val_loss"),
        ("trainLoss", "evalLoss"),
        ("training-l2", "valid_1-l2"),
    ],
)
def test_pairs_are_found_by_name(training, validation):
    curves = {training: curve(decay(2.3, 0, 6), 40), validation: curve(up_again, 40)}
    finding, _ = diagnose(curves, validation, "minimize")
    assert (finding.name, finding.metric) == ("overfitting", validation)
    assert training in finding.text


def test_accuracies_are_a_pair_too():
    curves = {"accuracy": curve(lambda s: 1 - decay(0.9, 0, 4)(s), 40), "val_accuracy": curve(lambda s: 0.7, 40)}
    curves["val_accuracy"][:8] = curve(lambda s: 0.1 + 0.075 * s, 8)
    assert "overfitting" in named(curves, "val_accuracy", "maximize")


def test_names_tell_direction_and_data():
    falling = ("val_loss", "RMSE", "trainLoss", "cross_entropy", "validation_0-logloss", "mean_absolute_error")
    assert all(names.falls(name) is True for name in falling)
    rising = ("val_accuracy", "AUC", "f1_score", "sparse_categorical_accuracy", "valF1", "top5_acc")
    assert all(names.falls(name) is False for name in rising)
    assert all(names.falls(name) is None for name in ("lr", "epoch", "lossless_ratio", "system/cpu", "objective"))
    assert [names.split(name) for name in ("trainer/loss", "val_acc", "evaluate", "test-auc")] == [
        "", "validation", "", "validation",
    ]  # fmt: skip


def test_the_text_names_metric_steps_and_figures():
    finding, _ = diagnose(both(decay(2.3, 0, 6), up_again), "val_loss", "minimize")
    assert finding.steps == (16, 40)
    assert finding.text == (
        "overfitting from step 16: val_loss rose from 0.3466 (step 16) to 0.5501 (step 40), "
        "while train_loss went from 0.1598 (step 16) to 0.002927 (step 40)"
    )
    assert finding.figures == pytest.approx({"best": 0.3466, "last": 0.5501, "train": 0.002927}, rel=1e-3)
    (rising,) = diagnose({"auc": curve(lambda s: 1 - decay(0.5, 0.1, 40)(s), 40)}, "auc", "maximize")
    assert rising.text.startswith("still rising at the end: auc went from 0.7")


values = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True),
    st.floats(-100, 100),
    st.sampled_from([0.0, 1.0, INFINITE, -INFINITE, 1e-320]),
)
points = st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 50), values), max_size=40)
any_names = st.sampled_from(["loss", "train_loss", "val_loss", "val_accuracy", "acc", "lr", "objective", "ü/val_loss"])
any_curves = st.dictionaries(any_names, points, max_size=5)
goals = st.sampled_from(["minimize", "maximize"])


@pytest.mark.slow
@given(any_curves, any_names, goals)
def test_any_curves_have_an_answer_that_fits_into_a_tag(curves, metric, goal):
    findings = diagnose(curves, metric, goal)
    assert findings == diagnose(dict(reversed(curves.items())), metric, goal)
    assert len({finding.name for finding in findings}) == len(findings)
    found = [finding.name for finding in findings]
    assert not ("too-little-evidence" in found and len(found) > 1)
    assert not ("diverged" in found and set(found) - {"diverged", "not-learning"})
    assert not {"still-improving", "plateaued"} <= set(found)
    text = findings_to_json(findings)
    assert len(text) < MOST_CHARACTERS
    json.loads(text, parse_constant=pytest.fail)
    assert [finding.text for finding in findings_from_json(text)] == [finding.text for finding in findings]


tame = st.lists(st.floats(-100, 100).map(lambda value: round(value, 3)), min_size=10, max_size=40)
shapes = st.one_of(
    tame,
    st.builds(lambda a, b, pace: [value for _, value in curve(decay(a, b, pace), 30)], *[st.floats(0.01, 9)] * 3),
)


@given(shapes, shapes, st.integers(-20, 20))
def test_the_scale_of_a_loss_does_not_matter(train_values, val_values, power):
    def scaled(factor):
        pair = {"train_loss": train_values, "val_loss": val_values}
        return {name: [(step, value * factor) for step, value in enumerate(each)] for name, each in pair.items()}

    ours, theirs = (diagnose(scaled(factor), "val_loss", "minimize") for factor in (1.0, 2.0**power))
    assert [(f.name, f.metric, f.steps) for f in ours] == [(f.name, f.metric, f.steps) for f in theirs]


@pytest.mark.slow
@given(shapes, shapes, st.sampled_from(["val_loss", "objective", "val_accuracy"]), st.booleans())
def test_a_negated_metric_with_the_other_goal_is_the_same(train_values, val_values, metric, beside):
    def oriented(sign):
        curves = {metric: [(step, sign * value) for step, value in enumerate(val_values)]}
        return curves | ({"train_loss": list(enumerate(train_values))} if beside else {})

    ours, theirs = diagnose(oriented(1), metric, "maximize"), diagnose(oriented(-1), metric, "minimize")
    assert [(f.name, f.metric, f.steps) for f in ours] == [(f.name, f.metric, f.steps) for f in theirs]


@given(shapes)
def test_ten_steps_are_evidence_enough(each):
    assert "too-little-evidence" not in named({"val_loss": list(enumerate(each))})


@pytest.mark.parametrize(
    "text", ["", "{", "null", "7", "[7]", "[[]]", '[{"name":"diverged"}]', "[" * 5000, '[{"name":["diverged"]}]',
             '[{"name":"hacked","metric":"m","steps":[1],"text":"t","figures":{}}]',
             '[{"name":"diverged","metric":"m","steps":5,"text":"t","figures":{}}]',
             '[{"name":"diverged","metric":"m","steps":[1e999],"text":"t","figures":{}}]'],
)  # fmt: skip
def test_a_tag_that_someone_else_wrote_holds_no_finding(text):
    assert findings_from_json(text) == []


def test_findings_come_back_from_their_tag():
    finding = Finding("diverged", "val/löss", (3, 7), "diverged: …", {"last": math.inf, "best": 0.1234567})
    (back,) = findings_from_json(findings_to_json([finding]))
    assert (back.name, back.metric, back.steps, back.text) == ("diverged", "val/löss", (3, 7), "diverged: …")
    assert back.figures == {"last": math.inf, "best": 0.123457}
    long = Finding("plateaued", "m" * 250, (1, 9), "x" * 5000)
    assert len(findings_from_json(findings_to_json([finding, long, long]))) == 2


SPACE = Space(
    {
        "lr": Float(1e-4, 0.1, log=True, role="learning_rate"),
        "alpha": Float(1e-6, 1, log=True, role="regularization"),
        "dropout": Float(0, 0.8, role="regularization"),
        "units": Int(16, 256, log=True, role="capacity"),
        "layers": Int(2, 8, step=2, role="capacity"),
        "batch": Categorical([16, 32, 64], role="batch_size"),
        "epochs": Int(5, 100, role="epochs"),
        "model": Categorical(["small", "large"], role="capacity"),
        "free": Float(0, 1),
    }
)
POINT = {
    "lr": 0.03, "alpha": 1e-4, "dropout": 0.4, "units": 100, "layers": 4, "batch": 32, "epochs": 40, "model": "small",
    "free": 0.5,
}  # fmt: skip


def found(name, steps=(1, 40), **figures):
    return Finding(name, "val_loss", steps, "", figures)


@pytest.mark.parametrize(
    ("findings", "expected"),
    [
        ([], []),
        ([found("too-little-evidence")], []),
        ([found("diverged"), found("not-learning")], ["lr: people divide it by 3 to 10 here: try 0.003 to 0.01"]),
        (
            [found("unstable")],
            [
                "lr: people divide it by 3 to 10 here: try 0.003 to 0.01",
                "batch: people double it here: try 64 (its upper bound)",
            ],
        ),
        (
            [found("not-learning", rises=0.0, fall=0.01)],
            [
                "lr: people multiply it by 3 to 10 here: try 0.09 to 0.1 (its upper bound)",
                "alpha: people divide it by 3 to 10 here: try 1e-05 to 3.3e-05",
                "dropout: people divide it by 1.5 to 2 here: try 0.2 to 0.27",
            ],
        ),
        (
            [found("overfitting", (14, 40)), found("plateaued", (10, 40))],
            [
                "alpha: people multiply it by 3 to 10 here: try 0.0003 to 0.001",
                "dropout: people multiply it by 1.5 to 2 here: try 0.6 to 0.8 (its upper bound)",
                "units: people halve it here: try 50",
                "layers: people halve it here: try 2 (its lower bound)",
                "epochs: people stop near step 14 here: try 14",
            ],
        ),
        (
            [found("still-improving")],
            [
                "lr: people multiply it by 2 to 3 here: try 0.06 to 0.09",
                "epochs: people double it here: try 80",
            ],
        ),
        (
            [found("plateaued", (300, 1200))],
            [
                "units: people double it here: try 200",
                "layers: people double it here: try 8 (its upper bound)",
                "epochs: people stop near step 300 here: try 10",
            ],
        ),
    ],
)
def test_suggestions_say_what_people_do(findings, expected):
    assert suggestions(findings, SPACE, POINT) == expected


def test_a_stuck_network_gets_both_directions():
    (lr, *_) = suggestions([found("not-learning", rises=0.5, fall=0.0)], SPACE, POINT | {"lr": 0.003})
    assert lr == (
        "lr: people multiply it by 3 to 10 or divide it by 3 to 10 here: try 0.009 to 0.03, or try 0.0003 to 0.001"
    )


def test_a_parameter_at_its_bound_is_told_so():
    point = POINT | {"lr": 0.1, "epochs": 100}
    assert suggestions([found("still-improving")], SPACE, point) == [
        "lr: people multiply it by 2 to 3 here: it is at its upper bound 0.1, which could be widened",
        "epochs: people double it here: it is at its upper bound 100, which could be widened",
    ]
    assert suggestions([found("overfitting")], SPACE, {"dropout": 0.0}) == [
        "dropout: people turn it on here: try 0.008 to 0.08"
    ]
    assert suggestions([found("not-learning")], SPACE, {"dropout": 0.0}) == []


def test_a_finding_without_steps_tells_no_step_to_stop_at():
    assert suggestions([found("overfitting", ())], SPACE, {"epochs": 40}) == []
    assert suggestions([found("overfitting", (-9, -3))], SPACE, {"epochs": 40}) == []
    assert suggestions([found("overfitting", (0, 9))], SPACE, {"epochs": 40}) == [
        "epochs: people stop near step 0 here: try 5 (its lower bound)"
    ]


def test_what_is_no_number_gets_no_suggestion():
    assert suggestions([found("diverged")], SPACE, {"lr": "0.1"}) == []
    assert suggestions([found("diverged")], SPACE, {"lr": True}) == []
    assert suggestions([found("diverged")], SPACE, {}) == []


@given(
    st.sampled_from(["diverged", "unstable", "not-learning", "overfitting", "still-improving", "plateaued"]),
    st.lists(st.floats(0, 1), min_size=len(SPACE), max_size=len(SPACE)),
    st.tuples(st.integers(-5, 100), st.integers(-5, 100)).map(sorted).map(tuple),
)
def test_suggested_values_lie_in_the_space_and_on_the_side_that_the_words_say(name, units, steps):
    params = SPACE.from_unit(units)
    for sentence in suggestions([found(name, steps)], SPACE, params):
        parameter = sentence.partition(":")[0]
        for low, high in re.findall(r"try (\S+?)(?: to (\S+?))?(?:,| \(|$)", sentence):
            for text in filter(None, (low, high)):
                value = SPACE[parameter].decode(text)
                assert SPACE[parameter].contains(value), sentence
                assert value != params[parameter], sentence


@pytest.mark.long
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("metric", ["val_loss", "val_accuracy"])
def test_real_training_gets_the_name_of_its_fault(fault, metric, real_curves):
    goal = "maximize" if metric == "val_accuracy" else "minimize"
    findings = [diagnose(curves, metric, goal) for curves in real_curves(fault)]
    assert mean(right(fault, each) for each in findings) >= 0.8, findings


@pytest.mark.long
def test_healthy_training_raises_no_alarm(real_curves):
    alarms = [found for curves in real_curves("healthy") if (found := diagnose(curves, "val_loss", "minimize"))]
    assert len(alarms) <= 1, alarms


def updates(settings):
    """Return how many steps of its optimiser a training takes, which is what its time goes into."""
    given = DEFAULTS | settings
    return given["epochs"] * given["train_images"] / min(given["batch_size"], given["train_images"])


@pytest.fixture(scope="module")
def real_curves():
    """Return the curves of real runs with a fault: the two shortest, three seeds that the rules were not made on."""
    kept = {}

    def curves(fault):
        if fault not in kept:
            settings = HEALTHY if fault == "healthy" else sorted(FAULTS[fault], key=updates)[:2]
            seeds = [200] if fault == "healthy" else [200, 201, 202]
            kept[fault] = [train(each, seed) for each in settings for seed in seeds]
        return kept[fault]

    return curves


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--lr", "10"], ["diverged", "not-learning"], marks=pytest.mark.long),
        (["--lr", "0.01", "--train_images", "50", "--epochs", "40", "--units", "256"], ["overfitting"]),
        pytest.param(["--lr", "0.0001", "--seed", "3"], ["still-improving"], marks=pytest.mark.long),
    ],
)
def test_the_curves_that_mlflow_keeps_of_a_run_by_hand_show_the_same(sqlite_store, tmp_path, arguments, expected):
    result = train_by_hand(tmp_path, *arguments)
    assert [name for name in named(result.curves()) if name != "plateaued"] == expected
