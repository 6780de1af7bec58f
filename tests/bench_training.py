"""`make bench`: our trainings against TRL's own trainers with their defaults, as ratios of one run.

The same examples, LoRA, batch and epochs, from loading the model to the last step. By default TRL keeps the weights in float32
under bfloat16 autocast and computes activations twice (gradient checkpointing), for GPUs that lack memory. All libraries are
imported before, and who goes first alternates.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import torch
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification
from trl import DPOConfig, DPOTrainer, RewardConfig, RewardTrainer, SFTConfig, SFTTrainer

from ethos.files import write_json
from ethos.loading import computing_dtype, load_tokenizer
from ethos.models import content_identity
from ethos.training import Job, train
from ethos.training_settings import Dpo, IntrospectionTraining, Lora, PreferenceModel
from tests.bench import spread
from tests.bench_scale import WORDS
from tests.demo_model import demo_model

EXAMPLES, BATCH, MICRO_BATCH, ROUNDS = 24, 8, 4, 3
LONGEST = 48  # words of a response
LORA = Lora(rank=16, alpha=32)
SETTINGS = {"dpo": Dpo, "sft": IntrospectionTraining, "reward": PreferenceModel}


def text(draw: random.Random, longest: int) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(longest // 4, longest)))


def rows(kind: str) -> list[dict[str, Any]]:
    """Conversations of one turn, of lengths as a demo's responses have them."""
    draw, found = random.Random(0), []
    for _ in range(EXAMPLES):
        prompt = [{"role": "user", "content": text(draw, 24)}]
        chosen, rejected = ([{"role": "assistant", "content": text(draw, LONGEST)}] for _ in range(2))
        found.append(
            {"prompt": prompt, "completion": chosen}
            if kind == "sft"
            else {"prompt": prompt, "chosen": chosen, "rejected": rejected}
            if kind == "dpo"
            else {"chosen": prompt + chosen, "rejected": prompt + rejected}
        )
    return found


def ours(kind: str, identity: Path, folder: Path, seed: int) -> None:
    train(Job(kind, rows(kind), SETTINGS[kind](batch_size=BATCH, lora=LORA), seed, identity), folder / f"{kind}{seed}")


def with_defaults(kind: str, identity: Path, folder: Path, seed: int) -> None:
    """What a user of TRL writes who changes nothing but the data."""
    config, trainer = {
        "dpo": (DPOConfig, DPOTrainer),
        "sft": (SFTConfig, SFTTrainer),
        "reward": (RewardConfig, RewardTrainer),
    }[kind]
    tokenizer, is_reward = load_tokenizer(identity.parent), kind == "reward"
    loader = AutoModelForSequenceClassification if is_reward else AutoModelForCausalLM
    model = loader.from_pretrained(
        identity.parent,
        dtype=torch.float32,
        **({"num_labels": 1, "pad_token_id": tokenizer.pad_token_id} if is_reward else {}),
    )
    trainer(
        model=model,
        args=config(
            output_dir=str(folder / "trl"),
            per_device_train_batch_size=MICRO_BATCH,
            gradient_accumulation_steps=BATCH // MICRO_BATCH,
            num_train_epochs=1,
            seed=seed,
            use_cpu=True,
            bf16=computing_dtype("bfloat16", "cpu") == torch.bfloat16,  # their default where the CPU can
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        ),
        train_dataset=datasets.Dataset.from_list(rows(kind)),
        processing_class=tokenizer,
        peft_config=LoraConfig(
            r=LORA.rank,
            lora_alpha=LORA.alpha,
            target_modules="all-linear",
            task_type="SEQ_CLS" if is_reward else "CAUSAL_LM",
            modules_to_save=["score"] if is_reward else None,
        ),
    ).train()


def seconds(train_once: Callable[..., None], *arguments) -> float:
    started = time.perf_counter()
    with contextlib.redirect_stdout(None):
        train_once(*arguments)
    return time.perf_counter() - started


def main() -> None:
    datasets.disable_progress_bars()
    print(f"{EXAMPLES} examples, {EXAMPLES // BATCH} steps, LoRA rank {LORA.rank}, 2 threads", flush=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder, prepared = Path(scratch), Path(scratch) / "model"
        prepared.mkdir()
        for path in demo_model().iterdir():
            (prepared / path.name).symlink_to(path)
        (prepared / "identity.json").unlink(missing_ok=True)
        facts = {"name": "smollm2", "dtype": "bfloat16", "trust_remote_code": False}
        write_json(prepared / "identity.json", {**content_identity(prepared), **facts})
        execution = {"store": str(folder / "store"), "device": "cpu", "training_batch_size": MICRO_BATCH, "threads": 2}
        os.environ["ETHOS_EXECUTION"] = json.dumps(execution)
        for kind in SETTINGS:
            ratios = []
            for seed in range(ROUNDS):
                took = {
                    way: seconds(way, kind, prepared / "identity.json", folder, seed)
                    for way in (with_defaults, ours)[:: -1 if seed % 2 else 1]
                }
                ratios.append(took[with_defaults] / took[ours])
                told = f"TRL's defaults {took[with_defaults]:.1f} s, ours {took[ours]:.1f} s"
                print(f"{kind}, round {seed + 1}/{ROUNDS}: {told}", flush=True)
            print(f"{kind}: ours is {spread(ratios)} times as fast", flush=True)


if __name__ == "__main__":
    main()
