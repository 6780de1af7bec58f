"""What a run was made by is told as it is, and what is new is no less an edit."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ethos.provenance import changes, commit, source_files


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A commit of a project."""
    for name in ("Snakefile", "ethos/store.py", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("as it was\n")
    (tmp_path / ".gitignore").write_text("site.sh\n")
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    for arguments in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message", "As it was"]):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def test_an_untouched_project_is_clean_whatever_else_lies_beside_it(repository: Path) -> None:
    (repository / "notes.txt").write_text("other notes")
    (repository / "results").mkdir()
    (repository / "results/made.json").write_text("{}")
    assert commit(repository)["dirty"] is False and changes(repository) == b""
    assert source_files(repository) == ["Snakefile", "ethos/store.py"]


@pytest.mark.parametrize(
    ("edited", "content", "told"),
    [("ethos/store.py", "edited", b"+edited"), ("ethos/new.py", "new", b""), ("Snakefile", None, b"-as it was")],
    ids=["edited", "new", "deleted"],
)
def test_what_is_edited_new_or_gone_makes_a_project_dirty(
    repository: Path, edited: str, content: str | None, told: bytes
) -> None:
    if content is None:
        (repository / edited).unlink()
    else:
        (repository / edited).write_text(content)
    assert commit(repository)["dirty"] is True
    assert told in changes(repository)
    assert (edited in source_files(repository)) == (content is not None)


def test_without_a_repository_nothing_is_claimed(tmp_path: Path) -> None:
    assert commit(tmp_path) == {"commit": None, "dirty": None} and changes(tmp_path) == b""


def test_a_profile_is_a_source_and_what_a_site_adds_is_not(repository: Path) -> None:
    (repository / "slurm").mkdir()
    for name in ("config.yaml", "site.sh", "site.example.sh"):
        (repository / "slurm" / name).write_text("")
    with_git = source_files(repository)
    (repository / ".git").rename(repository / ".elsewhere")
    assert "slurm/config.yaml" in with_git and "slurm/site.sh" not in with_git
    assert source_files(repository) == with_git
