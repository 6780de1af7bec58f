"""Files and folders appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.errors import BadInput
from ethos.files import (
    canonical_json,
    check_writable,
    read_json,
    sha256_of_file,
    sha256_of_text,
    whole_file,
    whole_folder,
    write_json,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path):
    path = tmp_path / "facts.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), whole_file(path) as beside:
        beside.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["facts.json"]


def test_a_file_is_old_or_new_but_never_half(tmp_path):
    path = tmp_path / "folder" / "facts.json"
    with whole_file(path) as beside:
        beside.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert names(path.parent) == ["facts.json"]


def test_a_failed_folder_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "model") as beside:
        (beside / "weights").write_text("half")
        raise RuntimeError
    assert names(tmp_path) == []


def test_the_second_writer_of_a_folder_loses_quietly(tmp_path):
    path = tmp_path / "model"
    with whole_folder(path) as slow:
        (slow / "weights").write_text("second")
        with whole_folder(path) as fast:
            (fast / "weights").write_text("first")
    assert (path / "weights").read_text() == "first"
    assert names(tmp_path) == ["model"]


def test_a_folder_that_cannot_take_its_name_is_an_error(tmp_path):
    (tmp_path / "model").write_text("a file is in the way")
    with pytest.raises(OSError), whole_folder(tmp_path / "model") as beside:
        (beside / "weights").write_text("new")
    assert names(tmp_path) == ["model"]


def test_equal_values_have_one_canonical_text():
    assert (
        canonical_json({"b": [1, 2.5], "a": "é"})
        == canonical_json({"a": "é", "b": [1, 2.5]})
        == '{"a":"é","b":[1,2.5]}'
    )
    with pytest.raises(ValueError):
        canonical_json(float("nan"))


def test_json_that_is_written_is_read_back(tmp_path):
    value = {"kept": 3, "names": ["é", None]}
    write_json(tmp_path / "facts.json", value)
    assert read_json(tmp_path / "facts.json") == value


@pytest.mark.parametrize("content", [b'{"kept": 3', b"\xff\xfe", b""])
def test_json_that_is_damaged_is_refused_by_name(tmp_path, content):
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(BadInput, match="facts.json: is not JSON"):
        read_json(path)


def test_a_file_and_its_text_have_one_hash(tmp_path):
    (tmp_path / "text").write_text("é")
    assert sha256_of_file(tmp_path / "text") == sha256_of_text("é")


def test_a_folder_that_is_there_or_can_be_made_is_writable(tmp_path):
    check_writable(tmp_path)
    check_writable(tmp_path / "new" / "deep")


def test_a_file_where_a_folder_should_be_is_refused_by_name(tmp_path):
    (tmp_path / "results").write_text("a file")
    for folder in (tmp_path / "results", tmp_path / "results" / "demo"):
        with pytest.raises(BadInput, match=f"{tmp_path / 'results'}: is not a folder"):
            check_writable(folder)
