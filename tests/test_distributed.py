"""Trainings in two processes: what they learn, how they end, and what the launcher is told."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file
from safetensors.torch import load_file

from ethos.distributed import accelerate_config, launch
from ethos.errors import BadInput
from ethos.execution_settings import Execution
from ethos.files import read_json, write_json
from ethos.models import content_identity
from tests.conftest import ROOT
from tests.small_trainings import execution, job, train_here

TWO = {"training": {"processes": 2}, "threads": 1}
FILES = ("adapter_model.safetensors", "adapter_config.json", "history.json", "examples.json")
# Of loss, gradient and measures, which are about 1; the weights, up to 0.1, were never further apart than 3e-7.
TOLERANCE = 1e-5


@pytest.fixture(scope="module")
def plain_model(dropout_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`identity.json` of the tiny model without dropout, which each process would draw for itself."""
    folder = tmp_path_factory.mktemp("plain") / "tiny"
    shutil.copytree(dropout_model.parent, folder)
    write_json(folder / "config.json", {**read_json(folder / "config.json"), "attention_dropout": 0.0})
    facts = {"name": "tiny", "dtype": "float32", "trust_remote_code": False}
    write_json(folder / "identity.json", {**content_identity(folder), **facts})
    return folder / "identity.json"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["reward", "dpo", "sft"])
def test_two_processes_learn_what_one_does(
    kind: str, plain_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    # 25 examples are three steps of eight and one of a single example, which leaves nothing for the second process.
    sizes = {"batch": 8, "minutes": 60}
    one = train_here(kind, 1, plain_model, tmp_path / "one", tmp_path / "first", training_batch_size=3, **sizes)
    two = train_here(kind, 1, plain_model, tmp_path / "two", tmp_path / "second", training_batch_size=1, **TWO, **sizes)
    assert (two / "adapter_config.json").read_bytes() == (one / "adapter_config.json").read_bytes()
    curves = [read_json(folder / "history.json") for folder in (one, two)]
    assert len(curves[0]) == 4
    assert all(alone.keys() > {"loss", "grad_norm"} for alone in curves[0])
    for alone, together in zip(*curves, strict=True):
        assert together == pytest.approx(alone, abs=TOLERANCE)
    for path in sorted(one.rglob("adapter_model.safetensors")):
        weights, others = load_file(path), load_file(two / path.relative_to(one))
        assert weights.keys() == others.keys()
        assert max((weights[name] - others[name]).abs().max() for name in weights) < TOLERANCE
    # How many there are is no part of a training: either finds the other's in the store.
    with caplog.at_level(logging.INFO, logger="ethos.training"):
        train_here(kind, 1, plain_model, tmp_path / "one", tmp_path / "again", **TWO, **sizes)
    assert f"{kind} training on 25 examples: found in the store" in caplog.messages
    assert list((tmp_path / "two" / "scratch").iterdir()) == []


def start_elsewhere(identity: Path, store: Path, output: Path) -> subprocess.Popen:
    code = f"from tests.small_trainings import job, train; from pathlib import Path; train(job('dpo', 1, Path({str(identity)!r}), batch=4), Path({str(output)!r}))"
    environment = {**os.environ, "ETHOS_EXECUTION": execution(store, 0, **TWO)}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


def sharing(store: Path) -> list[int]:
    """The processes that the trainings of a store were launched in, launchers included."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if f"{store}/scratch".encode() in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue  # it has ended
    return found


@pytest.mark.slow
def test_a_training_that_is_killed_takes_its_processes_with_it_and_ends_in_the_same_bytes(
    dropout_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sizes = {"batch": 4, **TWO}
    whole = train_here("dpo", 1, dropout_model, tmp_path / "whole", tmp_path / "expected", minutes=60, **sizes)
    store = tmp_path / "store"
    process = start_elsewhere(dropout_model, store, tmp_path / "adapter")
    while not list(store.glob("scratch/[!.]*/checkpoint-[2-9]")):
        assert process.poll() is None, "the training ended before"
        time.sleep(0.005)
    assert len(sharing(store)) == 3
    process.send_signal(signal.SIGKILL)
    process.wait()
    deadline = time.monotonic() + 180
    while sharing(store):
        assert time.monotonic() < deadline, "processes outlived the job that started them"
        time.sleep(0.05)
    with caplog.at_level(logging.INFO, logger="ethos.training"):
        train_here("dpo", 1, dropout_model, store, tmp_path / "adapter", **sizes)
    for path in (*FILES, *(f"snapshots/{number}/adapter_model.safetensors" for number in (1, 2, 3))):
        assert (tmp_path / "adapter" / path).read_bytes() == (whole / path).read_bytes(), path


@pytest.mark.slow
def test_a_process_that_fails_ends_the_job_and_says_why(
    plain_model: Path, tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(plain_model.parent, folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(RuntimeError, match="sft training: process . of 2 failed, .*: OSError: .*model.safetensors"):
        train_here("sft", 1, folder / "identity.json", tmp_path / "store", tmp_path / "adapter", **TWO)
    told = capfd.readouterr().err
    assert told.count("Traceback") == 1 and "load_model" in told
    assert not (tmp_path / "adapter").exists()
    assert list((tmp_path / "store" / "scratch").iterdir()) == []


@pytest.mark.slow
def test_grpo_says_that_it_trains_in_one_process(
    dropout_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="ethos.training"):
        train_here("grpo", 1, dropout_model, tmp_path / "store", tmp_path / "adapter", minutes=60, batch=8, **TWO)
    assert [line for line in caplog.messages if "one process" in line] == [
        "grpo training: in one process, as what it samples depends on how many there are"
    ]
    assert (tmp_path / "adapter" / "adapter_model.safetensors").is_file()


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETHOS_EXECUTION", execution(tmp_path, 0, training={"processes": 3}))
    with pytest.raises(BadInput, match=r"^batch_size: must be a multiple of `execution.training.processes` \(3\)$"):
        launch(job("sft", 1, tmp_path), tmp_path / "kept", tmp_path / "scratch", tmp_path / "adapter")


@pytest.mark.skipif(find_spec("deepspeed") is not None, reason="DeepSpeed is installed")
def test_a_missing_deepspeed_is_told_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ETHOS_EXECUTION", execution(tmp_path, 0, training={"processes": 2, "strategy": "deepspeed"}))
    with pytest.raises(BadInput, match=r"^execution.training.strategy: deepspeed is not installed: pip install "):
        launch(job("sft", 1, tmp_path), tmp_path / "kept", tmp_path / "scratch", tmp_path / "adapter")


@pytest.mark.parametrize("strategy", ["ddp", "fsdp", "deepspeed"])
def test_accelerate_takes_what_it_is_told(strategy: str, tmp_path: Path) -> None:
    told = accelerate_config(Execution(training={"processes": 4, "strategy": strategy}))
    write_json(tmp_path / "accelerate.json", told)
    read = load_config_from_file(str(tmp_path / "accelerate.json"))
    kinds = {"ddp": "MULTI_GPU", "fsdp": "FSDP", "deepspeed": "DEEPSPEED"}
    assert (read.num_processes, read.distributed_type.value) == (4, kinds[strategy])
