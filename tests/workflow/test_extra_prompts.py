"""Messages from elsewhere reach the questions, and a changed file reruns what depends on it."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import Checkout

pytestmark = pytest.mark.slow
TARGET = "results/test/questions/poeticism.parquet"
MESSAGES = ["Who invented the zip?", "Can I swim after lunch?", "My bicycle squeaks.", "Why do cats purr at night?"]


def with_messages(checkout: Checkout, messages: list[str], count: int = 3) -> Path:
    """Name a file of messages in the config, and write it."""
    source = f"{{source: path:messages.jsonl, column: turns, count: {count}}}"
    checkout.edit("config/test.yaml", "questions:\n", f"questions:\n  extra: [{source}]\n")
    file = checkout.folder / "messages.jsonl"
    write(file, messages)
    return file


def write(file: Path, messages: list[str]) -> None:
    turns = [
        {"turns": [{"role": "user", "content": text}, {"role": "assistant", "content": "Yes."}]} for text in messages
    ]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in turns))


def extra_messages(checkout: Checkout) -> set[str]:
    rows = pq.read_table(checkout.folder / TARGET).to_pylist()
    return {row["text"] for row in rows if row["source"] == "extra"}


def questions(checkout: Checkout, *arguments: str) -> str:
    outcome = checkout.snakemake(TARGET, *arguments)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    return outcome.stdout + outcome.stderr


def test_messages_of_a_file_are_asked_and_a_changed_file_is_read_again(checkout: Checkout) -> None:
    file = with_messages(checkout, MESSAGES)
    questions(checkout)
    first = extra_messages(checkout)
    assert len(first) == 3 and first < set(MESSAGES)
    counts = json.loads((checkout.folder / TARGET).with_suffix(".json").read_text())
    assert counts["source"]["extra"] == 3 and counts["source"]["generated"] == 10
    assert counts["extra_not_used"] == [{}]
    (prepared,) = (checkout.folder / "store" / "prompts").iterdir()
    used = (checkout.folder / "results/test/questions/poeticism/used/generate_questions.txt").read_text()
    assert f"prompts {prepared.name}\n" in used

    file.touch()
    assert "Nothing to be done" in questions(checkout, "-n")

    write(file, [*MESSAGES[1:], "Where is my hat?", "where is my HAT"])
    plan = questions(checkout, "-n")
    assert "rule prepare_prompts:" in plan and "Set of input files has changed" in plan
    assert "loading tiny" not in questions(checkout)  # the lists are in the store
    assert extra_messages(checkout) < {*MESSAGES[1:], "Where is my hat?"}


def test_fewer_messages_than_asked_for_are_told(checkout: Checkout) -> None:
    with_messages(checkout, MESSAGES, count=9)
    assert "missing: 5 of questions.extra.0" in questions(checkout)
    assert extra_messages(checkout) == set(MESSAGES)


def test_a_file_that_is_not_there_is_named_before_anything_runs(checkout: Checkout) -> None:
    with_messages(checkout, MESSAGES).unlink()
    outcome = checkout.snakemake("-n")
    assert outcome.returncode == 1
    assert "error: messages.jsonl: questions.extra.0.source: no such file; correct the config" in outcome.stderr
    assert "Traceback" not in outcome.stderr
