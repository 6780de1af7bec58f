"""GPUs of a job's own: a job takes those that no other job of this user on the machine has, and waits for them."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger("ethos.gpus")

_held: dict[str, int] = {}  # the locks of this process: the system frees them when it ends, however it ends


def claim_gpus(names: Sequence[str], count: int = 1, folder: Path | None = None) -> list[str]:
    """Take some of the GPUs of these names, as in CUDA_VISIBLE_DEVICES, for as long as this process lives.

    Those that it has count; where they are too few they are given back first, so nothing of this process may be on them yet. folder:
    where the locks are; the same for all jobs that see these GPUs.
    """
    folder = folder or _folder()
    folder.mkdir(mode=0o700, exist_ok=True)
    waited = False
    while len(_held) < count:
        _give_back()  # or two jobs would wait for each other's
        for name in names:
            if len(_held) < count and (lock := _lock(folder / name.replace("/", "-"))):
                _held[name] = lock
        if len(_held) < count:
            _give_back()
            if not waited:
                log.warning(f"waiting for {count} of {len(names)} GPUs, which other jobs have")
                waited = True
            time.sleep(1)
    return list(_held)[:count]


def _folder() -> Path:
    """A job of Slurm has GPUs of its own, which may have the names of another's; those within it share them."""
    job = os.environ.get("SLURM_JOB_ID")
    return Path(tempfile.gettempdir()) / f"ethos-gpus-{os.getuid()}{f'-{job}' if job else ''}"


def _give_back() -> None:
    while _held:
        os.close(_held.popitem()[1])


def _lock(path: Path) -> int | None:
    """The open file, locked; None where another process has it."""
    lock = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
