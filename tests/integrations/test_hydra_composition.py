"""What `init` reads of Hydra's configuration files is what Hydra itself composes of them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from mlflow_tune.spec.draft import Parameter
from mlflow_tune.spec.draft.scripts import script_request
from tests.support.required import required

SCRIPT = """
import hydra
@hydra.main(version_base=None, config_path="conf", config_name="config")
def main(cfg): ...
"""
LEAVES = {
    "base.yaml": "units: 32\nrounds: 5\n",
    "model/small.yaml": "units: 8\ndropout: 0.1\n",
    "model/deep.yaml": "defaults: [small, {head: linear}]\nunits: 16\n",
    "model/head/linear.yaml": "bias: true\nrate: 0.5\n",
    "model/mixed.yaml": "defaults: [{/data: big}, {/data@here: big}, {head@there: linear}]\nunits: 16\n",
    "model/top.yaml": "# @package _global_\nunits: 64\nlr: 0.5\n",
    "model/named.yaml": "# @package other.place\nunits: 4\n",
    "data/big.yaml": "rows: 1000\nlr: 0.25\n",
}
CONFIGS = {
    "plain": "lr: 0.1\noptimizer: {momentum: 0.9, nested: {rate: 1e-3}}\nname: a\n",
    "its own values come last": "defaults: [base, {model: small}]\nunits: 64\nmodel: {units: 128}\n",
    "its own values come first": "defaults: [_self_, base]\nunits: 64\nlr: 0.1\n",
    "in between": "defaults: [base, _self_, {data@_global_: big}]\nunits: 64\nlr: 0.1\n",
    "nested lists": "defaults: [{model: deep}]\nlr: 0.1\n",
    "a global package": "defaults: [{model: top}, _self_]\nrounds: 1\n",
    "a named package": "defaults: [{model: named}, _self_]\nlr: 1.0\n",
    "another place": "defaults: [{model@net: small}, {data@net.source: big}]\nlr: 0.1\n",
    "optional and absent": "defaults: [{optional model: none_such}, base]\nlr: 0.1\n",
    "nothing chosen": "defaults: [{model: null}, base]\nlr: 0.1\n",
    "a path": "defaults: [model/small, /data/big, base@deep.er]\nlr: 0.1\n",
    "an absolute group in a nested list": "defaults: [{model: mixed}]\nlr: 0.1\n",
}


@pytest.mark.filterwarnings("ignore:In '.*'. Defaults list is missing")
@pytest.mark.parametrize("content", CONFIGS.values(), ids=CONFIGS)
def test_the_composition_is_that_of_hydra(tmp_path, content):
    required("hydra", "integrations")
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    Path("train.py").write_text(SCRIPT)
    for name, text in {**LEAVES, "config.yaml": content}.items():
        path = Path("conf", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text))
    with initialize_config_dir(str(tmp_path / "conf"), version_base=None):
        expected = OmegaConf.to_container(compose("config"))
    words = script_request(Path("train.py"), Path.cwd(), "main", ["loss"]).run.words
    found = {each.name: each for each in words if isinstance(each, Parameter)}
    values = flat(expected)
    assert {name: each.default for name, each in found.items() if name in values} == values
    groups = [each for name, each in found.items() if name not in values]
    assert all(each.default in each.choices or "one choice" in each.stays for each in groups)


def flat(values: dict, above: str = "") -> dict:
    found = {}
    for key, value in values.items():
        found |= flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return found
