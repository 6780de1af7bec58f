"""Checkpoints, from which a training that was killed goes on. Apart from training.py: they must not change what is trained.

They are scratch: a checkpoint is a folder that appears whole, and goes when its training is kept. transformers writes
and loads it: the adapter as safetensors; the states of optimizer, schedule and random numbers with
`torch.load(weights_only=True)`, which makes tensors and plain values and runs nothing.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list
from transformers import TrainerCallback
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from ethos.errors import BadInput
from ethos.files import files_in, read_json, sha256_of_file, write_json

log = logging.getLogger("ethos.training")

_MARK = "whole.json"  # the hashes of a checkpoint's files; one that a crash tore does not have them
_KEPT = 2
_ABANDONED = 30 * 24 * 3600  # seconds; by then a killed training has run again, or nobody wants it


class Checkpoints(TrainerCallback):
    """Writes a checkpoint now and then, and finds the newest.

    shared: folder of the training's checkpoints. minutes: between two of them; 0 writes one at every step. carried: a
    folder of the training that every checkpoint keeps a copy of, and that is put back where one is found.

    Of the processes that share a training the first one decides and moves; all write and load.
    Jobs that run the same training at once need no lock: a trainer writes to and loads from `own`, a folder of its
    job, and whole checkpoints move from there to `shared` and are copied back. So no trainer minds when another
    was first, or has finished and removed them all.
    """

    def __init__(self, shared: Path, *, minutes: float, carried: Path | None = None):
        self.shared, self.minutes, self.carried = shared, minutes, carried
        self.saved = 0.0
        self.processes = PartialState()
        # Beside the shared folder, so that moving is renaming.
        self.own = shared.with_name(f".{shared.name}.{_of_the_first(uuid.uuid4().hex)}")
        shared.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(shared.parent)

    def newest(self) -> Path | None:
        """The newest whole checkpoint, or None where there is none."""
        return _of_the_first(self._newest() if self.processes.is_main_process else None)

    def _newest(self) -> Path | None:
        for path in self._newest_first():
            copy = self.own / path.name
            with suppress(OSError, BadInput):
                shutil.copytree(path, copy)
                if read_json(copy / _MARK) == _hashes(copy):
                    if self.carried and (copy / self.carried.name).is_dir():
                        os.replace(copy / self.carried.name, self.carried)
                    return copy
            log.warning(f"{path}: is not whole and left out")
            shutil.rmtree(copy, ignore_errors=True)
        return None

    def on_train_begin(self, args, state, control, **kwargs):
        self.saved = time.monotonic()

    def on_step_end(self, args, state, control, **kwargs):
        self._tidy()  # what was loaded is in use by now
        if _of_the_first(time.monotonic() - self.saved >= 60 * self.minutes):
            control.should_save = True

    def on_save(self, args, state, control, **kwargs):
        self.processes.wait_for_everyone()  # each writes its random numbers
        self.saved = time.monotonic()
        if self.processes.is_main_process:
            self._keep(state)

    def _keep(self, state) -> None:
        written = self.own / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        if self.carried and self.carried.is_dir():
            shutil.copytree(self.carried, written / self.carried.name)
        write_json(written / _MARK, _hashes(written))
        try:
            self.shared.mkdir(exist_ok=True)
            os.replace(written, self.shared / written.name)
        except OSError as error:
            if not (self.shared / written.name).is_dir():  # nor was another process first
                log.warning(f"{self.shared}: takes no checkpoint ({error}); the training goes on without")
        # Later ones are those of a process that is further on.
        past = [path for path in self._newest_first() if _step(path) <= state.global_step]
        for path in past[_KEPT:]:
            shutil.rmtree(path, ignore_errors=True)
        self._tidy()

    def on_train_end(self, args, state, control, **kwargs):
        self._tidy()

    def _tidy(self) -> None:
        if self.processes.is_main_process:
            shutil.rmtree(self.own, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self.shared.glob(f"{PREFIX_CHECKPOINT_DIR}-*"), key=_step, reverse=True)


def _of_the_first(value: Any) -> Any:
    """What the first process of a training says, in all of them."""
    return broadcast_object_list([value])[0]


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _hashes(checkpoint: Path) -> dict[str, str]:
    """SHA-256 of each file but the mark."""
    return {name: sha256_of_file(checkpoint / name) for name in files_in(checkpoint) if name != _MARK}


def _remove_abandoned(scratch: Path) -> None:
    for path in scratch.iterdir():
        with suppress(OSError):  # another process may have removed it
            if time.time() - path.stat().st_mtime > _ABANDONED:
                shutil.rmtree(path)
