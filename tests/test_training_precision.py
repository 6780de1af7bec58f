"""What a training computes, and in which precision."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from ethos.files import read_json
from ethos.loading import computing_dtype
from tests.small_trainings import job, train_here


@pytest.mark.parametrize("kind", ["reward", "dpo", "sft"])
def test_in_bfloat16_the_curve_is_near_that_of_float32_and_all_trained_weights_are_float32(
    kind: str, dropout_model: Path, tmp_path: Path
) -> None:
    exact, rounded = (
        train_here(kind, 1, dropout_model, tmp_path / "store", tmp_path / precision, precision=precision, minutes=60)
        for precision in ("float32", "bfloat16")
    )
    curves = [[step["loss"] for step in read_json(folder / "history.json")] for folder in (exact, rounded)]
    rounds_less = computing_dtype("bfloat16", "cpu") == torch.float32  # on a CPU without the instructions
    assert (curves[0] == curves[1]) == rounds_less
    assert curves[1] == pytest.approx(curves[0], rel=0.03)
    assert {tensor.dtype for tensor in load_file(rounded / "adapter_model.safetensors").values()} == {torch.float32}


@pytest.mark.parametrize("kind", ["dpo", "sft"])
def test_only_the_tokens_of_responses_get_logits(
    kind: str, dropout_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl.trainer import utils

    function, counted = utils._ChunkedLogProbFunction, []

    def apply(hidden: torch.Tensor, *others):
        counted.append(len(hidden))
        return function.apply(hidden, *others)

    monkeypatch.setattr(utils, "_ChunkedLogProbFunction", SimpleNamespace(apply=apply))
    train_here(kind, 1, dropout_model, tmp_path / "store", tmp_path / "adapter")
    tokenizer = AutoTokenizer.from_pretrained(dropout_model.parent)

    def length(turns: list[dict[str, str]], **more) -> int:
        return len(tokenizer.apply_chat_template(turns, return_dict=False, **more))

    responses = sum(
        length(row["prompt"] + row[name]) - length(row["prompt"], add_generation_prompt=True)
        for row in job(kind, 1, dropout_model).rows
        for name in row.keys() - {"prompt"}
    )
    readers = 2 if kind == "dpo" else 1  # the policy and the reference
    assert sum(counted) == readers * responses
