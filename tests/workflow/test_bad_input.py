"""Bad input ends in one line that names the place and what to do, with exit code 1, and loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Checkout

pytestmark = pytest.mark.slow


def error_line(checkout: Checkout, *arguments: str) -> str:
    """The one `error:` line of a failing run; a traceback is a failure of the test."""
    outcome = checkout.snakemake(*arguments)
    assert outcome.returncode == 1, outcome.stderr
    assert "Traceback" not in outcome.stderr
    lines = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, outcome.stderr
    return lines[0]


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        (
            "constitutions/poeticism.yaml",
            "description:",
            "description: [",
            ("constitutions/poeticism.yaml:", "broken YAML"),
        ),
        (
            "constitutions/poeticism.yaml",
            "id: draws_on_nature",
            "id: speaks_in_metaphors",
            ("poeticism.yaml:", "traits.1.id", "rename"),
        ),
        ("constitutions/poeticism.yaml", "clarification:", "clarificaton:", ("did you mean 'clarification'",)),
        (
            "config/test.yaml",
            "per_question:",
            "per_qestion:",
            ("config/test.yaml:", "responses.per_qestion", "did you mean 'per_question'"),
        ),
        (
            "config/test.yaml",
            "path:build/tiny",
            "path:build/tinny",
            ("build/tinny: models.tiny.source: no such folder",),
        ),
        ("config/test.yaml", "judge: tiny", "judge: tinny", ("config/test.yaml", "'tinny'", "tiny")),
        (
            "config/test.yaml",
            "constitutions: [poeticism]",
            "constitutions: [poetism]",
            ("constitutions/poetism.yaml", "does not exist"),
        ),
        (
            "config/test.yaml",
            "constitutions: [sarcasm]",
            "constitutions: [sarkasm]",
            ("constitutions/sarkasm.yaml", "does not exist"),
        ),
        (
            "config/test.yaml",
            "    constitutions: [sarcasm]",
            "    arms: [personna]",
            ("config/test.yaml", "evaluation.drift.arms.0", "'personna'", "persona"),
        ),
    ],
)
def test_a_mistake_in_a_file_is_named_before_anything_runs(
    checkout: Checkout, path: str, old: str, new: str, expected: tuple[str, ...]
) -> None:
    text = (checkout.folder / path).read_text()
    (checkout.folder / path).write_text(text.replace(old, new, 1))
    line = error_line(checkout, "-n")
    assert all(part in line for part in expected), line
    assert not (checkout.folder / "results").exists()


def test_a_wrong_hash_is_refused_and_leaves_no_model(checkout: Checkout) -> None:
    checkout.edit("config/test.yaml", "dtype: float32", f"dtype: float32\n    sha256: {'f' * 64}")
    line = error_line(checkout, "results/test/questions/poeticism.parquet")
    assert "SHA-256" in line and "f" * 64 in line
    assert not list((checkout.folder / "store").rglob("*.safetensors"))


def test_a_model_without_chat_template_is_refused(checkout: Checkout) -> None:
    (checkout.folder / "build/tiny/chat_template.jinja").unlink()
    assert "no chat template" in error_line(checkout, "results/test/questions/poeticism.parquet")


def test_a_truncated_table_is_named(finished: Checkout, tmp_path: Path) -> None:
    copy = finished.copy(tmp_path / "copy")
    table = copy.folder / "results/test/tiny/poeticism/responses.parquet"
    table.write_bytes(table.read_bytes()[:200])
    line = error_line(copy, "results/test/tiny/poeticism/rankings.parquet")
    assert "responses.parquet" in line and "not a readable Parquet file" in line


def test_an_unwritable_results_folder_is_named(checkout: Checkout) -> None:
    (checkout.folder / "results").write_text("a file where a folder should be")
    assert error_line(checkout, "-n").startswith("error: results: ")
