"""Adapters as files: at the end of a training, and snapshots at equal parts of its steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from accelerate import PartialState
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_model_state_dict
from transformers import TrainerCallback

from ethos.files import write_json

# Whole weights, gathered where processes hold parts of them; those that are not trained stay where they are.
_TRAINED = StateDictOptions(full_state_dict=True, cpu_offload=True, ignore_frozen_params=True)


class Snapshots(TrainerCallback):
    """Saves the adapter after some of the steps.

    folder: a snapshot is a folder in it, by number. steps_of: the steps by number, given how many there are.
    """

    def __init__(self, folder: Path, steps_of: Callable[[int], Mapping[int, int]]):
        self.folder, self.steps_of = folder, steps_of

    def on_step_end(self, args, state, control, model=None, **kwargs):
        for number, step in self.steps_of(state.max_steps).items():
            if step == state.global_step:
                save_adapter(model, self.folder / str(number))


def save_adapter(model, folder: Path) -> None:
    """Save a PEFT adapter so that equal weights give equal bytes and no path of this machine is in it.

    To be called in every process of a training; the first one writes.
    """
    weights = get_model_state_dict(model, options=_TRAINED)
    if not PartialState().is_main_process:
        return
    model.save_pretrained(folder, state_dict=weights, safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)  # a template with nothing filled in
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = None
    # PEFT writes these from sets, in an order that differs from run to run.
    for name in ("target_modules", "modules_to_save", "exclude_modules"):
        if isinstance(config.get(name), list):
            config[name] = sorted(config[name])
    write_json(path, config)
