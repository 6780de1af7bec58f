"""A training that was done once is found again; one that was damaged or failed costs time, never correctness."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.files import read_json, sha256_of_text
from ethos.store import TrainingStore, training_damage
from ethos.work import calls_by_stage, read_work


class Trainer:
    """Writes other bytes each time, so that training twice would show."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, folder: Path) -> None:
        self.runs += 1
        (folder / "adapter_model.safetensors").write_text(f"weights of run {self.runs}")
        (folder / "history.json").write_text("[]")


def ingredients(**others) -> dict:
    return {"kind": "dpo", "base": "b" * 64, "seed": 0, **others}


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_training_is_done_once_and_gives_the_same_files_again(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()
    assert store.train_once(ingredients(), trainer, tmp_path / "first") is True
    assert store.train_once(dict(reversed(ingredients().items())), trainer, tmp_path / "second") is False
    assert trainer.runs == 1
    assert contents(tmp_path / "first") == contents(tmp_path / "second")
    assert set(contents(tmp_path / "first")) == {"adapter_model.safetensors", "history.json"}


def test_a_kept_training_says_what_it_is_made_of(tmp_path):
    TrainingStore(tmp_path).train_once(ingredients(), Trainer(), tmp_path / "adapter")
    (kept,) = (tmp_path / "trainings").iterdir()
    about = read_json(kept / "about.json")
    assert about["kind"] == "dpo" and about["ingredients"] == ingredients() and about["seconds"] >= 0
    assert about["files"]["history.json"] == sha256_of_text("[]")
    assert training_damage(kept) == []


def test_another_ingredient_is_another_training(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()
    store.train_once(ingredients(), trainer, tmp_path / "adapter")
    assert store.train_once(ingredients(seed=1), trainer, tmp_path / "adapter") is True
    assert contents(tmp_path / "adapter")["adapter_model.safetensors"] == "weights of run 2"


def test_a_changed_output_does_not_change_the_store(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()
    store.train_once(ingredients(), trainer, tmp_path / "first")
    (tmp_path / "first" / "history.json").write_text("spoilt")
    store.train_once(ingredients(), trainer, tmp_path / "second")
    assert contents(tmp_path / "second")["history.json"] == "[]"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("adapter_model.safetensors", "weights of run !"),
        ("adapter_model.safetensors", None),
        ("about.json", None),
        ("about.json", "{"),
        ("about.json", "[]"),
        ("about.json", '{"ingredients": {"kind": "sft"}, "files": {}}'),
    ],
)
def test_a_damaged_training_is_told_in_a_line_and_done_again(tmp_path, caplog, name, content):
    store, trainer = TrainingStore(tmp_path), Trainer()
    store.train_once(ingredients(), trainer, tmp_path / "first")
    (kept,) = store.folder.iterdir()
    if content is None:
        (kept / name).unlink()
    else:
        (kept / name).write_text(content)
    assert len(training_damage(kept)) == 1
    caplog.clear()
    assert store.train_once(ingredients(), trainer, tmp_path / "second") is True
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and name in warnings[0] and "trained again" in warnings[0]
    assert contents(tmp_path / "second")["adapter_model.safetensors"] == "weights of run 2"
    assert list(store.folder.iterdir()) == [kept] and training_damage(kept) == []


def test_a_failed_training_leaves_nothing_and_can_be_tried_again(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()

    def fail(folder: Path) -> None:
        trainer(folder)
        raise MemoryError

    with pytest.raises(MemoryError):
        store.train_once(ingredients(), fail, tmp_path / "adapter")
    assert list(store.folder.iterdir()) == []
    assert not (tmp_path / "adapter").exists()
    assert store.train_once(ingredients(), trainer, tmp_path / "adapter") is True


def test_a_training_that_another_job_finished_first_is_taken_from_it(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()

    def overtaken(folder: Path) -> None:
        (folder / "adapter_model.safetensors").write_text("the slower one's")
        store.train_once(ingredients(), trainer, tmp_path / "other")

    store.train_once(ingredients(), overtaken, tmp_path / "own")
    assert contents(tmp_path / "own") == contents(tmp_path / "other")


def test_only_what_was_really_trained_is_on_record(tmp_path):
    store = TrainingStore(tmp_path)
    for output in ("aligned", "aligned", "elsewhere"):
        store.train_once(ingredients(), Trainer(), tmp_path / output)
    store.train_once(ingredients(kind="reward"), Trainer(), tmp_path / "preference_model")
    assert calls_by_stage(tmp_path) == {("aligned", "dpo training"): 1, ("preference_model", "reward training"): 1}
    assert {(work.model, work.calls) for work in read_work(tmp_path)} == {("b" * 16, 1)}
    assert all(work.device in ("cpu", "cuda") for work in read_work(tmp_path))
