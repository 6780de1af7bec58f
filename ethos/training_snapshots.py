"""Adapters as files: at the end of a training, and snapshots at equal parts of its steps."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from transformers import TrainerCallback

from ethos.files import write_json


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
    """Save a PEFT adapter so that equal weights give equal bytes and no path of this machine is in it."""
    model.save_pretrained(folder, safe_serialization=True)
    (folder / "README.md").unlink(missing_ok=True)  # a template with nothing filled in
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text())
    config["base_model_name_or_path"] = None
    # PEFT writes these from sets, in an order that differs from run to run.
    for name in ("target_modules", "modules_to_save", "exclude_modules"):
        if isinstance(config.get(name), list):
            config[name] = sorted(config[name])
    write_json(path, config)
