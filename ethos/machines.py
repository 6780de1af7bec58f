"""What computed the entries of a store: the machine, and how the work was done, as far as that may round last bits.

Kept in the store beside the entries, which name it, so that it is told of the machine that did the work, not of the one that
asked for it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from ethos.execution import execution
from ethos.execution_settings import Execution
from ethos.files import canonical_json, sha256_of_text, write_json
from ethos.provenance import hardware

MACHINES = "machines"  # the store's folder
_ROUNDING = {
    "batch_size": True,
    "training_batch_size": True,
    "device": True,
    "threads": True,
    "training": True,
    "vllm": {"tensor_parallel_size", "gpu_memory_utilization", "max_model_len", "cpu_kvcache_space"},
}

_hardware = cache(hardware)


def rounding(settings: Execution) -> dict[str, Any]:
    """Of how the work is done, what may round last bits."""
    return settings.model_dump(mode="json", include=_ROUNDING)


def note_machine(store: Path, device: str) -> str:
    """Note in the store what this process computes with; returns the note's name. device: `cpu` or `cuda`."""
    facts = {"hardware": _hardware(), "execution": rounding(execution()) | {"device": device}}
    name = sha256_of_text(canonical_json(facts))[:16]
    path = store / MACHINES / f"{name}.json"
    if not path.is_file():
        write_json(path, facts)
    return name
