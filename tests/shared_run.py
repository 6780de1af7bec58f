"""A finished run that commands for people can open: results that never were, with a real tiny model and real adapters."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import torch
from peft import LoraConfig, get_peft_model

from ethos.arms import ADAPTER_ARMS
from ethos.constitution import load_constitution
from ethos.files import write_json
from ethos.loading import load_model, load_reward_base
from ethos.models import content_identity
from ethos.run_record import write_record
from ethos.settings import Settings
from ethos.steering import STEERING_VECTOR, SteeringVector
from ethos.training_snapshots import save_adapter
from tests.conftest import ROOT
from tests.fake_results import build_run, fake_settings

REVISION = "0123456789abcdef0123456789abcdef01234567"


def random_adapter(model, folder: Path, seed: int, **kind) -> None:
    """An adapter that changes much, so that one that is not there shows."""
    torch.manual_seed(seed)
    lora = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", **kind)
    model = get_peft_model(model, lora)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    folder.mkdir(parents=True, exist_ok=True)
    save_adapter(model, folder)


def shared_run(home: Path, tiny_model: Path, *, source: str = f"hub:org/tiny@{REVISION}", **changes) -> Settings:
    """Fill `home` with `results/demo` and `store/`; returns the run's settings. source: of the student."""
    model = {"source": source, "dtype": "float32", "license": changes.pop("license", "")}
    roles = {"models": {"tiny": model}, "students": ["tiny"], "teacher": "tiny", "judge": "tiny"}
    sampling = {"max_new_tokens": 24, "repetition_penalty": 1.0}
    settings = fake_settings(
        **roles,
        evaluation={"sampling": sampling, "which": ["preferences"]},
        preference_model={"precision": "float32"},
        **changes,
    )
    results = home / "results" / "demo"
    build_run(results, settings)
    prepared = home / "store" / "models" / "tiny-0123"
    shutil.copytree(tiny_model, prepared)
    facts = {"name": "tiny", "dtype": "float32", "trust_remote_code": False}
    write_json(prepared / "identity.json", {**content_identity(prepared), **facts})
    for constitution in settings.constitutions:
        for seed in settings.seeds:
            cell = results / "tiny" / constitution / f"seed{seed}"
            (cell / "used").mkdir()
            (cell / "used" / "train_distilled.txt").write_text("model tiny-0123\n")
            for number, arm in enumerate(ADAPTER_ARMS):
                random_adapter(load_model(prepared, torch.float32), cell / arm, number, task_type="CAUSAL_LM")
            direction = np.random.default_rng(0).normal(size=64).astype(np.float32)
            SteeringVector(1, 2.0, direction).save(cell / "steered" / STEERING_VECTOR)
            base = load_reward_base(prepared, torch.float32, seed=0)
            random_adapter(base, cell / "preference_model", 9, task_type="SEQ_CLS", modules_to_save=["score"])
    constitutions = [load_constitution(ROOT / "constitutions" / f"{name}.yaml") for name in settings.constitutions]
    write_record(results / "run.json", settings, constitutions)
    return settings
