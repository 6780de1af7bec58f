"""How this job runs (`execution` in the settings): read from the environment, so that it rebuilds nothing."""

from __future__ import annotations

import json
import logging
import os
import platform
import shlex
import sys
from functools import cache
from pathlib import Path

from ethos.errors import BadInput
from ethos.execution_settings import Execution
from ethos.gpus import claim_gpus

VARIABLE, RUN_VARIABLE, COMMAND_VARIABLE = "ETHOS_EXECUTION", "ETHOS_RUN", "ETHOS_COMMAND"
_DEVICES = "CUDA_VISIBLE_DEVICES"


def export(execution: Execution, run: str) -> None:
    """Hand the execution settings, the run's name and the command that a person gave to the jobs that this process starts."""
    os.environ[VARIABLE] = execution.model_dump_json()
    os.environ[RUN_VARIABLE] = run
    os.environ.setdefault(COMMAND_VARIABLE, shlex.join(["snakemake", *sys.argv[1:]]))


def execution() -> Execution:
    """The execution settings of this job; the defaults when a script is run by hand."""
    return Execution.model_validate(json.loads(os.environ.get(VARIABLE, "{}")))


def run_name() -> str:
    """The run that this job is of; empty when a script is run by hand."""
    return os.environ.get(RUN_VARIABLE, "")


def store_folder() -> Path:
    return Path(execution().store)


def start_logging() -> None:
    """Log lines to standard error, as the settings say; libraries only when something is wrong."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(message)s")
    logging.getLogger("ethos").setLevel(execution().log_level.upper())
    if job := os.environ.get("SLURM_JOB_ID"):
        devices = os.environ.get(_DEVICES, "none")
        logging.getLogger("ethos.execution").info(f"Slurm job {job} on {platform.node()}, GPUs: {devices}")


def device(gpus: int = 1) -> str:
    """`cuda` where there is one and the settings allow it, else `cpu`; sets torch's threads.

    gpus: how many this process and those that it starts take, where they take any; it sees no others, until it asks for more.
    Raises BadInput where there are fewer, and in a job that was to find all its work in the store (`execution.jobs.store_first`,
    or shards put it there), and did not.
    """
    settings = execution()
    expects_all_stored = settings.gpus and (settings.jobs.store_first or settings.shards > 1)
    if expects_all_stored and "SLURM_JOB_ID" in os.environ and not os.environ.get(_DEVICES):
        raise BadInput("not all of its work is in the store; it is tried again with a GPU", field="execution")
    import torch  # slow to import; jobs whose work is all in the store never get here

    torch.set_num_threads(settings.threads)
    there = _gpus_there() if settings.device != "cpu" else ()
    if there and gpus > len(there):
        asking = "`training.processes` or `vllm.tensor_parallel_size`"
        raise BadInput(f"{asking} asks for {gpus} GPUs, and {len(there)} are there", field="execution")
    if there and "LOCAL_RANK" not in os.environ:  # one of a training's processes has what its launcher took
        # At once what a server of the job may need: of two jobs that kept one GPU and asked for another, none would go on.
        most = min(max(gpus, settings.vllm.tensor_parallel_size), len(there))
        os.environ[_DEVICES] = ",".join(claim_gpus(there, most)[:gpus])
    if settings.device != "auto":
        return settings.device
    return "cuda" if there else "cpu"


@cache
def _gpus_there() -> tuple[str, ...]:
    """The GPUs that this process saw at first, by their names in CUDA_VISIBLE_DEVICES; later it sees those that it took."""
    import torch

    count = torch.cuda.device_count()
    shown = os.environ.get(_DEVICES)
    return tuple(shown.split(",") if shown else map(str, range(count)))[:count]
