"""An adapter, or the model that it was merged into, as a folder that others can load, with its card."""

from __future__ import annotations

import shutil
from pathlib import Path

from ethos.cards import model_card
from ethos.errors import BadInput
from ethos.files import read_json, whole_folder, write_json
from ethos.finished_run import PREFERENCE_MODEL, Cell, base_facts, refuse_filled
from ethos.hub import hub_source

# What stands beside the weights of a model and belongs to it: tokenizer, chat template, code that it was trusted with.
_BESIDE = (".json", ".jinja", ".model", ".txt", ".py", "LICENSE")
_OURS = ("identity.json", "config.json", "generation_config.json", "model.safetensors.index.json")


def export(cell: Cell, arm: str, to: Path, *, merged: bool = False) -> None:
    """Write an arm's adapter, or base with the adapter merged into it as the engine does, and a card.

    Raises BadInput when there is no such arm, or `to` holds something.
    """
    refuse_filled(to)
    adapter = cell.adapter(arm)
    if merged and arm == PREFERENCE_MODEL:
        raise BadInput("is used as an adapter, never merged; leave out --merged", field=arm)
    with whole_folder(to) as folder:
        if merged:
            _write_merged(cell.base(), adapter, folder)
        else:
            _write_adapter(cell, adapter, folder)
        (folder / "README.md").write_text(model_card(cell, arm, merged=merged), encoding="utf-8")


def _write_adapter(cell: Cell, adapter: Path, folder: Path) -> None:
    base, revision = hub_source(cell.source.source)
    shutil.copyfile(adapter / "adapter_model.safetensors", folder / "adapter_model.safetensors")
    config = read_json(adapter / "adapter_config.json")
    write_json(folder / "adapter_config.json", config | {"base_model_name_or_path": base, "revision": revision})


def _write_merged(base: Path, adapter: Path, folder: Path) -> None:
    import torch

    from ethos.loading import load_model

    facts = base_facts(base)
    model = load_model(
        base, getattr(torch, facts["dtype"]), adapters=[adapter], trust_remote_code=facts["trust_remote_code"]
    )
    model.save_pretrained(folder)
    for path in sorted(base.iterdir()):
        if path.is_file() and path.name.endswith(_BESIDE) and path.name not in _OURS:
            shutil.copyfile(path, folder / path.name)
