"""The persona adapter changes the weights by exactly the weighted sum of what its parts change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file

from ethos.errors import BadInput
from scripts.merge_persona import main, merge_adapters

MODULES = {"layers.0.q_proj": (6, 5), "layers.0.down_proj": (4, 9)}
WEIGHTS = (1.0, 0.25)


def adapter(rank: int, alpha: int, seed: int, dtype: torch.dtype = torch.float32, modules=MODULES) -> tuple[dict, dict]:
    draw = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, (out, into) in modules.items():
        tensors[f"{name}.lora_A.weight"] = torch.randn(rank, into, generator=draw, dtype=torch.float64).to(dtype)
        tensors[f"{name}.lora_B.weight"] = torch.randn(out, rank, generator=draw, dtype=torch.float64).to(dtype)
    return tensors, {"r": rank, "lora_alpha": alpha, "target_modules": ["down_proj", "q_proj"]}


def update(tensors: dict, config: dict, name: str) -> torch.Tensor:
    """What LoRA adds to a weight: alpha / rank * B @ A, in float64."""
    a, b = (tensors[f"{name}.lora_{part}.weight"].double() for part in "AB")
    return config["lora_alpha"] / config["r"] * b @ a


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_merged_update_is_the_weighted_sum_of_the_updates(dtype):
    parts = [adapter(3, 6, 0, dtype), adapter(5, 20, 1, dtype)]
    merged = merge_adapters([(*part, weight) for part, weight in zip(parts, WEIGHTS, strict=True)])
    assert (merged[1]["r"], merged[1]["lora_alpha"]) == (8, 8)
    for name in MODULES:
        expected = sum(weight * update(*part, name) for part, weight in zip(parts, WEIGHTS, strict=True))
        assert torch.allclose(
            update(*merged, name), expected, rtol=0, atol=16 * torch.finfo(dtype).eps * float(expected.abs().max())
        )
        assert merged[0][f"{name}.lora_A.weight"].dtype == dtype


def test_with_scales_that_are_powers_of_two_nothing_is_rounded():
    parts = [adapter(2, 4, 0), adapter(4, 4, 1)]
    tensors, _ = merge_adapters([(*parts[0], 1.0), (*parts[1], 0.25)])
    for name in MODULES:
        assert torch.equal(
            tensors[f"{name}.lora_A.weight"], torch.cat([part[0][f"{name}.lora_A.weight"] for part in parts])
        )
        assert torch.equal(
            tensors[f"{name}.lora_B.weight"],
            torch.cat([2 * parts[0][0][f"{name}.lora_B.weight"], parts[1][0][f"{name}.lora_B.weight"] / 4], dim=1),
        )


def test_a_part_of_weight_zero_changes_nothing():
    part = adapter(3, 6, 0)
    merged = merge_adapters([(*part, 1.0), (*adapter(3, 6, 1), 0.0)])
    for name in MODULES:
        assert torch.allclose(update(*merged, name), update(*part, name), rtol=0, atol=1e-5)


def test_parts_that_train_other_modules_are_refused():
    other = adapter(3, 6, 1, modules={"layers.0.q_proj": (6, 5)})
    with pytest.raises(ValueError, match="different modules"):
        merge_adapters([(*adapter(3, 6, 0), 1.0), (*other, 1.0)])


@pytest.mark.parametrize("option", ["use_rslora", "use_dora", "rank_pattern", "alpha_pattern"])
def test_an_adapter_that_is_scaled_in_another_way_is_refused(option):
    tensors, config = adapter(3, 6, 0)
    with pytest.raises(ValueError, match="plain LoRA"):
        merge_adapters([(tensors, config, 1.0), (tensors, config | {option: {"q_proj": 8}}, 1.0)])


def test_a_tensor_that_is_no_lora_factor_is_refused():
    """A trained head, say: it has no sum of ranks."""
    tensors, config = adapter(3, 6, 0)
    tensors["score.weight"] = torch.ones(1, 5)
    with pytest.raises(ValueError, match="plain LoRA"):
        merge_adapters([(tensors, config, 1.0), (tensors, config, 1.0)])


def save(folder: Path, tensors: dict, config: dict) -> Path:
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder / "adapter_model.safetensors"


def merge(folder: Path, distilled: Path, introspection: Path, output: str = "persona"):
    arguments = [
        "--distilled",
        distilled,
        "--introspection",
        introspection,
        "--adapter",
        folder / output / "adapter_model.safetensors",
    ]
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=True)


def test_the_command_writes_an_adapter_of_the_published_weights_and_equal_bytes_each_time(tmp_path):
    parts = [adapter(3, 6, 0), adapter(5, 20, 1)]
    paths = [save(tmp_path / name, *part) for name, part in zip(("distilled", "introspection"), parts, strict=True)]
    for output in ("first", "second"):
        assert merge(tmp_path, *paths, output).exit_code == 0
    expected, config = merge_adapters([(*part, weight) for part, weight in zip(parts, WEIGHTS, strict=True)])
    written = load_file(tmp_path / "first" / "adapter_model.safetensors")
    assert written.keys() == expected.keys()
    assert all(torch.equal(written[name], expected[name]) for name in expected)
    assert json.loads((tmp_path / "first" / "adapter_config.json").read_text()) == config
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()


@pytest.mark.parametrize("damaged", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_damaged_adapter_is_refused_by_name_and_nothing_is_written(tmp_path, damaged):
    paths = [save(tmp_path / name, *adapter(3, 6, 0)) for name in ("distilled", "introspection")]
    victim = tmp_path / "introspection" / damaged
    victim.write_bytes(victim.read_bytes()[:30])
    outcome = merge(tmp_path, *paths)
    assert isinstance(outcome.exception, BadInput), outcome.exception
    assert str(outcome.exception).startswith(f"{victim}: ")
    assert not (tmp_path / "persona").exists()
