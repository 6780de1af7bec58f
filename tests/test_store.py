"""What was done once is found again; what was torn, lost or failed costs time, never correctness."""

from __future__ import annotations

import threading
from pathlib import Path

import orjson
import pytest

from ethos.store import CompletionStore, TrainingStore


def answer(text: str) -> dict:
    return {"text": text, "tokens": len(text)}


def segments(store: CompletionStore) -> list[Path]:
    return sorted(store.folder.glob("*.jsonl"))


def fill(store: CompletionStore, entries: dict[str, str]) -> Path:
    with store.writer(model="m", stage="test") as writer:
        for key, text in entries.items():
            writer.add(key, answer(text))
    return writer.path


def test_what_is_added_is_found_and_nothing_else(tmp_path):
    store = CompletionStore(tmp_path)
    fill(store, {"a": "line\nbreak \u2028 \U0001f600", "b": "", "c": "not asked for"})
    assert store.find(["a", "b", "missing"]) == {"a": answer("line\nbreak \u2028 \U0001f600"), "b": answer("")}


def test_an_empty_store_finds_nothing_and_an_idle_writer_makes_nothing(tmp_path):
    store = CompletionStore(tmp_path / "store")
    fill(store, {})
    assert store.find(["a"]) == {}
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("lost", [1, 2, 10, 40])
def test_a_torn_last_line_is_skipped_and_the_earlier_entries_are_found(tmp_path, lost):
    store = CompletionStore(tmp_path)
    path = fill(store, {"a": "whole", "b": "whole too", "c": "torn"})
    path.write_bytes(path.read_bytes()[:-lost])
    expected = {"a": answer("whole"), "b": answer("whole too")} | ({"c": answer("torn")} if lost == 1 else {})
    assert store.find(["a", "b", "c"]) == expected


def test_writers_at_once_lose_nothing(tmp_path):
    store = CompletionStore(tmp_path)
    parts = [{f"{part}-{number}": f"text {number}" for number in range(100)} for part in range(4)]
    threads = [threading.Thread(target=fill, args=(store, part)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(segments(store)) == 4
    expected = {key: answer(text) for part in parts for key, text in part.items()}
    assert store.find(expected) == expected


def test_of_two_segments_with_a_key_the_first_by_name_wins(tmp_path):
    store = CompletionStore(tmp_path)
    written = {fill(store, {"a": text}): text for text in ("one", "two", "three", "four")}
    assert store.find(["a"]) == {"a": answer(written[min(written)])}


def test_within_a_segment_the_first_entry_wins(tmp_path):
    store = CompletionStore(tmp_path)
    with store.writer(model="m", stage="test") as writer:
        writer.add("a", answer("first"))
        writer.add("a", answer("second"))
    assert store.find(["a"]) == {"a": answer("first")}


def test_answers_are_on_disk_before_the_writer_ends(tmp_path):
    """A killed job loses at most the last few."""
    store = CompletionStore(tmp_path)
    with store.writer(model="m", stage="test") as writer:
        for number in range(100):
            writer.add(str(number), answer("text"))
        assert len(store.find(map(str, range(100)))) > 80


def test_what_waits_is_written_even_when_the_work_fails(tmp_path):
    store = CompletionStore(tmp_path)
    with pytest.raises(KeyboardInterrupt), store.writer(model="m", stage="test") as writer:
        writer.add("a", answer("paid for"))
        assert segments(store) == []
        raise KeyboardInterrupt
    assert store.find(["a"]) == {"a": answer("paid for")}


def test_an_entry_tells_which_model_and_stage_it_is_of(tmp_path):
    path = fill(CompletionStore(tmp_path), {"a": "text"})
    assert orjson.loads(path.read_bytes()) == {"key": "a", "model": "m", "stage": "test", "answer": answer("text")}


class Trainer:
    """Writes other bytes each time, so that training twice would show."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, folder: Path) -> None:
        self.runs += 1
        (folder / "adapter_model.safetensors").write_text(f"weights of run {self.runs}")
        (folder / "history.json").write_text("[]")


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_training_is_done_once_and_gives_the_same_files_again(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()
    assert store.train_once({"seed": 0, "data": "x"}, trainer, tmp_path / "first") is True
    assert store.train_once({"data": "x", "seed": 0}, trainer, tmp_path / "second") is False
    assert trainer.runs == 1
    assert contents(tmp_path / "first") == contents(tmp_path / "second") != {}


def test_another_ingredient_is_another_training(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()
    store.train_once({"seed": 0}, trainer, tmp_path / "adapter")
    assert store.train_once({"seed": 1}, trainer, tmp_path / "adapter") is True
    assert contents(tmp_path / "adapter")["adapter_model.safetensors"] == "weights of run 2"


def test_a_changed_output_does_not_change_the_store(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()
    store.train_once({"seed": 0}, trainer, tmp_path / "first")
    (tmp_path / "first" / "history.json").write_text("spoilt")
    store.train_once({"seed": 0}, trainer, tmp_path / "second")
    assert contents(tmp_path / "second")["history.json"] == "[]"


def test_a_failed_training_leaves_nothing_and_can_be_tried_again(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()

    def fail(folder: Path) -> None:
        trainer(folder)
        raise MemoryError

    with pytest.raises(MemoryError):
        store.train_once({"seed": 0}, fail, tmp_path / "adapter")
    assert list(store.folder.iterdir()) == []
    assert not (tmp_path / "adapter").exists()
    assert store.train_once({"seed": 0}, trainer, tmp_path / "adapter") is True


def test_a_training_that_another_job_finished_first_is_taken_from_it(tmp_path):
    store, trainer = TrainingStore(tmp_path), Trainer()

    def overtaken(folder: Path) -> None:
        (folder / "adapter_model.safetensors").write_text("the slower one's")
        store.train_once({"seed": 0}, trainer, tmp_path / "other")

    store.train_once({"seed": 0}, overtaken, tmp_path / "own")
    assert contents(tmp_path / "own") == contents(tmp_path / "other")
