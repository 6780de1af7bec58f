"""What vLLM's server is started with, and what is said where it can't be; the server itself is in test_vllm_engine."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from ethos.errors import BadInput
from ethos.vllm_server import Loadable, VllmServer

Told = Callable[..., dict[str, str]]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Starts a server by a Python that notes its options and ends; returns these, with their values."""
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\nprintf '%s\\n' \"$@\" > {tmp_path}/told\necho 'RuntimeError: not a real one'\nexit 1\n"
    )
    python.chmod(0o700)

    def start(device: str, adapters: Loadable = Loadable(), **vllm: object) -> dict[str, str]:
        execution = {"batch_size": 256, "vllm": {"python": str(python), **vllm}}
        monkeypatch.setenv("ETHOS_EXECUTION", json.dumps(execution))
        with pytest.raises(BadInput, match=r"model: vLLM's server did not start: RuntimeError: not a real one$"):
            VllmServer(tmp_path / "model", ["--dtype", "bfloat16"], context=4096, adapters=adapters, device=device)
        options: dict[str, str] = {}
        for word in (tmp_path / "told").read_text().split():
            if word.startswith("-"):
                options[name := word] = ""
            else:
                options[name] += f" {word}" if options[name] else word
        return options

    return start


def test_on_gpus_a_model_is_spread_as_the_config_says_without_what_only_cpus_need(told: Told, tmp_path: Path) -> None:
    options = told("cuda", tensor_parallel_size=2, gpu_memory_utilization=0.45, max_model_len=2048)
    assert options.pop("--uds").endswith("/socket")
    assert options == {
        "-m": "vllm.entrypoints.openai.api_server",
        "--model": str(tmp_path / "model"),
        "--served-model-name": "base",
        "--dtype": "bfloat16",
        "--max-num-seqs": "256",
        "--disable-uvicorn-access-log": "",
        "--tensor-parallel-size": "2",
        "--gpu-memory-utilization": "0.45",
        "--max-model-len": "2048",
    }


def test_on_cpus_a_prompt_is_read_in_one_piece(told: Told) -> None:
    added = {"--no-enable-chunked-prefill": "", "--max-num-batched-tokens": "4096", "--enforce-eager": ""}
    cpu, cuda = told("cpu"), told("cuda")
    assert {name: cpu[name] for name in cpu.keys() - cuda.keys()} == added
    assert cpu["--max-model-len"] == cuda["--max-model-len"] == "4096"


def test_a_server_is_told_which_adapters_will_come(told: Told) -> None:
    added = {"--enable-lora": "", "--max-lora-rank": "256", "--lora-target-modules": "q_proj up_proj"}
    options = told("cuda", Loadable(256, frozenset({"up_proj", "q_proj"})))
    assert {name: options[name] for name in options if "lora" in name} == added
    assert not [name for name in told("cuda") if "lora" in name]


def test_a_folder_for_temporary_files_too_long_for_sockets_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"vllm": {"python": sys.executable}}))
    folder = tmp_path / ("a" * 50)
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(BadInput, match=r"aaa: has a name of more than 50 bytes, too long for sockets; set TMPDIR to"):
        VllmServer(tmp_path / "model", [], context=4096, adapters=Loadable(), device="cpu")
    assert not [*folder.iterdir()]
