"""Messages from elsewhere are read from any common file, cleaned, and drawn so that more of them move little."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from ethos.errors import BadInput
from ethos.extra_prompts import draw_prompts, read_prompts
from ethos.ledger import read_ledger, write_ledger
from ethos.near_duplicates import NearDuplicates
from ethos.stage_settings import PromptSource, Questions
from ethos.tables import PROMPTS, table_from, write_table
from scripts.prepare_prompts import clean_prompts, first_user_turn, prepare_prompts

ROOT = Path(__file__).resolve().parent.parent
TEXTS = ["How do I boil an egg?", "Two lines,\none message.", "Wie spät ist es?"]


def as_json(rows: list[dict], path: Path) -> None:
    path.write_text(json.dumps(rows))


def as_json_lines(rows: list[dict], path: Path) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def as_csv(rows: list[dict], path: Path) -> None:
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def as_parquet(rows: list[dict], path: Path) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


WRITERS = {".json": as_json, ".jsonl": as_json_lines, ".csv": as_csv, ".parquet": as_parquet}


def prepared(path: Path, **source: str) -> tuple[list[str], dict[str, int]]:
    rows, counts = prepare_prompts(PromptSource(source=f"path:{path}", **source))
    return [row["text"] for row in rows], counts


def refusal(path: Path, **source: str) -> str:
    with pytest.raises(BadInput) as refused:
        prepared(path, **source)
    return str(refused.value)


@pytest.mark.parametrize(("suffix", "write"), WRITERS.items())
def test_a_column_of_texts_is_read_from_every_kind_of_file(tmp_path: Path, suffix: str, write: Callable) -> None:
    path = tmp_path / f"my prompts [1]{suffix}"
    write([{"id": number, "prompt": text} for number, text in enumerate(TEXTS)], path)
    assert prepared(path, column="prompt") == (TEXTS, {"kept": 3, "empty": 0, "duplicate": 0})


@pytest.mark.parametrize("suffix", [".json", ".jsonl", ".parquet"])
@pytest.mark.parametrize(
    "conversations",
    [
        [[text, "An answer."] for text in TEXTS],
        [[{"role": "system", "content": "Be kind."}, {"role": "user", "content": text}] for text in TEXTS],
        [[{"from": "human", "value": text}, {"from": "gpt", "value": "An answer."}] for text in TEXTS],
    ],
    ids=["texts", "role and content", "from and value"],
)
def test_the_first_user_turn_of_a_conversation_is_taken(
    tmp_path: Path, suffix: str, conversations: list[list[Any]]
) -> None:
    path = tmp_path / f"conversations{suffix}"
    WRITERS[suffix]([{"turns": turns} for turns in conversations], path)
    assert prepared(path, column="turns")[0] == TEXTS


def test_a_text_file_holds_a_message_a_line(tmp_path: Path) -> None:
    path = tmp_path / "messages.txt"
    path.write_text("How are you?\n\n  Good morning!  \r\nhow are you\n\t\nWie spät ist es?")
    assert prepared(path) == (
        ["How are you?", "Good morning!", "Wie spät ist es?"],
        {"kept": 3, "empty": 2, "duplicate": 1},
    )


def test_a_part_of_a_split_can_be_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "messages.txt"
    path.write_text("One?\nTwo?\nThree?\n")
    assert prepared(path, split="train[:2]")[0] == ["One?", "Two?"]


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("  Hello. ", "Hello."),
        (None, ""),
        ([], ""),
        (["Hello.", "Hi."], "Hello."),
        ([{"role": "assistant", "content": "Hi."}], ""),
        ([{"role": "assistant", "content": "Hi."}, {"role": "user", "content": "Hello."}], "Hello."),
        ([{"role": "user", "content": None}], ""),
        # Parquet fills in what only other turns have.
        ([{"role": None, "content": None, "from": "human", "value": "Hello."}], "Hello."),
    ],
)
def test_a_cell_is_a_text_or_a_list_of_turns(cell: Any, text: str) -> None:
    assert first_user_turn(cell) == text


@pytest.mark.parametrize("cell", [3, 1.5, {"role": "user"}, [3], [{"speaker": "user", "said": "Hello."}], [["Hello."]]])
def test_a_cell_of_another_kind_is_refused(cell: Any) -> None:
    with pytest.raises(TypeError, match="neither a text nor"):
        first_user_turn(cell)


def test_every_cell_is_counted_once() -> None:
    texts, counts = clean_prompts(["Hello!", None, "hello", "  ", "?!", ["Bye."], "BYE"])
    assert texts == ["Hello!", "Bye."]
    assert counts == {"kept": 2, "empty": 3, "duplicate": 2}


def test_what_cannot_be_used_is_told_in_one_line_that_names_the_source(tmp_path: Path) -> None:
    path = tmp_path / "messages.jsonl"
    as_json_lines([{"prompt": 3, "nothing": ""}], path)
    assert refusal(path, column="text") == f"path:{path}: has no column 'text'; it has prompt, nothing"
    assert refusal(path, column="prompt") == f"path:{path}: column 'prompt' holds 3, neither a text nor a list of turns"
    assert refusal(path, column="nothing") == f"path:{path}: holds no message in column 'nothing'"
    assert refusal(path, column="prompt", split="test").startswith(f'path:{path}: Unknown split "test".')
    path.write_text('{"prompt": "torn')
    assert refusal(path, column="prompt").startswith(f"path:{path}: JSON parse error")
    path.write_bytes(b"\xff\xfe\x00prompt")
    assert refusal(path, column="prompt").startswith(f"path:{path}: ")
    damaged = tmp_path / "messages.parquet"
    damaged.write_text("no table")
    assert "Parquet" in refusal(damaged, column="prompt")


def test_a_data_set_that_cannot_be_had_ends_the_script_in_one_line(tmp_path: Path) -> None:
    source = PromptSource(source="hub:nobody/nothing@main", column="conversations")
    command = [sys.executable, ROOT / "scripts" / "prepare_prompts.py", "--settings", source.model_dump_json()]
    command += ["--prompts", tmp_path / "prompts.parquet", "--counts", tmp_path / "prompts.json"]
    offline = os.environ | {"PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
    outcome = subprocess.run(command, capture_output=True, text=True, env=offline)
    assert outcome.returncode == 1
    (line,) = outcome.stderr.splitlines()
    assert line.startswith("error: hub:nobody/nothing@main: ") and "HF_TOKEN" in line
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "source",
    ["lima", "hub:GAIR/lima", "hub:@main", "path:", "path:prompts", "path:prompts.xlsx", "https://example.org/a.txt"],
)
def test_a_source_of_another_form_is_refused(source: str) -> None:
    with pytest.raises(ValidationError, match="is not hub:ID@REVISION or path:FILE"):
        Questions(extra=[{"source": source, "count": 1}])


@pytest.mark.parametrize("source", ["hub:GAIR/lima@main", "hub:a/b@refs/convert/parquet", "path:my prompts/a.jsonl"])
def test_a_source_of_a_known_form_is_taken(source: str) -> None:
    (extra,) = Questions(extra=[{"source": source, "count": 1}]).extra
    assert (extra.file is None) == source.startswith("hub:")


MANY = [f"{verb} {thing}?" for verb in ("Who invented", "Can I repair", "Why buy") for thing in (
    "the zip", "a leaking kettle", "windows", "my grandfather's violin", "umbrellas", "the wheel", "old maps",
)]  # fmt: skip


def drawn(texts: list[str], count: int, seed: int = 0, asked: list[str] = ()) -> list[str]:
    near = NearDuplicates(0.7)
    for text in asked:
        near.add(text)
    return draw_prompts(texts, count, near, seed)[0]


def test_what_is_drawn_does_not_hang_on_the_order_and_another_seed_draws_others() -> None:
    assert drawn(MANY, 6) == drawn(MANY[::-1], 6) != drawn(MANY, 6, seed=1)
    assert drawn(MANY, 6) == drawn(MANY, 12)[:6]


def test_a_message_that_comes_takes_at_most_one_place() -> None:
    for number, text in enumerate(MANY):
        fewer = drawn(MANY[:number] + MANY[number + 1 :], 6)
        assert len(set(fewer) - set(drawn(MANY, 6))) == (text in drawn(MANY, 6))


def test_what_is_asked_already_or_nearly_is_passed_over_and_counted() -> None:
    near = NearDuplicates(0.7)
    near.add("Who invented the zip?")
    texts = [*MANY[:3], "so who invented the zip", "Where is my hat?"]
    found, counts = draw_prompts(texts, 4, near, seed=0)
    assert sorted(found) == sorted([*MANY[1:3], "Where is my hat?"])
    assert counts == {"near_duplicate": 2, "missing": 1}
    assert draw_prompts(texts, 1, near, seed=0) == ([], {"near_duplicate": 5, "missing": 1})


def test_what_a_job_reads_of_the_store_stands_in_its_ledger(tmp_path: Path) -> None:
    path = tmp_path / "prompts" / "mine-1" / "prompts.parquet"
    write_table(path, table_from([{"text": text} for text in TEXTS], PROMPTS))
    assert read_prompts(path) == TEXTS
    write_ledger(tmp_path / "used.txt")
    assert "prompts mine-1" in read_ledger(tmp_path / "used.txt")
