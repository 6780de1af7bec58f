"""What a user can mend is told in one line, with exit code 1 and no traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ethos.errors import BadInput, one_line_errors
from ethos.files import write_json
from ethos.tables import RESPONSES, table_from, write_table

ROOT = Path(__file__).resolve().parent.parent


def rank_responses(responses: Path, output: Path) -> subprocess.CompletedProcess:
    """Run the real script; with no usable response it needs no model."""
    identity = output.parent / "model.json"
    write_json(identity, {"name": "none", "content": "0", "dtype": "float32", "trust_remote_code": False})
    command = [sys.executable, ROOT / "scripts" / "rank_responses.py", "--settings", '{"method": "likelihood_ratio"}']
    command += ["--constitution", ROOT / "constitutions" / "candor.yaml", "--responses", responses, "--judge", identity]
    command += [
        "--rankings",
        output / "rankings.parquet",
        "--pairs",
        output / "pairs.parquet",
        "--agreement",
        output / "rankings.json",
    ]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=output.parent, env=os.environ | {"PYTHONPATH": str(ROOT)}
    )


def one_line(outcome: subprocess.CompletedProcess) -> str:
    assert outcome.returncode == 1, outcome.stderr
    assert outcome.stdout == ""
    assert len(outcome.stderr.splitlines()) == 1, outcome.stderr
    return outcome.stderr.strip()


def test_a_truncated_table_ends_a_script_in_one_line_that_names_it(tmp_path):
    responses = tmp_path / "responses.parquet"
    write_table(responses, table_from([], RESPONSES))
    responses.write_bytes(responses.read_bytes()[:-20])
    line = one_line(rank_responses(responses, tmp_path / "out"))
    assert line == f"error: {responses}: is not a readable Parquet file; delete it and run again"
    assert not (tmp_path / "out").exists()


def test_an_output_that_cannot_be_written_ends_a_script_in_one_line_that_names_it(tmp_path):
    responses, output = tmp_path / "responses.parquet", tmp_path / "out"
    write_table(responses, table_from([], RESPONSES))
    output.write_text("a file where a folder should be")
    line = one_line(rank_responses(responses, output))
    assert line.startswith(f"error: {output}: ")
    assert output.read_text() == "a file where a folder should be"


def ended(capsys, command) -> str:
    """What a command that must end with exit code 1 printed."""
    with pytest.raises(SystemExit) as end:
        one_line_errors(command)()
    assert end.value.code == 1
    return capsys.readouterr().err


def test_a_missing_file_is_told_in_one_line(tmp_path, capsys):
    assert ended(capsys, (tmp_path / "gone").read_text).startswith(
        f"error: {tmp_path / 'gone'}: No such file or directory; "
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_told_in_one_line(capsys):
    def write() -> None:
        with open("/dev/full", "w") as file:
            file.write("text")

    message = ended(capsys, write)
    assert message.startswith("error: No space left on device")
    assert message.count("\n") == 1


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        one_line_errors(lambda: 1 / 0)()


def test_a_message_of_several_lines_becomes_one():
    error = BadInput("is\n  broken;\nmend it", path="file.yaml", line=3, field="traits.0")
    assert str(error) == "file.yaml:3: traits.0: is broken; mend it"
