"""What a trainer is told, and the curve that it leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from accelerate import PartialState

from ethos.execution import execution

if TYPE_CHECKING:
    from ethos.training import Job


def arguments(job: Job, output: str, where: str):
    """TRL's configuration of a training. output: folder of the trainer's own files. where: `cpu` or `cuda`."""
    settings = job.settings
    # As many at once as fit, so that whole accumulation steps of all processes make exactly the batch of the config.
    batch = settings.batch_size // PartialState().num_processes
    most = min(execution().training_batch_size, batch)
    rows = next(rows for rows in range(most, 0, -1) if batch % rows == 0)
    shared = {
        "output_dir": output,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": batch // rows,
        "num_train_epochs": settings.epochs,
        "learning_rate": settings.learning_rate,
        "warmup_steps": settings.warmup,  # below 1: a share of the steps
        "lr_scheduler_type": settings.schedule,
        "max_length": settings.max_tokens,
        "seed": job.seed % 2**32,
        "data_seed": job.seed % 2**32,
        "bf16": False,  # ethos/training_batches.py says in which precision what is computed
        "gradient_checkpointing": where != "cpu",
        "use_cpu": where == "cpu",
        "logging_steps": 1,
        "save_strategy": "no",  # ethos/training_checkpoints.py says when
        "report_to": "none",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
        "ddp_find_unused_parameters": False,
    }
    if job.kind == "dpo":
        from trl import DPOConfig

        losses, weights = (["sigmoid", "sft"], [1.0, settings.nll]) if settings.nll else (["sigmoid"], [1.0])
        return DPOConfig(
            **shared,
            beta=settings.beta,
            loss_type=losses,
            loss_weights=weights,
            # TRL hands them over in a file that other processes do not find.
            precompute_ref_log_probs=settings.epochs > 1 and PartialState().num_processes == 1,
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


def history(entries: Sequence[Mapping[str, Any]]) -> list[dict[str, float]]:
    """The training curve: one entry a step."""
    return [
        {"step": entry["step"], **{name: float(entry[name]) for name in _CURVE if name in entry}}
        for entry in entries
        if "loss" in entry
    ]
