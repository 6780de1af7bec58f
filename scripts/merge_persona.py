"""Merge the distilled and the introspection adapter into the persona adapter, exactly, by concatenating their ranks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ethos.errors import BadInput
from ethos.files import read_json, whole_file, write_json
from ethos.script import READABLE, WRITABLE, run, settings_option
from ethos.stage_settings import Persona


def merge_adapters(parts: list[tuple[dict[str, Any], dict[str, Any], float]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """One LoRA adapter whose weight update is the weighted sum of the parts' updates.

    parts: (tensors by name, adapter config, weight) each. With scale s = alpha / rank, the update of a part is
    weight * s * B @ A; stacking [A1; A2] and [w1 s1 B1, w2 s2 B2] gives the sum with rank r1 + r2 and scale 1, with no
    other rounding than that of w s B. Returns tensors and config.
    """
    import torch

    names = sorted(parts[0][0])
    for tensors, config, _ in parts:
        if sorted(tensors) != names:
            raise ValueError("the adapters train different modules")
        if (
            config.get("use_rslora")
            or config.get("use_dora")
            or config.get("rank_pattern")
            or config.get("alpha_pattern")
        ):
            raise ValueError("only plain LoRA adapters can be merged")
    merged = {}
    for name in names:
        if ".lora_A." in name:
            merged[name] = torch.cat([tensors[name] for tensors, _, _ in parts], dim=0).contiguous()
        elif ".lora_B." in name:
            scaled = [
                tensors[name] * (weight * config["lora_alpha"] / config["r"]) for tensors, config, weight in parts
            ]
            merged[name] = torch.cat(scaled, dim=1).contiguous()
        else:
            raise ValueError(f"{name} is no LoRA factor; only plain LoRA adapters can be merged")
    rank = sum(config["r"] for _, config, _ in parts)
    return merged, parts[0][1] | {"r": rank, "lora_alpha": rank}


def _read_tensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise BadInput(f"is damaged ({error}); delete it and run again", path=path) from None


@click.command()
@click.option("--distilled", type=READABLE, required=True, help="adapter_model.safetensors of the distilled adapter.")
@click.option(
    "--introspection", type=READABLE, required=True, help="adapter_model.safetensors of the introspection adapter."
)
@settings_option(Persona)
@click.option(
    "--adapter", type=WRITABLE, required=True, help="Written: adapter_model.safetensors; its folder is the adapter."
)
def main(distilled: Path, introspection: Path, settings: Persona, adapter: Path) -> None:
    """Merge the distilled and the introspection adapter into the persona adapter, exactly, by concatenating their ranks."""
    from safetensors.torch import save_file

    parts = [
        (_read_tensors(path), read_json(path.parent / "adapter_config.json"), weight)
        for path, weight in ((distilled, settings.distilled), (introspection, settings.introspection))
    ]
    try:
        tensors, config = merge_adapters(parts)
    except ValueError as error:
        raise BadInput(str(error), path=introspection) from None
    with whole_file(adapter) as beside:
        save_file(tensors, beside, metadata={"format": "pt"})
    write_json(adapter.parent / "adapter_config.json", config)


if __name__ == "__main__":
    run(main)
