"""How this job runs (`execution` in the settings): read from the environment, so that it rebuilds nothing."""

from __future__ import annotations

import json
import logging
import os
import platform
import shlex
import sys
from pathlib import Path

from ethos.errors import BadInput
from ethos.execution_settings import Execution
from ethos.gpus import claim_gpu

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


def device() -> str:
    """`cuda` where there is one and the settings allow it, else `cpu`; sets torch's threads.

    Raises BadInput in a job that was to find all its work in the store (`execution.jobs.store_first`), and did not.
    """
    settings = execution()
    if settings.jobs.store_first and settings.gpus and "SLURM_JOB_ID" in os.environ and not os.environ.get(_DEVICES):
        raise BadInput(
            "not all of its work is in the store; it is tried again with a GPU", field="execution.jobs.store_first"
        )
    import torch  # slow to import; jobs whose work is all in the store never get here

    torch.set_num_threads(settings.threads)
    # Slurm gives each job GPUs of its own; elsewhere every job sees them all, and a trainer would take them all.
    if settings.device != "cpu" and "SLURM_JOB_ID" not in os.environ and torch.cuda.device_count() > 1:
        shown = os.environ.get(_DEVICES) or ",".join(map(str, range(torch.cuda.device_count())))
        os.environ[_DEVICES] = claim_gpu(tuple(shown.split(",")))
    if settings.device != "auto":
        return settings.device
    return "cuda" if torch.cuda.is_available() else "cpu"
