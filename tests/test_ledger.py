"""A ledger names entries of the store, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.errors import BadInput
from ethos.ledger import (
    completion_line,
    model_line,
    note_used,
    prompts_line,
    read_ledger,
    tasks_line,
    training_line,
    write_ledger,
)


def test_what_is_noted_is_read_again_in_one_order(tmp_path: Path):
    entries = [completion_line("0" * 16, "a" * 64), training_line("b" * 64), model_line(Path("store/models/my model"))]
    entries.append(prompts_line(Path("store/prompts/my prompts")))
    entries.append(tasks_line(Path("store/tasks/0123456789ab")))
    note_used(reversed(entries))
    note_used(entries)
    write_ledger(tmp_path / "used.txt")
    assert set(entries) <= read_ledger(tmp_path / "used.txt")
    lines = (tmp_path / "used.txt").read_text().splitlines()
    assert lines == sorted(set(lines))


@pytest.mark.parametrize("line", ["", "completion", "completion 0 1", f"training {'g' * 64}", "model a/b", "all"])
def test_a_ledger_with_a_line_that_names_nothing_is_refused(tmp_path: Path, line: str):
    path = tmp_path / "used.txt"
    path.write_text(f"model tiny-1\n{line}\n")
    with pytest.raises(BadInput, match=r"used.txt:2: is no entry of the store"):
        read_ledger(path)
