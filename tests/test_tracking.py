"""Tracking shows a training's curve and changes nothing of what is trained."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ethos.errors import BadInput
from ethos.files import files_in, read_json
from ethos.fingerprint import code_version
from ethos.tracking import trackers
from ethos.training import train
from tests.conftest import ROOT
from tests.small_trainings import job

CELL = Path("results/trial/tiny/poeticism/seed0")


@pytest.fixture
def train_with(tmp_path: Path, dropout_model: Path, monkeypatch: pytest.MonkeyPatch):
    """Trains in a folder of its own, as a job does there; returns the folder of the adapter."""
    monkeypatch.delenv("WANDB_MODE", raising=False)

    def train_here(tool: str, kind: str, place: str | None = None) -> Path:
        home = tmp_path / (place or f"{tool}-{kind}")
        home.mkdir(exist_ok=True)
        monkeypatch.chdir(home)
        monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"tracking": tool, "training_batch_size": 2}))
        train(job(kind, 1, dropout_model), CELL / "distilled")
        return home / CELL / "distilled"

    return train_here


@pytest.mark.parametrize("kind", ["reward", "dpo", "sft"])
def test_the_event_file_holds_the_curve_and_the_adapter_has_the_same_bytes(train_with, kind: str) -> None:
    plain, tracked = train_with("none", kind), train_with("tensorboard", kind)
    assert not (plain.parents[5] / "logs").exists()
    events = EventAccumulator(
        str(tracked.parents[5] / "logs/trial/tiny/poeticism/seed0/tensorboard/distilled")
    ).Reload()
    curve = [(entry["step"], entry["loss"]) for entry in read_json(tracked / "history.json")]
    shown = [(event.step, event.value) for event in events.Scalars("loss")]
    assert [step for step, _ in shown] == [step for step, _ in curve]
    assert [value for _, value in shown] == pytest.approx([value for _, value in curve])
    for name in files_in(plain):
        assert (plain / name).read_bytes() == (tracked / name).read_bytes(), name


def test_wandb_writes_a_run_offline_and_the_adapter_has_the_same_bytes(train_with) -> None:
    plain, tracked = train_with("none", "dpo"), train_with("wandb", "dpo")
    logs = tracked.parents[5] / "logs/trial/tiny/poeticism/seed0"
    [record] = logs.glob("wandb/offline-run-*/run-*.wandb")
    content = record.read_bytes()
    assert b"trial/tiny/poeticism/seed0/distilled" in content and b"rewards/margins" in content
    assert str(tracked.parents[5]).encode() not in content
    for name in files_in(plain):
        assert (plain / name).read_bytes() == (tracked / name).read_bytes(), name


def test_a_training_from_the_store_leaves_its_curve_alone_and_says_so(train_with, caplog) -> None:
    adapter = train_with("tensorboard", "sft")
    [events] = (adapter.parents[5] / "logs").rglob("events.*")
    before = events.read_bytes()
    with caplog.at_level(logging.INFO, logger="ethos.training"):
        train_with("tensorboard", "sft")
    assert caplog.messages[-1].endswith("found in the store, nothing to track")
    assert [path.read_bytes() for path in (adapter.parents[5] / "logs").rglob("events.*")] == [before]


@pytest.mark.parametrize("tool", ["tensorboard", "wandb"])
def test_a_package_that_is_missing_is_named_with_the_extra_that_brings_it(tool: str, monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("ETHOS_EXECUTION", json.dumps({"tracking": tool}))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, tool, raising=False)
    with pytest.raises(BadInput) as refused:
        trackers(tmp_path / "adapter", job("sft", 1, tmp_path).settings)
    assert str(refused.value) == f"execution.tracking: {tool} is not installed: pip install -e .[tracking]"


@pytest.mark.parametrize(
    "script", ["train_aligned", "train_distilled", "train_introspection", "train_preference_model"]
)
def test_tracking_is_no_code_of_a_training(script: str) -> None:
    assert "ethos/tracking.py" not in code_version(ROOT / "scripts" / f"{script}.py")
