"""Tables are read with the schema they were written with, or refused by name."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ethos import tables
from ethos.errors import BadInput
from ethos.tables import CONVERSATIONS, MATCHES, RANKINGS, read_table, table_from, write_table

ROWS = [
    {"question_id": f"q{number}", "author": "in_character", "sample": number, "score": number / 3, "rank": 1}
    for number in range(100)
]


def test_what_is_written_is_read_back(tmp_path):
    write_table(tmp_path / "rankings.parquet", table_from(ROWS, RANKINGS))
    assert read_table(tmp_path / "rankings.parquet", RANKINGS).to_pylist() == ROWS


def test_messages_keep_their_order_and_text(tmp_path):
    messages = [{"role": "user", "content": 'Hi\n"there" \U0001f600'}, {"role": "assistant", "content": ""}]
    rows = [{"conversation_id": "c", "kind": "reflection", "messages": messages, "filtered": None}]
    write_table(tmp_path / "c.parquet", table_from(rows, CONVERSATIONS))
    assert read_table(tmp_path / "c.parquet", CONVERSATIONS).to_pylist() == rows


def test_equal_tables_have_equal_bytes(tmp_path):
    for name in ("first", "second"):
        write_table(tmp_path / name, table_from([dict(row) for row in ROWS], RANKINGS))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("schema", [name for name, value in vars(tables).items() if isinstance(value, pa.Schema)])
def test_every_table_can_be_empty(tmp_path, schema):
    """A filter may leave no row."""
    write_table(tmp_path / "empty.parquet", table_from([], getattr(tables, schema)))
    assert read_table(tmp_path / "empty.parquet", getattr(tables, schema)).num_rows == 0


def test_a_match_may_show_neither_trait_and_that_is_read_back(tmp_path):
    match = {
        "condition": "like",
        "arm": "base",
        "first": "blunt",
        "second": "stern",
        "question": "Why?",
        "response": "",
    }
    rows = [
        match | {"verdict": "decided", "shown": "blunt", "margin": 0.5},
        match | {"verdict": "neither", "shown": None, "margin": None},
    ]
    write_table(tmp_path / "matches.parquet", table_from(rows, MATCHES))
    assert read_table(tmp_path / "matches.parquet", MATCHES).to_pylist() == rows


@pytest.mark.parametrize("kept", [0, 3, 200, -1])
def test_a_truncated_file_is_refused_in_one_line(tmp_path, kept):
    path = tmp_path / "rankings.parquet"
    write_table(path, table_from(ROWS, RANKINGS))
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadInput) as refused:
        read_table(path, RANKINGS)
    assert str(refused.value) == f"{path}: is not a readable Parquet file; delete it and run again"


def test_a_table_that_lacks_a_column_is_refused_with_the_column(tmp_path):
    path = tmp_path / "rankings.parquet"
    pq.write_table(table_from(ROWS, RANKINGS).drop_columns(["rank"]), path)
    with pytest.raises(BadInput, match=r"rankings.parquet: has other columns than expected \(missing: rank\)"):
        read_table(path, RANKINGS)


def test_a_column_of_another_type_is_refused_in_one_line(tmp_path):
    path = tmp_path / "rankings.parquet"
    pq.write_table(pa.Table.from_pylist([row | {"sample": "first"} for row in ROWS]), path)
    with pytest.raises(BadInput) as refused:
        read_table(path, RANKINGS)
    assert str(refused.value).startswith(f"{path}: has other columns than expected")


@pytest.mark.parametrize("column", RANKINGS.names)
def test_a_null_where_none_may_be_is_not_written(tmp_path, column):
    with pytest.raises(pa.ArrowInvalid):
        write_table(tmp_path / "rankings.parquet", table_from([ROWS[0] | {column: None}], RANKINGS))
    assert not list(tmp_path.iterdir())
