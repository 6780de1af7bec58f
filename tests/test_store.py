"""An answer that was given once is found again; one that was torn, damaged or lost costs time, never correctness."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import orjson
import pytest

from ethos.files import read_json, sha256_of_text
from ethos.segments import lines_of, segments_in
from ethos.store import CompletionStore

FACTS = {"name": "tiny", "content": "c"}


def opened(folder: Path) -> CompletionStore:
    """The store as another process finds it."""
    return CompletionStore(folder / "model", FACTS)


def key(name: str | int) -> str:
    return sha256_of_text(str(name))


def answer(text: str) -> dict:
    return {"text": text, "tokens": len(text)}


def fill(store: CompletionStore, entries: dict[str, str]) -> Path:
    with store.writer(stage="test") as writer:
        for name, text in entries.items():
            writer.add(key(name), answer(text))
    return writer.path


def found(store: CompletionStore, *names: str | int) -> dict[str, str]:
    """The texts of these names that the store has."""
    by_key = {key(name): str(name) for name in names}
    return {by_key[found]: content["text"] for found, content in store.find(by_key)}


def test_what_is_added_is_found_by_this_process_and_the_next_and_nothing_else(tmp_path):
    store = opened(tmp_path)
    assert found(store, "a") == {}
    fill(store, {"a": "line\nbreak \u2028 \U0001f600", "b": "", "c": "not asked for"})
    for later in (store, opened(tmp_path)):
        assert found(later, "a", "b", "missing") == {"a": "line\nbreak \u2028 \U0001f600", "b": ""}


def test_looking_makes_nothing(tmp_path):
    assert found(opened(tmp_path), "a") == {}
    assert list(tmp_path.iterdir()) == []


def test_beside_the_answers_stands_what_the_model_is_and_each_tells_its_stage(tmp_path):
    path = fill(opened(tmp_path), {"a": "text"})
    assert read_json(path.with_name("model.json")) == FACTS
    line = orjson.loads(path.read_bytes())
    assert {name: line[name] for name in ("key", "stage", "answer")} == {
        "key": key("a"),
        "stage": "test",
        "answer": answer("text"),
    }


@pytest.mark.parametrize("lost", [1, 2, 10, 40, 120])
def test_a_torn_last_line_is_missing_and_the_earlier_entries_are_found(tmp_path, lost):
    path = fill(opened(tmp_path), {"a": "whole", "b": "whole too", "c": "torn"})
    path.write_bytes(path.read_bytes()[:-lost])
    assert found(opened(tmp_path), "a", "b", "c") == {"a": "whole", "b": "whole too"}


def test_whatever_byte_flips_costs_the_answers_of_its_line_alone(tmp_path):
    path = fill(opened(tmp_path), {"a": "first", "b": "second", "c": "third"})
    content = path.read_bytes()
    begins = content.index(b"\n") + 1
    ends = content.index(b"\n", begins)
    for place in range(begins, ends):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        assert found(opened(tmp_path), "a", "b", "c") == {"a": "first", "c": "third"}, place


def test_a_damaged_answer_is_taken_from_the_next_segment_that_has_it(tmp_path):
    first, second = sorted(fill(opened(tmp_path), {"a": "text"}) for _ in range(2))
    first.write_bytes(first.read_bytes().replace(b"text", b"tent"))
    assert found(opened(tmp_path), "a") == {"a": "text"}
    second.unlink()
    assert found(opened(tmp_path), "a") == {}


def test_of_two_segments_with_a_key_the_first_by_name_wins(tmp_path):
    written = {fill(opened(tmp_path), {"a": text}): text for text in ("one", "two", "three", "four")}
    assert found(opened(tmp_path), "a") == {"a": written[min(written)]}


def test_within_a_segment_the_first_entry_wins(tmp_path):
    with opened(tmp_path).writer(stage="test") as writer:
        writer.add(key("a"), answer("first"))
        writer.add(key("a"), answer("second"))
    assert found(opened(tmp_path), "a") == {"a": "first"}


def test_a_segment_that_is_dropped_or_rewritten_after_it_was_indexed_is_missing_and_not_misread(tmp_path):
    path = fill(opened(tmp_path), {"a": "first", "b": "other"})
    store = opened(tmp_path)
    assert found(store, "a", "b") == {"a": "first", "b": "other"}
    path.write_bytes(b"".join(line for _, line in list(lines_of(path))[1:]))
    assert found(store, "a", "b") == {}
    path.unlink()
    assert found(store, "a", "b") == {}
    fill(store, {"a": "again"})
    assert found(store, "a", "b") == {"a": "again"}


def test_answers_are_on_disk_after_sixteen_or_after_two_seconds(tmp_path):
    with opened(tmp_path).writer(stage="test") as writer:
        for number in range(100):
            writer.add(key(number), answer("text"))
        assert len(found(opened(tmp_path), *range(100))) == 96
        time.sleep(2)
        writer.add(key("late"), answer("text"))
        assert len(found(opened(tmp_path), "late", *range(100))) == 101


def test_what_waits_is_written_even_when_the_work_fails(tmp_path):
    store = opened(tmp_path)
    with pytest.raises(KeyboardInterrupt), store.writer(stage="test") as writer:
        writer.add(key("a"), answer("paid for"))
        assert segments_in(store.folder) == []
        raise KeyboardInterrupt
    assert found(opened(tmp_path), "a") == {"a": "paid for"}


_WRITE = """
import resource, sys
from pathlib import Path
from ethos.files import sha256_of_text
from ethos.store import CompletionStore

folder, prefix, count, limit = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
with CompletionStore(folder / "model", {"name": "tiny", "content": "c"}).writer(stage="test") as writer:
    for number in range(count):
        writer.add(sha256_of_text(f"{prefix}{number}"), {"text": f"text {number}", "tokens": 1})
        print(number, flush=True)
"""


def writing(folder: Path, prefix: str, count: int, *, limit: int = 0) -> subprocess.Popen[str]:
    """A process that writes so many answers, and tells each; no file of it may grow beyond the limit, in bytes."""
    command = [sys.executable, "-c", _WRITE, folder, prefix, count, limit]
    return subprocess.Popen(map(str, command), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def test_two_processes_that_write_at_once_lose_nothing(tmp_path):
    writers = [writing(tmp_path, prefix, 200) for prefix in "ab"]
    for writer in writers:
        writer.communicate()
        assert writer.returncode == 0
    names = [f"{prefix}{number}" for prefix in "ab" for number in range(200)]
    assert found(opened(tmp_path), *names) == {name: f"text {name[1:]}" for name in names}


@pytest.mark.parametrize("seed", range(4))
def test_a_writer_killed_at_any_moment_loses_at_most_one_batch(tmp_path, seed):
    writer = writing(tmp_path, "a", 1_000_000)
    told = [writer.stdout.readline() for _ in range(random.Random(seed).randrange(20, 400))]
    writer.send_signal(signal.SIGKILL)
    told += writer.stdout.readlines()
    writer.wait()
    kept = found(opened(tmp_path), *(f"a{number}" for number in range(len(told) + 1)))
    assert len(told) - 16 <= len(kept) <= len(told) + 1
    assert kept == {f"a{number}": f"text {number}" for number in range(len(kept))}


def test_a_disk_that_is_full_leaves_no_half_line(tmp_path):
    writer = writing(tmp_path, "a", 100, limit=4000)
    writer.communicate()
    assert writer.returncode == 1
    (segment,) = segments_in(tmp_path / "model")
    lines = [line for _, line in lines_of(segment)]
    assert len(found(opened(tmp_path), *(f"a{number}" for number in range(100)))) == len(lines) == 16
