"""GPUs of a job's own: on a machine with several, a job takes those that no other job of this user has, and waits for them."""

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

    Those that it has count. folder: where the locks are; the same for all jobs on a machine.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"ethos-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    waited = False
    while True:
        new: dict[str, int] = {}
        for name in names:
            if len(_held) + len(new) < count and name not in _held and (lock := _lock(folder / name)):
                new[name] = lock
        if len(_held) + len(new) >= count:
            _held.update(new)
            return list(_held)[:count]
        for lock in new.values():  # or two jobs would wait for each other's
            os.close(lock)
        if not waited:
            log.info(f"waiting for {count} of {len(names)} GPUs")
            waited = True
        time.sleep(1)


def _lock(path: Path) -> int | None:
    """The open file, locked; None where another process has it."""
    lock = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
