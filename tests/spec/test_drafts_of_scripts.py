"""What `init` reads of a script: its parameters by their declaration, its metrics, its experiment. Nothing is run."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlflow_tune.errors import InputError
from mlflow_tune.spec.draft import CommandRun, Draft, DraftRequest, Parameter, draft
from mlflow_tune.spec.draft.scripts import script_request
from mlflow_tune.spec.study_file import parse_study
from mlflow_tune.text.yaml import load_yaml

LOGGED = '\nimport mlflow\nmlflow.log_metric("loss", 1)\n'


def write(files: dict[str, str], folder: Path | None = None) -> Path:
    """Write the files below the folder, and return the first."""
    paths = [(folder or Path()) / name for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    return paths[0]


def words(code: str | dict[str, str], entry_point: str = "main") -> list[str | Parameter]:
    """Return what follows the script in the command that is drafted."""
    files = {"train.py": dedent(code) + LOGGED} if isinstance(code, str) else code
    return list(script_request(write(files), Path.cwd(), entry_point, ["loss"]).run.words)[2:]


def parameters(code: str | dict[str, str], entry_point: str = "main") -> dict[str, Parameter]:
    return {each.name: each for each in words(code, entry_point) if isinstance(each, Parameter)}


def argparse(*calls: str, before: str = "") -> str:
    return "\n".join(["import argparse", before, "parser = argparse.ArgumentParser()", *calls])


def drafted(code: str) -> tuple[Draft, dict]:
    """Return the draft for a script, and its study file as plain data."""
    found = draft(script_request(write({"train.py": dedent(code) + LOGGED}), Path.cwd(), "main"))
    parse_study(load_yaml(found.text))
    return found, load_yaml(found.text)


# --- argparse --------------------------------------------------------------------------------------------------------

FLAGS = [
    ('"--lr", type=float, default=0.01', Parameter("lr", "float", 0.01, words=("--lr={lr}",))),
    (
        '"-l", "--learning-rate", type=float, default=1e-3',
        Parameter("learning_rate", "float", 0.001, words=("--learning-rate={learning_rate}",)),
    ),
    ('"-n", type=int, default=-5', Parameter("n", "int", -5, words=("-n={n}",))),
    ('"--lr", dest="rate", type=float, default=LR * 2', Parameter("rate", "float", 0.5, words=("--lr={rate}",))),
    (
        '"--opt", choices=["adam", "sgd"], default="adam"',
        Parameter("opt", "string", "adam", choices=("adam", "sgd"), words=("--opt={opt}",)),
    ),
    (
        '"--opt", choices=sorted(OPTIMIZERS), required=True',
        Parameter("opt", "string", None, True, ("adam", "sgd"), words=("--opt={opt}",)),
    ),
    (
        '"--size", type=int, choices=range(1, 4), default=2',
        Parameter("size", "int", 2, choices=(1, 2, 3), words=("--size={size}",)),
    ),
    (
        '"--hidden", type=int, nargs="+", default=[64, 32]',
        Parameter("hidden", "list", (64, 32), words=("--hidden", "{hidden}")),
    ),
    (
        '"--betas", type=float, nargs=2, default=(0.9, 0.99)',
        Parameter("betas", "list", (0.9, 0.99), words=("--betas", "{betas}")),
    ),
    ('"--resume", nargs="?", default="no"', Parameter("resume", "string", "no", words=("--resume={resume}",))),
    ('"--amp", action="store_true"', Parameter("amp", "bool", False, words=("--amp", "{amp}"))),
    (
        '"--no-bias", dest="bias", action="store_false"',
        Parameter("no_bias", "bool", False, words=("--no-bias", "{no_bias}")),
    ),
    (
        '"--amp", action=argparse.BooleanOptionalAction, default=False',
        Parameter("amp", "bool", False, words=("--amp", "{amp}")),
    ),
    (
        '"--amp", action=argparse.BooleanOptionalAction, default=True',
        Parameter("no_amp", "bool", False, words=("--no-amp", "{no_amp}")),
    ),
    ('"alpha", type=float', Parameter("alpha", "float", None, True, words=("{alpha}",))),
    ('"alpha", type=float, nargs="?", default=0.5', Parameter("alpha", "float", 0.5, words=("{alpha}",))),
    ('"--data", type=Path, required=True', Parameter("data", "path", None, True, words=("--data={data}",))),
    ('"--depth", type=int, default=None', Parameter("depth", "int", None, words=("--depth={depth}",))),
    ('"--depth", type=positive, default=3', Parameter("depth", "int", 3, words=("--depth={depth}",))),
]


@pytest.mark.parametrize(("call", "expected"), FLAGS, ids=[call for call, _ in FLAGS])
def test_flags_of_argparse(call, expected):
    code = argparse(f"parser.add_argument({call})", before='LR = 0.25\nOPTIMIZERS = {"sgd": SGD, "adam": Adam}')
    assert words(code) == [expected]


STAYING = [
    ('"--n", default=20', "no type"),
    ('"--flag", type=bool, default=False', "any text for true"),
    ('"--flag", type=str2bool, default=True', "what str2bool takes"),
    ('"--lr", type=float, default=compute()', "not written out"),
    ('"--lr", type=float, default=argparse.SUPPRESS', "not written out"),
    ('"--kind", choices=models.names(), default="a"', "not written out"),
    ('"--rest", nargs=argparse.REMAINDER', "not written out"),
    ('"-v", action="count", default=0', "action=count"),
    ('"--add", action="append"', "action=append"),
    ('"--on", action="store_true", default=True', "neither given nor taken away"),
    ('"--amp", action=argparse.BooleanOptionalAction', "neither given nor taken away"),
]


@pytest.mark.parametrize(("call", "why"), STAYING, ids=[call for call, _ in STAYING])
def test_what_stays_as_it_is(call, why):
    found, study = drafted(
        argparse('parser.add_argument("--lr2", type=float, default=0.1)', f"parser.add_argument({call})")
    )
    assert found.searched == ["lr2"]
    assert study["run"]["command"] == ["python", "train.py", "--lr2={lr2}"]
    [parameter] = list(parameters(argparse(f"parser.add_argument({call})")).values())
    assert why in parameter.stays


def test_flags_that_exclude_one_another_and_groups_and_defaults_that_are_set_later():
    code = argparse(
        'group = parser.add_argument_group("model")',
        'group.add_argument("--units", type=int, default=8)',
        "either = parser.add_mutually_exclusive_group()",
        'either.add_argument("--a", type=int, default=8)',
        'either.add_argument("--b", type=int, default=8)',
        "parser.set_defaults(units=64)",
        'parser.add_argument("--version", action="version", version="1")',
    )
    found = parameters(code)
    assert list(found) == ["units", "a", "b"]
    assert found["units"].default == 64
    assert "excludes" in found["a"].stays


def test_positional_arguments_come_before_flags_that_take_several():
    code = argparse(
        'parser.add_argument("--hidden", type=int, nargs="+", default=[64])',
        'parser.add_argument("alpha", type=float, nargs="?", default=0.5)',
    )
    assert list(parameters(code)) == ["alpha", "hidden"]


COMMANDS = """
    import argparse
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--batch-size", type=int, default=32)
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    several = parser.add_subparsers(dest="command")
    train = several.add_parser("train", parents=[common])
    train.add_argument("--lr", type=float, default=0.1)
    judge = several.add_parser("judge", parents=[common])
    judge.add_argument("--threshold", type=float, default=0.5)
"""


@pytest.mark.parametrize(
    ("entry_point", "listed"),
    [("main", ["seed", "train", "batch_size", "lr"]), ("judge", ["seed", "judge", "batch_size", "threshold"])],
)
def test_commands_of_argparse(entry_point, listed):
    assert [getattr(each, "name", each) for each in words(COMMANDS, entry_point)] == listed


def test_arguments_of_an_imported_module_but_not_those_of_its_own_command_line():
    files = {
        "train.py": "from options import parse\nimport lib.other\n" + LOGGED,
        "options.py": """
            import argparse
            def parse():
                parser = argparse.ArgumentParser()
                parser.add_argument("--lr", type=float, default=0.1)
                return parser.parse_args()
            if __name__ == "__main__":
                parser = argparse.ArgumentParser()
                parser.add_argument("--mine", type=float, default=0.1)
        """,
        "lib/other.py": "broken(",
    }
    assert list(parameters(files)) == ["lr"]


# --- click and typer -------------------------------------------------------------------------------------------------


def test_options_of_click():
    found = parameters(
        """
        import click

        @click.command()
        @click.argument("data", type=click.Path(), default="a.csv")
        @click.option("--lr", "-l", default=0.01, show_default=True)
        @click.option("--rate", "learning_rate", type=click.FloatRange(0, 0.5), default=0.1)
        @click.option("--depth", type=click.IntRange(min=2, max=8), default=4)
        @click.option("--opt", type=click.Choice(["adam", "sgd"]), default="adam")
        @click.option("--amp/--no-amp", default=True)
        @click.option("--fast", is_flag=True)
        @click.option("--betas", nargs=2, type=float, default=(0.9, 0.99))
        @click.option("--tag", multiple=True)
        @click.option("--name", prompt=True)
        @click.option("-n", type=int, default=3)
        @click.option("--bias", type=bool, default=False)
        def main(**options):
            ...
        """
    )
    assert found == {
        each.name: each
        for each in (
            Parameter("data", "path", "a.csv", words=("{data}",)),
            Parameter("lr", "float", 0.01, words=("--lr={lr}",)),
            Parameter("learning_rate", "float", 0.1, low=0, high=0.5, words=("--rate={learning_rate}",)),
            Parameter("depth", "int", 4, low=2, high=8, words=("--depth={depth}",)),
            Parameter("opt", "string", "adam", choices=("adam", "sgd"), words=("--opt={opt}",)),
            Parameter("no_amp", "bool", False, words=("--no-amp", "{no_amp}")),
            Parameter("fast", "bool", False, words=("--fast", "{fast}")),
            Parameter("betas", "list", (0.9, 0.99), words=("--betas", "{betas}")),
            Parameter("tag", words=("--tag={tag}",), stays="what it does with a value is its own: multiple"),
            Parameter("name", required=True, words=("--name={name}",)),
            Parameter("n", "int", 3, words=("-n", "{n}")),
            Parameter("bias", "string", False, choices=(False, True), words=("--bias={bias}",)),
        )
    }


def test_commands_of_click():
    code = """
        import click

        @click.group()
        @click.option("--seed", default=0)
        def cli(seed): ...

        @cli.command()
        @click.option("--lr", default=0.1)
        def train_command(lr): ...

        @cli.command("judge")
        @click.option("--threshold", default=0.5)
        def other(threshold): ...
    """
    assert [getattr(each, "name", each) for each in words(code)] == ["seed", "train", "lr"]
    assert [getattr(each, "name", each) for each in words(code, "judge")] == ["seed", "judge", "threshold"]
    with pytest.raises(InputError, match=r"entry_point: unknown command 'trian'; did you mean 'train'\?"):
        words(code, "trian")


def test_options_of_typer():
    found = parameters(
        """
        from enum import Enum
        from pathlib import Path
        from typing import Annotated, List, Literal, Optional
        import typer

        class Optimizer(str, Enum):
            adam = "adam"
            sgd = "SGD"

        app = typer.Typer()

        @app.command()
        def main(
            data: Path,
            lr: float = 0.01,
            batch_size: int = typer.Option(32, "--batch", "-b", min=1, max=64),
            depth: Annotated[int, typer.Option(min=2)] = 4,
            optimizer: Optimizer = Optimizer.adam,
            norm: Literal["batch", "layer"] = "batch",
            amp: bool = False,
            bias: bool = True,
            limit: Optional[int] = None,
            sizes: List[int] = [1, 2],
            power: Annotated[float, typer.Argument()] = 2.0,
        ): ...

        if __name__ == "__main__":
            app()
        """
    )
    assert found == {
        each.name: each
        for each in (
            Parameter("data", "path", None, True, words=("{data}",)),
            Parameter("power", "float", 2.0, words=("{power}",)),
            Parameter("lr", "float", 0.01, words=("--lr={lr}",)),
            Parameter("batch_size", "int", 32, low=1, high=64, words=("--batch={batch_size}",)),
            Parameter("depth", "int", 4, low=2, words=("--depth={depth}",)),
            Parameter("optimizer", "string", "adam", choices=("adam", "SGD"), words=("--optimizer={optimizer}",)),
            Parameter("norm", "string", "batch", choices=("batch", "layer"), words=("--norm={norm}",)),
            Parameter("amp", "bool", False, words=("--amp", "{amp}")),
            Parameter("no_bias", "bool", False, words=("--no-bias", "{no_bias}")),
            Parameter("limit", "int", None, words=("--limit={limit}",)),
            Parameter("sizes", "list", (1, 2), words=("--sizes={sizes}",), stays="it is given several times"),
        )
    }


def test_commands_of_typer():
    code = """
        import typer
        app = typer.Typer()
        @app.command()
        def fit(lr: float = 0.1): ...
        @app.command("other-one")
        def other(x: float = 0.5): ...
    """
    assert [getattr(each, "name", each) for each in words(code)] == ["fit", "lr"]
    assert [getattr(each, "name", each) for each in words(code, "other-one")] == ["other-one", "x"]
    assert list(parameters("import typer\ndef main(lr: float = 0.1): ...\ntyper.run(main)")) == ["lr"]


# --- Hydra and Lightning ---------------------------------------------------------------------------------------------

HYDRA = """
import hydra
@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg): ...
"""


def test_a_configuration_of_hydra():
    found = parameters(
        {
            "train.py": HYDRA,
            "conf/config.yaml": """
                defaults:
                  - base
                  - optimizer: adam
                  - override hydra/job_logging: none
                  - _self_
                  - data@source: small
                units: 64
                lr: ???
                flag: true
                nothing: null
                path: ${hydra:runtime.cwd}/a
                sizes: [1, 2]
                optimizer: {momentum: 0.5}
                hydra: {job: {chdir: true}}
            """,
            "conf/base.yaml": "units: 32\nrounds: 5\n",
            "conf/optimizer/adam.yaml": "_target_: torch.optim.Adam\nlr: 1e-3\nmomentum: 0.9\n",
            "conf/optimizer/sgd.yaml": "lr: 0.1\n",
            "conf/data/small.yaml": "# @package _global_\nrows: 100\n",
        }
    )
    assert {name: (each.type, each.default) for name, each in found.items() if not each.stays} == {
        "units": ("int", 64),
        "rounds": ("int", 5),
        "optimizer.lr": ("float", 0.001),
        "optimizer.momentum": ("float", 0.5),
        "lr": ("string", None),
        "flag": ("string", True),
        "nothing": ("string", None),
        "rows": ("int", 100),
        "optimizer": ("string", "adam"),
    }
    assert found["optimizer.lr"].words == ("optimizer.lr={optimizer.lr}",)
    assert found["optimizer"].choices == ["adam", "sgd"]
    assert found["lr"].required
    assert "which code" in found["optimizer._target_"].stays
    assert {name for name, each in found.items() if each.stays} == {
        "optimizer._target_",
        "path",
        "sizes",
        "data@source",
    }


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"train.py": HYDRA}, "the configuration 'conf/config.yaml' cannot be read: No such file"),
        ({"train.py": HYDRA, "conf/config.yaml": "[1]"}, "is no mapping, but \\[1\\]"),
        ({"train.py": HYDRA, "conf/config.yaml": "a: [1"}, "conf/config.yaml: line 1"),
        ({"train.py": HYDRA, "conf/config.yaml": "defaults: [config]"}, "more than 100 files"),
        ({"train.py": "import hydra\n@hydra.main()\ndef main(cfg): ..."}, "names no config_name in @hydra.main"),
    ],
)
def test_configurations_that_cannot_be_read(files, said):
    with pytest.raises(InputError, match=said):
        words(files)


def test_a_lightning_cli():
    files = {
        "train.py": """
            from pytorch_lightning.cli import LightningCLI
            from model import Model
            class Data(LightningDataModule):
                def __init__(self, batch_size: int = 32, folder: str = "data"): ...
            class CLI(LightningCLI): ...
            CLI(Model, Data)
        """,
        "model.py": """
            from typing import Literal, Optional
            class Model(LightningModule):
                def __init__(self, units, lr: float = 1e-3, bias: bool = True, act: Literal["relu", "tanh"] = "relu",
                             sizes: list[int] = (1, 2), depth: int | None = None): ...
                def training_step(self, batch):
                    self.log("train_loss", 1)
                    self.log_dict({"val_loss": 1, "val_acc": 2})
        """,
    }
    found = words(files)
    assert found == [
        "fit",
        Parameter("model.units", "string", None, True, words=("--model.units={model.units}",)),
        Parameter("model.lr", "float", 0.001, words=("--model.lr={model.lr}",)),
        Parameter("model.bias", "string", True, choices=(False, True), words=("--model.bias={model.bias}",)),
        Parameter("model.act", "string", "relu", choices=("relu", "tanh"), words=("--model.act={model.act}",)),
        Parameter(
            "model.sizes", default=(1, 2), words=("--model.sizes={model.sizes}",), stays="its value is no single word"
        ),
        Parameter("model.depth", "int", None, words=("--model.depth={model.depth}",)),
        Parameter("data.batch_size", "int", 32, words=("--data.batch_size={data.batch_size}",)),
        Parameter("data.folder", "string", "data", words=("--data.folder={data.folder}",)),
    ]
    assert words(files, "validate")[0] == "validate"
    assert script_request(Path("train.py"), Path.cwd(), "main").metrics == ["val_loss", "val_acc", "train_loss"]
    files["train.py"] = files["train.py"].replace("CLI(Model, Data)", "CLI(Model, run=False)")
    assert words(files)[0] == found[1]


# --- the script itself -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print(1)", "takes nothing that init can read: argparse, click, typer"),
        ("def broken(:", "'train.py' is no Python that can be read \\(line 1\\)"),
        ("p.add_argument('--x', type=" + "a." * 900 + "b)", "'train.py' is nested too deeply"),
        ("from pytorch_lightning.cli import LightningCLI\nLightningCLI()", "the class of its model in train.py"),
        (
            argparse('p.add_parser("a")', 'p.add_parser("b")', 'p.add_argument("--x")'),
            "has the commands a, b: say which",
        ),
    ],
)
def test_scripts_that_cannot_be_drafted(code, said):
    with pytest.raises(InputError, match=said):
        words({"train.py": code})


ONE = argparse(
    'parser.add_argument("--lr", type=float, default=0.1)', 'parser.add_argument("--experiment", default="mine")'
)
EXPERIMENTS = [
    ('mlflow.set_experiment("theirs")', None, "theirs", False),
    ('NAME = "theirs"\nmlflow.set_experiment(experiment_name=NAME)', None, "theirs", False),
    ("mlflow.set_experiment(args.experiment)", None, "mine", False),
    ('mlflow.set_experiment("theirs")', "theirs", "theirs", False),
    ('mlflow.set_experiment("theirs")', "ours", "ours", True),
    ("mlflow.set_experiment(compute())", None, None, True),
    ('mlflow.set_tracking_uri("http://example.org")', None, None, True),
    ('other.set_experiment("theirs")', None, None, False),
]


@pytest.mark.parametrize(("line", "asked", "experiment", "follows"), EXPERIMENTS)
def test_the_experiment_that_a_script_sets_is_the_study_s(line, asked, experiment, follows):
    script = write({"train.py": f"{ONE}\nimport mlflow\n{line}\n"})
    request = script_request(script, Path.cwd(), "main", ["loss"], asked)
    assert (request.experiment, bool(request.follows)) == (experiment, follows)
    form = load_yaml(draft(request).text)
    assert form.get("experiment") == experiment
    assert form["run"].get("mlflow") == ("follow" if follows else None)


METRICS = [
    ('self.log("val/loss", x)\nself.log(name="acc", value=1)\nmath.log("no")', ["val/loss", "acc"]),
    ("from sklearn.model_selection import GridSearchCV\nGridSearchCV(a)\nmlflow.sklearn.autolog()", ["best_cv_score"]),
    ("GridSearchCV(a)", []),
    (
        'p = {"metric": ["auc", "l2"]}\nmlflow.lightgbm.autolog()\nlgb.train(p, valid_names=["t", "val"])',
        ["val-auc", "val-l2", "t-auc", "t-l2"],
    ),
    (
        'p = {"eval_metric": "map@3"}\nmlflow.xgboost.autolog()\nxgb.train(p, evals=[(a, "train"), (b, "test")])',
        ["test-map_at_3", "train-map_at_3"],
    ),
]


def test_the_metrics_of_the_command_that_runs_come_before_all_others():
    code = """
import click
@click.group()
def cli(): ...
@cli.command()
@click.option("--lr", default=0.1)
def train(lr): log_metric("loss", 1)
@cli.command()
@click.option("--lr", default=0.1)
def judge(lr): log_metric("val_loss", judged(lr))
@cli.command()
@click.option("--lr", default=0.1)
def run(lr): train(lr)
"""
    script = write({"train.py": code})
    for command, metrics in (("train", ["loss"]), ("judge", ["val_loss"]), ("run", ["val_loss", "loss"])):
        assert script_request(script, Path.cwd(), command).metrics == metrics


@pytest.mark.parametrize(("code", "found"), METRICS)
def test_metrics_of_a_script(code, found):
    assert script_request(write({"train.py": f"{ONE}\n{code}\n"}), Path.cwd(), "main").metrics == found


def test_the_words_that_start_a_script():
    write({"code/train.py": ONE, "package/train.py": f"from . import data\n{ONE}", "package/__init__.py": ""})
    for script, home, expected in (
        ("code/train.py", "", ["python", "code/train.py"]),
        ("code/train.py", "code", ["python", "train.py"]),
        ("code/train.py", "package", ["python", "../code/train.py"]),
        ("package/train.py", "", ["python", "-m", "package.train"]),
    ):
        request = script_request(Path(script), (Path() / home).resolve(), "main", ["loss"])
        assert [word for word in request.run.words if isinstance(word, str)] == expected
    with pytest.raises(InputError, match=r"train.py is part of a package and runs from '.': give -o ./study.yaml"):
        script_request(Path("package/train.py"), Path("package").resolve(), "main", ["loss"])


# --- the study file --------------------------------------------------------------------------------------------------


def test_the_study_file_of_a_script():
    found, study = drafted(
        argparse(
            'parser.add_argument("--lr", type=float, default=0.01)',
            'parser.add_argument("--hidden", type=int, nargs="+", default=[64, 32])',
            'parser.add_argument("--nesterov", action="store_true")',
            'parser.add_argument("--amp", action="store_true")',
            'parser.add_argument("--batch-size", type=int, choices=[16, 32, 64], default=32)',
            'parser.add_argument("--epochs", type=int, default=3)',
            'parser.add_argument("--depth", type=int, default=None)',
        )
    )
    assert found.searched == ["lr", "hidden", "nesterov", "batch_size"]
    assert found.fixed == ["amp", "epochs", "depth"]
    assert study["run"]["command"] == [
        "python",
        "train.py",
        "--lr={lr}",
        ["--hidden", "{hidden}"],
        ["--nesterov", "{nesterov}"],
        "--batch-size={batch_size}",
    ]
    assert study["space"] == {
        "lr": {"type": "float", "low": 0.001, "high": 0.1, "log": True, "role": "learning_rate"},
        "hidden": {"type": "categorical", "values": [[32, 16], [64, 32], [128, 64]], "role": "capacity"},
        "nesterov": {"type": "categorical", "values": [False, True]},
        "batch_size": {"type": "ordinal", "values": [16, 32, 64], "role": "batch_size"},
    }
    assert '# - ["--amp", "{amp}"]' in found.text
    assert "# amp: {type: categorical, values: [false, true]}" in found.text
    assert '# - "--epochs={epochs}"' in found.text
    for line in found.text.splitlines():
        assert not line or "# " in line
        code, _, why = line.strip().removeprefix("# ").partition("  # ")
        if line.strip().startswith("# ") and why:
            assert load_yaml(code)


def test_choices_and_switches_are_searched_where_nothing_else_is():
    found, study = drafted(
        argparse(
            'parser.add_argument("--mode", choices=["a", "b"], default="a")',
            'parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")',
            'parser.add_argument("--fast", action="store_true")',
        )
    )
    assert found.searched == ["mode", "fast"]
    assert study["run"]["command"] == ["python", "train.py", "--mode={mode}", ["--fast", "{fast}"]]


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
VALUES = TEXTS | st.floats() | st.integers() | st.booleans() | st.none()


@pytest.mark.slow
@given(
    names=st.lists(TEXTS | st.sampled_from(["lr", "no", "trial", "{lr}", "a.b"]), unique=True, max_size=3),
    flags=st.lists(TEXTS, min_size=3, max_size=3),
    defaults=st.lists(VALUES, min_size=3, max_size=3),
    choices=st.lists(st.lists(VALUES, unique_by=str, max_size=3), min_size=3, max_size=3),
    kinds=st.lists(st.sampled_from(["string", "float", "int", "bool", "list", "path"]), min_size=3, max_size=3),
)
def test_hostile_text_of_a_script_gives_a_valid_file(names, flags, defaults, choices, kinds):
    hostile = [
        Parameter(name, kind, default, choices=[each for each in chosen if isinstance(each, str | int)], words=(flag,))
        for name, flag, default, chosen, kind in zip(names, flags, defaults, choices, kinds, strict=False)
        if name != "ok"
    ]
    parameters = [Parameter("ok", "float", 0.5, words=("--ok={ok}",)), *hostile]
    run = CommandRun(["python", "train.py", *parameters], "train.py\nspace: 1", "a hint")
    found = draft(DraftRequest(run, "n", parameters, ["loss"]))
    spec = parse_study(load_yaml(found.text))
    assert spec.run.command[:3] == ["python", "train.py", "--ok={ok}"]
    assert list(spec.space) == found.searched
    for each in hostile:
        if each.name in spec.space and each.choices:
            assert list(spec.space[each.name].values) == list(each.choices)


def test_a_flag_that_no_command_can_have_is_left_out():
    flags = argparse(
        'parser.add_argument("--lr", type=float, default=0.1)',
        'parser.add_argument("--l\\0", dest="mode", choices=["a", "b"], default="a")',
    )
    found, study = drafted(flags)
    assert found.searched == ["lr"]
    assert study["run"]["command"] == ["python", "train.py", "--lr={lr}"]
    with pytest.raises(InputError, match="a study cannot give it one: no word of a command may have a zero character"):
        drafted(flags.replace('default="a"', "required=True"))


def test_what_is_needed_stays_in_the_command_and_is_asked_for():
    found, study = drafted(
        argparse(
            'parser.add_argument("data")',
            'parser.add_argument("--lr", type=float, default=0.01)',
            'parser.add_argument("--opt", choices=["adam", "sgd"], required=True)',
        )
    )
    assert (found.searched, found.missing) == (["lr", "opt"], ["data"])
    assert study["run"]["command"] == ["python", "train.py", "{data}", "--lr={lr}", "--opt={opt}"]
    assert "#   data: VALUE" in found.text
