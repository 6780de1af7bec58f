"""A training in several processes of this machine, one on each GPU, started by `accelerate launch`."""

from __future__ import annotations

import json
import logging
import os
import shutil
import subprocess
import sys
import threading
import traceback
import uuid
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ethos.errors import BadInput
from ethos.execution import device, execution, start_logging
from ethos.execution_settings import Execution
from ethos.files import read_json, write_json

if TYPE_CHECKING:
    from ethos.training import Job

log = logging.getLogger("ethos.training")

_JOB, _FAILURE, _CONFIG, _LAUNCHER_LOG = "job.json", "failure.json", "accelerate.json", "launcher.log"


def launch(job: Job, folder: Path, shared: Path, output: Path) -> None:
    """Do what `training.fit` does, in as many processes as `execution.training` says.

    folder, shared, output: as `training.fit` takes them. Raises BadInput with what can't be done or a process refused, and
    RuntimeError with why one failed.
    """
    settings = execution()
    processes = settings.training.processes
    if job.settings.batch_size % processes:
        raise BadInput(f"must be a multiple of `execution.training.processes` ({processes})", field="batch_size")
    if settings.training.strategy == "deepspeed" and find_spec("deepspeed") is None:
        raise BadInput("deepspeed is not installed: pip install deepspeed", field="execution.training.strategy")
    device(processes)
    scratch = shared.with_name(f".{shared.name}.{uuid.uuid4().hex}")
    scratch.mkdir(parents=True)
    try:
        write_json(scratch / _CONFIG, accelerate_config(settings))
        write_json(scratch / _JOB, {"job": _written(job), "paths": [str(path) for path in (folder, shared, output)]})
        told = ["--config_file", str(scratch / _CONFIG), "--num_cpu_threads_per_process", str(settings.threads)]
        command = [
            sys.executable,
            "-m",
            "accelerate.commands.launch",
            *told,
            "--module",
            "ethos.distributed",
            str(scratch),
        ]
        log.info(f"{job.kind} training: {processes} processes, {settings.training.strategy}")
        with (
            open(scratch / _LAUNCHER_LOG, "wb") as errors,
            # Its standard input ends with this process, however this one ends; then the processes of the training end too.
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr.fileno(), stderr=errors) as launcher,
        ):
            launcher.wait()
        if launcher.returncode:
            raise _failure(job, scratch, processes)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def accelerate_config(settings: Execution) -> dict[str, Any]:
    """What `accelerate launch` is told. Precision and accumulation are the trainer's own."""
    shared = {
        "compute_environment": "LOCAL_MACHINE",
        "num_machines": 1,
        "machine_rank": 0,
        "num_processes": settings.training.processes,
        "main_process_port": 0,  # a free one
        "mixed_precision": "no",
        "use_cpu": False,  # a process takes what its device is
        "debug": False,
    }
    if settings.training.strategy == "fsdp":
        fsdp = {
            "fsdp_version": 2,
            "fsdp_reshard_after_forward": True,
            "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
            "fsdp_state_dict_type": "FULL_STATE_DICT",
            "fsdp_cpu_ram_efficient_loading": False,
            "fsdp_offload_params": False,
        }
        return {**shared, "distributed_type": "FSDP", "fsdp_config": fsdp}
    if settings.training.strategy == "deepspeed":
        return {**shared, "distributed_type": "DEEPSPEED", "deepspeed_config": {"zero_stage": 2}}
    return {**shared, "distributed_type": "MULTI_GPU"}  # of CPUs too


def _written(job: Job) -> dict[str, Any]:
    from ethos.training import settings_read

    read = set(settings_read(job.kind).model_fields)
    return {
        "kind": job.kind,
        "rows": list(job.rows),
        "settings": job.settings.model_dump(mode="json", include=read),
        "seed": job.seed,
        "identity": str(job.identity),
        "adapters": [str(path) for path in job.adapters],
        "snapshots": job.snapshots,
    }


def _failure(job: Job, scratch: Path, processes: int) -> Exception:
    """Why the training ended, as the first of its processes that failed says."""
    if not (scratch / _FAILURE).is_file():
        sys.stderr.write((scratch / _LAUNCHER_LOG).read_text())
        return RuntimeError(f"{job.kind} training: a process was killed, or never began; see above")
    told = read_json(scratch / _FAILURE)
    if told["refused"]:
        return BadInput(told["reason"])
    place = f"process {told['process'] + 1} of {processes}"
    return RuntimeError(f"{job.kind} training: {place} failed, with the traceback above: {told['reason']}")


def _share(scratch: Path) -> None:
    """One of the processes that `launch` starts."""
    from ethos.training import Job, fit, settings_read

    told = read_json(scratch / _JOB)
    job = told["job"]
    paths = {"identity": Path(job["identity"]), "adapters": [Path(path) for path in job["adapters"]]}
    settings = settings_read(job["kind"]).model_validate(job["settings"])
    fit(Job(**{**job, **paths, "settings": settings}), *map(Path, told["paths"]))


def _end_with_launcher() -> None:
    """Ends this process when nobody holds the other end of its standard input any more."""
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


def main(scratch: Path) -> None:
    """Share a training. The first process alone says how it goes; each says why it fails, and the first failure counts."""
    process = int(os.environ["RANK"])
    os.dup2(sys.stdout.fileno(), sys.stderr.fileno())  # the launcher's own errors only repeat those of its processes
    threading.Thread(target=_end_with_launcher, daemon=True).start()
    start_logging()
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")
    if process:
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
    try:
        _share(scratch)
    except Exception as error:
        refused = isinstance(error, BadInput)
        reason = str(error) if refused else f"{type(error).__name__}: {error}".strip()
        try:
            with open(scratch / _FAILURE, "x") as file:
                json.dump({"process": process, "reason": reason, "refused": refused}, file)
        except FileExistsError:
            pass  # this one failed because another did
        else:
            if not refused:
                traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)  # at once: what is left of the group would wait for the other processes


if __name__ == "__main__":
    main(Path(sys.argv[1]))
