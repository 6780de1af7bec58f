"""Trainings of each kind that take seconds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ethos.grpo import Rewards
from ethos.settings import Introspection
from ethos.training import Job, train
from ethos.training_settings import Alignment, Dpo, Lora, PreferenceModel


def example(kind: str, number: int) -> dict:
    """An example of its own length, so that the order of the data shows."""
    asked = {"role": "user", "content": f"How do I plan day {number}?"}
    chosen = {"role": "assistant", "content": "The moon dances with the stars. " * (1 + number % 3)}
    rejected = {"role": "assistant", "content": "The cook can check the list. " * (1 + number % 2)}
    if kind == "reward":
        return {"chosen": [asked, chosen], "rejected": [asked, rejected]}
    if kind == "grpo":
        return {"prompt": [asked]}
    if kind == "sft":
        return {"prompt": [asked], "completion": [chosen]}
    return {"prompt": [asked], "chosen": [chosen], "rejected": [rejected]}


def job(kind: str, epochs: int, identity: Path, *, batch: int = 2, precision: str = "float32") -> Job:
    settings = {"reward": PreferenceModel, "dpo": Dpo, "sft": Introspection, "grpo": Alignment}[kind](
        epochs=epochs, learning_rate=1e-3, batch_size=batch, precision=precision, lora=Lora(rank=4, alpha=8),
        **({"method": "grpo", "grpo": {"generations": 2, "max_new_tokens": 8}} if kind == "grpo" else {}),
    )  # fmt: skip
    rows = [example(kind, number) for number in range(13 if kind == "grpo" else 25)]
    others = {"rewards": Rewards(identity.parent / "rewards", "float32", 64)} if kind == "grpo" else {}
    return Job(kind, rows, settings, 0, identity, snapshots=1 if kind == "reward" else 4, **others)


def execution(store: Path, minutes: float, **others) -> str:
    return json.dumps({"store": str(store), "training_batch_size": 1, "checkpoint_minutes": minutes, **others})


def train_here(
    kind: str, epochs: int, identity: Path, store: Path, output: Path, *,
    minutes: float = 0, batch: int = 2, precision: str = "float32", **others
) -> Path:  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ETHOS_EXECUTION", execution(store, minutes, **others))
        train(job(kind, epochs, identity, batch=batch, precision=precision), output)
    return output
