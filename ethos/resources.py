"""How much memory and time a job asks a cluster for, from the size of its model and the amount of its work.

Rough, and rather too much: what is not used costs little, and a job that is ended for want of it asks for more when retried.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ethos.errors import BadInput
from ethos.execution_settings import Execution, Jobs
from ethos.settings import Settings

# A model that is not there yet counts as one of eight billion parameters in bfloat16.
UNKNOWN_MODEL = 16_000
# Seconds of a token that is written, for each MB of weights: 1,000 tokens/s at eight billion parameters on a GPU of a cluster,
# and on two CPU cores 300 at 135 million.
_SECONDS_PER_TOKEN = {"cuda": 1 / 1_000 / 16_000, "cpu": 1 / 300 / 270}
_ALIGNMENTS = ("train_aligned", "train_shuffled")


def found_mb(folders: Iterable[Path]) -> int:
    """The size of a model's weights, MB (10^6 bytes), in the first of the folders that has any; 0 where none has."""
    sizes = (sum(path.stat().st_size for path in folder.glob("*.safetensors")) for folder in folders)
    return next((-(-size // 10**6) for size in sizes if size), 0)


def weights_mb(folders: Iterable[Path]) -> int:
    """The size of a model's weights, MB, or a guess where there are none yet."""
    return found_mb(folders) or UNKNOWN_MODEL


def weight_folders(settings: Settings, name: str) -> list[Path]:
    """Where the weights of a model may lie: prepared, or at its source."""
    model = settings.models[name]
    kind, _, source = model.source.partition(":")
    prepared = Path(settings.execution.store) / "models" / model.folder(name)
    return [prepared, Path(source).expanduser()] if kind == "path" else [prepared]


def attempt_that_computes(execution: Execution, attempt: int, *, after_shards: bool = False) -> int:
    """Which attempt this is of those that load models, from 1; 0 for one that asks for no GPU and little time, since all may be
    in the store.

    after_shards: the job puts together what shards have answered.
    """
    asks_store_first = after_shards or (execution.jobs.store_first and execution.gpus > 0)
    return attempt - asks_store_first


def processes(rule: str, settings: Settings) -> int:
    """The processes that a job of this rule is spread over: those of a training, if it is not online."""
    if not rule.startswith("train_") or (rule in _ALIGNMENTS and settings.alignment.is_online):
        return 1
    return settings.execution.training.processes


def gpus(rule: str, settings: Settings, models: Iterable[str]) -> int:
    """GPUs of a job of this rule; a training has one for each process, and vLLM those that a model is split over.

    models: the names of those that the job asks.
    """
    asked = settings.execution.gpus
    if asked and rule.startswith("train_"):
        return processes(rule, settings)
    if asked and any(settings.models[name].engine == "vllm" for name in models):
        return max(asked, settings.execution.vllm.tensor_parallel_size)
    return asked


def memory_mb(jobs: Jobs, weights: int, attempt: int = 1, *, processes: int = 1) -> int:
    """Host memory, MB, within the nodes': for each process the weights as read, in float32 while an adapter is added to them, and
    room to work."""
    memory = attempt * (jobs.memory_mb + 3 * weights) * processes
    return min(memory, jobs.max_memory_mb or memory)


def seconds_of(tokens: float, weights: int, *, gpus: int) -> float:
    """Time to write so many tokens, where nothing was measured. weights: MB."""
    return tokens * weights * _SECONDS_PER_TOKEN["cuda" if gpus else "cpu"]


def minutes(jobs: Jobs, weights: int, tokens: int, *, gpus: int, attempt: int = 1) -> int:
    """Time limit, minutes, within the partition's. tokens: most that the job may write."""
    seconds = seconds_of(tokens, weights, gpus=gpus)
    return min(jobs.max_minutes, attempt * (jobs.minutes + round(seconds / 60)))


def site_resources(gpus: int) -> dict[str, str]:
    """What the environment says of the site for a job with so many GPUs (slurm/site.example.sh), by the names of Snakemake's executor.

    Raises BadInput for a type of GPU that the executor refuses.
    """
    names = ("PARTITION", "CPU_PARTITION", "GPU_TYPE", "CONSTRAINT")
    partition, cpu_partition, gpu_type, constraint = (os.environ.get(f"ETHOS_SLURM_{name}", "") for name in names)
    if not re.fullmatch(r"[\w.]*", gpu_type, re.ASCII):
        raise BadInput(
            f"{gpu_type!r}: Snakemake's executor takes letters, digits, _ and . alone; leave it out, and choose the GPU by "
            "ETHOS_SLURM_CONSTRAINT or ETHOS_SLURM_PARTITION",
            field="ETHOS_SLURM_GPU_TYPE",
        )
    asked = {"slurm_partition": cpu_partition or partition}
    if gpus:
        asked = {"slurm_partition": partition, "gpu_model": gpu_type, "constraint": constraint}
    return {name: value for name, value in asked.items() if value}
