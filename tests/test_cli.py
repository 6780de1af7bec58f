"""The `ethos` command."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner

from ethos.cli import commands


def test_help_names_every_command() -> None:
    output = CliRunner().invoke(commands, ["--help"]).output
    assert all(
        name in output
        for name in (
            *("accept", "chat", "docs", "export", "export-data", "import"),
            *("lint", "new", "plan", "reproduce", "status", "store", "times", "verify"),
        )
    )


def test_docs_writes_both_files(tmp_path: Path) -> None:
    outcome = CliRunner().invoke(commands, ["docs", "--folder", str(tmp_path)])
    assert outcome.exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"config.md", "config.schema.json"}


def test_times_of_a_run_that_never_was_say_what_to_do(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = CliRunner().invoke(commands, ["times", "nothing"])
    assert outcome.exit_code == 1
    assert "run snakemake first" in str(outcome.exception)
