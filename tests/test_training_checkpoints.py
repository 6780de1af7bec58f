"""A training that is killed goes on where it was, and ends in the bytes in which it would have ended."""

from __future__ import annotations

import logging
import os
import pickle
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import pytest
import torch

from ethos.files import read_json, sha256_of_file, write_json
from ethos.training_checkpoints import Checkpoints
from tests.conftest import ROOT
from tests.small_trainings import execution, train_here

FILES = ("adapter_model.safetensors", "adapter_config.json", "history.json", "examples.json")
SNAPSHOTS = tuple(f"snapshots/{number}/adapter_model.safetensors" for number in (1, 2, 3))
STEPS = 13  # of an epoch: 25 examples, 2 a step, one at a time; so the last step is half a one
Trained = Callable[[str, int], Path]


def start_elsewhere(kind: str, epochs: int, dropout_model: Path, store: Path, output: Path) -> subprocess.Popen:
    """The same training in a process of its own, with a checkpoint at every step."""
    code = f"""
from pathlib import Path
from tests.small_trainings import job, train
train(job({kind!r}, {epochs}, Path({str(dropout_model)!r})), Path({str(output)!r}))
"""
    environment = {**os.environ, "ETHOS_EXECUTION": execution(store, 0)}
    return subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)


def step(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("checkpoint-"))


def checkpoints(store: Path) -> list[Path]:
    """Those of the only training, the newest first."""
    return sorted(store.glob("scratch/[!.]*/checkpoint-*"), key=step, reverse=True)


def kill_after(process: subprocess.Popen, store: Path, reached: int, *, delay: float = 0) -> None:
    """kill -9, some seconds after the checkpoint of a step has appeared."""
    while not any(step(path) >= reached for path in checkpoints(store)):
        assert process.poll() is None, "the training ended before"
        time.sleep(0.002)
    time.sleep(delay)
    process.kill()
    assert process.wait() == -9


def assert_equal(folder: Path, expected: Path) -> None:
    for name in (*FILES, *(SNAPSHOTS if (expected / "snapshots").is_dir() else ())):
        assert (folder / name).read_bytes() == (expected / name).read_bytes(), name


@pytest.fixture(scope="module")
def uninterrupted(dropout_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The adapter of a training that was never killed and wrote no checkpoint."""
    folder = tmp_path_factory.mktemp("uninterrupted")

    @cache
    def trained(kind: str, epochs: int) -> Path:
        return train_here(kind, epochs, dropout_model, folder / "store", folder / f"{kind}{epochs}", minutes=60)

    return trained


@pytest.fixture(scope="module")
def killed(dropout_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store in which a DPO training was killed in its first epoch."""
    folder = tmp_path_factory.mktemp("killed")
    kill_after(start_elsewhere("dpo", 2, dropout_model, folder / "store", folder / "adapter"), folder / "store", 4)
    return folder / "store"


@pytest.fixture
def resume(
    killed: Path, dropout_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> Callable[[], list[str]]:
    """Goes on with the killed training in a copy of its store, and returns what the log says of that."""
    shutil.copytree(killed, tmp_path / "store")

    def resumed() -> list[str]:
        with caplog.at_level(logging.INFO, logger="ethos.training"):
            train_here("dpo", 2, dropout_model, tmp_path / "store", tmp_path / "adapter")
        return [line for line in caplog.messages if "resumes" in line or "not whole" in line]

    return resumed


@pytest.mark.parametrize("epochs", [pytest.param(1, marks=pytest.mark.long), pytest.param(2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", ["reward", "dpo", "sft", "grpo"])
def test_a_training_that_is_killed_again_and_again_ends_in_the_same_bytes(
    kind: str,
    epochs: int,
    dropout_model: Path,
    uninterrupted: Trained,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    draw = random.Random(f"{kind} {epochs}")
    third = STEPS * epochs // 3
    store = tmp_path / "store"
    for first in (1, 1 + third):
        process = start_elsewhere(kind, epochs, dropout_model, store, tmp_path / "adapter")
        kill_after(process, store, draw.randrange(first, first + third), delay=draw.uniform(0, 0.05))
    with caplog.at_level(logging.INFO, logger="ethos.training"):
        train_here(kind, epochs, dropout_model, store, tmp_path / "adapter")
    [line] = [line for line in caplog.messages if "resumes at step" in line]
    assert third < int(line.rpartition(" ")[2].partition("/")[0]) < STEPS * epochs
    assert_equal(tmp_path / "adapter", uninterrupted(kind, epochs))
    assert checkpoints(store) == []


def truncate(checkpoint: Path) -> None:
    path = checkpoint / "optimizer.pt"
    os.truncate(path, path.stat().st_size // 2)


def remove_mark(checkpoint: Path) -> None:
    (checkpoint / "whole.json").unlink(missing_ok=True)  # it may have been killed while it removed an old one


@pytest.mark.slow
@pytest.mark.parametrize("tear", [truncate, remove_mark])
def test_a_torn_checkpoint_is_left_out(tear, resume, uninterrupted: Trained, tmp_path: Path) -> None:
    newest, older, *_ = checkpoints(tmp_path / "store")
    tear(newest)
    assert resume() == [
        f"{newest}: is not whole and left out",
        f"dpo training: resumes at step {step(older)}/{2 * STEPS}",
    ]
    assert_equal(tmp_path / "adapter", uninterrupted("dpo", 2))


@pytest.mark.slow
def test_without_a_whole_checkpoint_a_training_starts_over(resume, uninterrupted: Trained, tmp_path: Path) -> None:
    for checkpoint in checkpoints(tmp_path / "store"):
        remove_mark(checkpoint)
    assert not any("resumes" in line for line in resume())
    assert_equal(tmp_path / "adapter", uninterrupted("dpo", 2))


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["optimizer.pt", "scheduler.pt", "rng_state.pth", "training_args.bin"])
def test_no_code_in_a_checkpoint_is_run(name: str, resume, tmp_path: Path) -> None:
    newest = checkpoints(tmp_path / "store")[0]
    torch.save({"python": Payload(tmp_path / "run")}, newest / name)
    write_json(newest / "whole.json", {**read_json(newest / "whole.json"), name: sha256_of_file(newest / name)})
    with suppress(pickle.UnpicklingError):
        resume()
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_two_that_train_the_same_at_once_do_not_disturb_each_other(
    dropout_model: Path, uninterrupted: Trained, tmp_path: Path
) -> None:
    outputs = [tmp_path / "first", tmp_path / "second"]
    processes = [start_elsewhere("dpo", 2, dropout_model, tmp_path / "store", output) for output in outputs]
    assert [process.wait() for process in processes] == [0, 0]
    for output in outputs:
        assert_equal(output, uninterrupted("dpo", 2))
    assert list((tmp_path / "store" / "scratch").iterdir()) == []


def test_scratch_that_nobody_touched_for_a_month_is_removed(tmp_path: Path) -> None:
    for name, days in (("old", 31), ("young", 29)):
        (tmp_path / name / "checkpoint-1").mkdir(parents=True)
        then = time.time() - days * 24 * 3600
        os.utime(tmp_path / name, (then, then))
    Checkpoints(tmp_path / "own", minutes=10)
    assert [path.name for path in tmp_path.iterdir()] == ["young"]
