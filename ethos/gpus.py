"""One GPU a job: on a machine with several, a job takes one that no other job of this user has, and waits while all are taken."""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

log = logging.getLogger("ethos.gpus")


def claim_gpu(names: Sequence[str], folder: Path | None = None) -> str:
    """Take one of the GPUs of these names, as in CUDA_VISIBLE_DEVICES, for as long as this process lives.

    folder: where the locks are; the same for all jobs on a machine.
    """
    folder = folder or Path(tempfile.gettempdir()) / f"ethos-gpus-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    waited = False
    while True:
        for name in names:
            lock = os.open(folder / name, os.O_CREAT | os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
                continue
            return name  # the lock stays open: the system frees it when the process ends, however it ends
        if not waited:
            log.info(f"waiting for one of {len(names)} GPUs")
            waited = True
        time.sleep(1)
