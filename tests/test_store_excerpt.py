"""An excerpt of a store holds what is named, whole, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.errors import BadInput
from ethos.files import sha256_of_text
from ethos.ledger import completion_line, training_line
from ethos.machines import note_machine
from ethos.store import CompletionStore, TrainingStore, open_completions
from ethos.store_excerpt import excerpt

FACTS = {"name": "tiny", "content": "c"}


def write(store: Path, *names: str) -> CompletionStore:
    """A store of answers as a new process sees it."""
    completions = CompletionStore(open_completions(store, FACTS).folder, FACTS)
    with completions.writer(stage="test") as writer:
        for name in names:
            writer.add(sha256_of_text(name), {"text": name})
    return completions


def entry(store: Path, name: str) -> str:
    return completion_line(open_completions(store, FACTS).folder.name, sha256_of_text(name))


def train(store: Path) -> str:
    TrainingStore(store).train_once(
        {"kind": "dpo", "base": "b"},
        lambda folder: (folder / "adapter.safetensors").write_text("a"),
        store.parent / "o",
    )
    return next((store / "trainings").iterdir()).name


def copied(files: dict[str, Path], store: Path) -> Path:
    for name, path in files.items():
        (store / name).parent.mkdir(parents=True, exist_ok=True)
        (store / name).write_bytes(path.read_bytes())
    return store


def test_an_excerpt_is_a_store_that_answers_what_was_named_and_nothing_else(tmp_path: Path) -> None:
    store = tmp_path / "store"
    write(store, "a", "b")
    write(store, "c")
    key = train(store)
    named = {entry(store, "a"), entry(store, "c"), training_line(key), "model tiny-1"}
    other = copied(excerpt(store, named, tmp_path), tmp_path / "other")
    found = CompletionStore(open_completions(other, FACTS).folder, FACTS).find(map(sha256_of_text, "abc"))
    assert sorted(answer["text"] for _, answer in found) == ["a", "c"]
    assert not TrainingStore(other).train_once({"kind": "dpo", "base": "b"}, lambda folder: None, tmp_path / "again")
    assert (tmp_path / "again/adapter.safetensors").read_text() == "a"


def test_what_computed_the_entries_comes_along_and_what_computed_others_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = tmp_path / "store"
    machines = []
    for threads, name in enumerate("ab", start=1):
        monkeypatch.setenv("ETHOS_EXECUTION", f'{{"threads": {threads}}}')
        machines.append(note_machine(store, "cpu"))
        with open_completions(store, FACTS).writer(stage="test", machine=machines[-1]) as writer:
            writer.add(sha256_of_text(name), {"text": name})
    assert set(excerpt(store, {entry(store, "a")}, tmp_path)) >= {f"machines/{machines[0]}.json"}
    assert f"machines/{machines[1]}.json" not in excerpt(store, {entry(store, "a")}, tmp_path)
    monkeypatch.setenv("ETHOS_EXECUTION", '{"threads": 3}')
    training = training_line(train(store))
    (trained_on,) = {path.name for path in (store / "machines").iterdir()} - {f"{name}.json" for name in machines}
    assert f"machines/{trained_on}" in excerpt(store, {training}, tmp_path)


@pytest.mark.parametrize(("room", "file"), [("prompts", "prompts.parquet"), ("tasks", "tasks.json")])
def test_messages_and_tasks_from_elsewhere_come_along_and_lost_ones_are_told(
    tmp_path: Path, room: str, file: str
) -> None:
    store = tmp_path / "store"
    kept = store / room / "lima-1"
    kept.mkdir(parents=True)
    (kept / file).write_bytes(b"p")
    assert excerpt(store, {f"{room} lima-1"}, tmp_path) == {f"{room}/lima-1/{file}": kept / file}
    with pytest.raises(
        BadInput, match=f"{room}/lima-2: this folder of {room}, which the results stand on, is no longer"
    ):
        excerpt(store, {f"{room} lima-2"}, tmp_path)


def test_equal_entries_give_equal_files_however_they_came_into_the_store(tmp_path: Path) -> None:
    stores = tmp_path / "1", tmp_path / "2"
    write(stores[0], "a", "b")
    write(stores[1], "b")
    write(stores[1], "c", "a", "b")
    contents = []
    for store in stores:
        files = excerpt(store, {entry(store, "a"), entry(store, "b")}, store)
        contents.append({name: path.read_bytes() for name, path in files.items()})
    assert contents[0] == contents[1]


def test_an_answer_or_a_training_that_is_gone_is_named(tmp_path: Path) -> None:
    store = tmp_path / "store"
    write(store, "a")
    with pytest.raises(BadInput, match=rf"completions/.*{sha256_of_text('b')[:16]}.*no longer in the store"):
        excerpt(store, {entry(store, "a"), entry(store, "b")}, tmp_path)
    key = train(store)
    (store / "trainings" / key / "adapter.safetensors").write_text("b")
    with pytest.raises(BadInput, match=r"trainings/.*adapter.safetensors is not as it was written"):
        excerpt(store, {training_line(key)}, tmp_path)
