"""What the trainings share: LoRA on a prepared model with a TRL trainer, kept in the store, equal bytes for equal input."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethos.execution import device, execution, store_folder
from ethos.files import canonical_json, sha256_of_text, write_json
from ethos.fingerprint import behaviour
from ethos.models import adapter_identity, read_identity
from ethos.store import TrainingStore, training_key
from ethos.training_settings import Dpo, GrpoTraining, Training

# For its type alone: what GRPO is made of decides no other training.
if TYPE_CHECKING:
    from ethos.grpo import Rewards

log = logging.getLogger("ethos.training")

# What decides a trained adapter besides its data, its settings and the model.
TRAINING_FILES = ("training.py", "training_snapshots.py", "loading.py")
# The settings that a kind of training reads; the others read what all share.
_READ = {"dpo": Dpo, "grpo": GrpoTraining}
# Folder of an adapter's snapshots, beside it.
SNAPSHOTS = "snapshots"


@dataclass(frozen=True)
class Job:
    """One training.

    kind: `reward`, `dpo`, `sft` or `grpo`. rows: the examples, as TRL expects them. identity: the prepared model that is
    trained. adapters: adapters merged into it first. rewards: of `grpo`. snapshots: parts of the training at whose ends
    the adapter is kept, the last being the adapter itself.
    """

    kind: str
    rows: Sequence[Mapping[str, Any]]
    settings: Training
    seed: int
    identity: Path
    adapters: Sequence[Path] = ()
    rewards: Rewards | None = None
    snapshots: int = 1

    def ingredients(self) -> dict[str, Any]:
        """All that the trained adapter depends on."""
        facts = read_identity(self.identity)
        return {
            "kind": self.kind,
            "data": sha256_of_text(canonical_json(list(self.rows))),
            "settings": self.settings.model_dump(include=set(_READ.get(self.kind, Training).model_fields)),
            "seed": self.seed,
            "base": facts["content"],
            "adapters": [adapter_identity(path) for path in self.adapters],
            "code": behaviour("training", TRAINING_FILES),
            "libraries": {name: version(name) for name in ("torch", "transformers", "trl", "peft")},
            # Where there are none, a training is what it always was.
            **({"rewards": self.rewards.ingredients(facts)} if self.rewards else {}),
            **({"snapshots": self.snapshots} if self.snapshots > 1 else {}),
        }


def snapshot_steps(total: int, parts: int) -> dict[int, int]:
    """The step after which each snapshot is kept, by its number; the last part ends with the adapter itself."""
    return {number: -(-number * total // parts) for number in range(1, parts)}


def train(job: Job, output: Path) -> None:
    """Train an adapter into `output` (PEFT files, `history.json`, `examples.json`, `snapshots/`), or take it from the store.

    A training that was killed goes on from its last checkpoint. Raises ValueError when there is nothing to train on.
    """
    if not job.rows:
        raise ValueError("no training examples")
    ingredients = job.ingredients()
    checkpoints = store_folder() / "scratch" / training_key(ingredients)
    trained = TrainingStore(store_folder()).train_once(
        ingredients, lambda folder: _train(job, folder, checkpoints, output), output
    )
    shutil.rmtree(checkpoints, ignore_errors=True)  # also those of a job that was killed after the training was kept
    if not trained:
        tracked = "" if execution().tracking == "none" else ", nothing to track"
        log.info(f"{job.kind} training on {len(job.rows)} examples: found in the store{tracked}")


def _train(job: Job, folder: Path, shared: Path, output: Path) -> None:
    import datasets
    import torch
    from peft import LoraConfig
    from transformers import PrinterCallback

    from ethos.loading import load_model, load_reward_base, load_tokenizer
    from ethos.tracking import trackers
    from ethos.training_checkpoints import Checkpoints
    from ethos.training_progress import ProgressLines
    from ethos.training_snapshots import Snapshots, save_adapter

    datasets.disable_progress_bars()
    where = device()
    trust = read_identity(job.identity)["trust_remote_code"]
    tokenizer = load_tokenizer(job.identity.parent)
    dtype = getattr(torch, job.settings.precision)
    is_reward = job.kind == "reward"
    lora = LoraConfig(
        r=job.settings.lora.rank,
        lora_alpha=job.settings.lora.alpha,
        target_modules="all-linear",
        task_type="SEQ_CLS" if is_reward else "CAUSAL_LM",
        modules_to_save=["score"] if is_reward else None,
    )
    model = (
        load_reward_base(job.identity.parent, dtype, job.seed, trust_remote_code=trust)
        if is_reward
        else load_model(job.identity.parent, dtype, adapters=job.adapters, trust_remote_code=trust)
    )
    snapshots = folder / SNAPSHOTS
    checkpoints = Checkpoints(shared, minutes=execution().checkpoint_minutes, carried=snapshots)
    rows = [_supported(tokenizer, row) for row in job.rows]
    online = {}
    if job.rewards:
        usable = job.rewards.usable(rows, tokenizer, job.settings)
        rows = job.rewards.passes(usable, job.settings, job.seed)
        online = {"reward_funcs": job.rewards.function(job.identity, job.settings.grpo.generations, job.seed)}
    trainer = _trainer(job)(
        model=model,
        args=_arguments(job, str(checkpoints.own), where),
        train_dataset=datasets.Dataset.from_list(rows),
        processing_class=tokenizer,
        peft_config=lora,
        callbacks=[
            ProgressLines(job.kind),
            Snapshots(snapshots, lambda total: snapshot_steps(total, job.snapshots)),
            checkpoints,
            *trackers(output, job.settings),
        ],
        **online,
    )
    trainer.remove_callback(PrinterCallback)  # our own lines say more
    given, trained_on = len(job.rows), len(usable if online else trainer.train_dataset)
    if trained_on < given:
        log.warning(
            f"{job.kind} training: {given - trained_on} of {given} examples are longer than max_tokens and left out"
        )
    trainer.train(resume_from_checkpoint=checkpoints.newest())
    save_adapter(trainer.model, folder)
    write_json(folder / "examples.json", {"given": given, "trained_on": trained_on, "too_long": given - trained_on})
    write_json(folder / "history.json", _history(trainer.state.log_history))


def _supported(tokenizer, row: Mapping[str, Any]) -> dict[str, Any]:
    """An example whose prompt has only roles that the chat template knows."""
    from ethos.loading import supported_turns

    return {name: supported_turns(tokenizer, turns) if name == "prompt" else turns for name, turns in row.items()}


def _trainer(job: Job) -> Callable:
    if job.kind == "dpo":
        from trl import DPOTrainer as trainer
    elif job.kind == "sft":
        from trl import SFTTrainer as trainer
    elif job.kind == "grpo":
        from trl import GRPOTrainer as trainer
    else:
        from trl import RewardTrainer as trainer
    return trainer


def _arguments(job: Job, output: str, where: str):
    settings = job.settings
    # As many at once as fit, so that whole accumulation steps make exactly the batch of the config.
    most = min(execution().training_batch_size, settings.batch_size)
    rows = next(rows for rows in range(most, 0, -1) if settings.batch_size % rows == 0)
    shared = {
        "output_dir": output,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": settings.batch_size // rows,
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.warmup,  # below 1: a share of the steps
        "lr_scheduler_type": settings.schedule,
        "max_length": settings.max_tokens,
        "seed": job.seed % 2**32,
        "data_seed": job.seed % 2**32,
        "bf16": False,  # the weights have their precision already; autocast would convert them at every step
        "gradient_checkpointing": where != "cpu",
        "use_cpu": where == "cpu",
        "logging_steps": 1,
        "save_strategy": "no",  # ethos/training_checkpoints.py says when
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    if job.kind == "dpo":
        from trl import DPOConfig

        losses, weights = (["sigmoid", "sft"], [1.0, settings.nll]) if settings.nll else (["sigmoid"], [1.0])
        return DPOConfig(
            **shared,
            beta=settings.beta,
            loss_type=losses,
            loss_weights=weights,
            precompute_ref_log_probs=settings.epochs > 1,
        )
    if job.kind == "sft":
        from trl import SFTConfig

        return SFTConfig(**shared)
    if job.kind == "grpo":
        return job.rewards.arguments(shared, job.settings, job.identity)
    from trl import RewardConfig

    return RewardConfig(**shared)


# Wall-clock figures differ from run to run; the curve is a result and must not.
_CURVE = (
    "loss",
    "learning_rate",
    "grad_norm",
    "accuracy",
    "margin",
    "rewards/accuracies",
    "rewards/margins",
    "mean_token_accuracy",
    "reward",
    "reward_std",
    "kl",
    "completions/mean_length",
)


def _history(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """The training curve: one entry a step."""
    return [
        {"step": entry["step"], **{name: float(entry[name]) for name in _CURVE if name in entry}}
        for entry in entries
        if "loss" in entry
    ]
