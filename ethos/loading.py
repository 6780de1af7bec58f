"""Prepared models as torch modules: causal language models, reward models, tokenizers."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import torch
import transformers
from jinja2.exceptions import TemplateError
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

# Our own lines say more than bars, and read well in a log; a fresh head that is "missing" is no news.
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()

log = logging.getLogger("ethos.loading")


@cache
def computing_dtype(name: str, device: str) -> torch.dtype:
    """In what `device` computes that is to be computed in a dtype of this name: a CPU that can't multiply in it, in float32.

    Without AVX-512 (or the same of another maker), products in bfloat16 are tens of times slower than in float32, which only
    rounds less.
    """
    dtype = getattr(torch, name)
    if dtype != torch.bfloat16 or device != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return dtype
    log.info("this CPU has no instructions for bfloat16; it computes in float32")
    return torch.float32


def load_tokenizer(folder: Path):
    """The tokenizer of a prepared model, with a padding token."""
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def supported_turns(tokenizer, turns: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The turns as the chat template takes them: one without a system role gets it before the first user turn."""
    turns = [dict(turn) for turn in turns]
    if turns[0]["role"] != "system":
        return turns
    try:
        tokenizer.apply_chat_template(turns, tokenize=False)
    except TemplateError:
        system, first, *rest = turns
        return [{"role": first["role"], "content": f"{system['content']}\n\n{first['content']}"}, *rest]
    return turns


def load_model(folder: Path, dtype: torch.dtype, *, adapters: Sequence[Path] = (), trust_remote_code: bool = False):
    """A causal language model from a prepared folder, with LoRA adapters merged into its weights in order.

    The sum is formed in float32 and rounded to `dtype` at the end.
    """
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32 if adapters else dtype, local_files_only=True, trust_remote_code=trust_remote_code
    )
    for adapter in adapters:
        from peft import PeftModel  # slow to import, and most engines have no adapter

        model = PeftModel.from_pretrained(model, adapter).merge_and_unload(safe_merge=True)
    return model.to(dtype).eval()


def load_classifier(folder: Path, dtype: torch.dtype, classes: int, *, trust_remote_code: bool = False):
    """The prepared model with a fresh head of so many outputs, drawn with torch's random numbers."""
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, num_labels=classes, dtype=dtype, local_files_only=True, trust_remote_code=trust_remote_code
    )
    config = model.config.get_text_config()  # of a model that sees, too
    if config.pad_token_id is None:
        config.pad_token_id = config.eos_token_id
    return model


def load_reward_base(folder: Path, dtype: torch.dtype, seed: int, *, trust_remote_code: bool = False):
    """The prepared model with a fresh head of one output; `seed` decides the head."""
    transformers.set_seed(seed)
    return load_classifier(folder, dtype, 1, trust_remote_code=trust_remote_code)
