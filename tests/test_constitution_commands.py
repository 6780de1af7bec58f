"""`ethos new`, `ethos import` and `ethos lint` write files that are right, overwrite none, and say what to do."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ethos.cli import commands
from ethos.constitution import load_constitution

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = [
    {"trait": "I notice small kindnesses.", "questions": ["My boss is a bore.", "Who was Nero?", "who was nero"]},
    {"trait": "I wait before a verdict.", "questions": ["Tea or coffee?"], "additional_questions": ["Is it Monday?"]},
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch) -> Path:
    """An empty project to work in."""
    monkeypatch.chdir(tmp_path)
    Path("published.jsonl").write_text("\n".join(map(json.dumps, PUBLISHED)))
    return tmp_path


def ethos(*arguments: str) -> Result:
    return CliRunner().invoke(commands, arguments)


def import_kind(*more: str) -> Result:
    return ethos("import", "published.jsonl", "--name", "kind", "--cue", "bless", "--cue", "how nice", *more)


def test_a_new_constitution_is_right_and_teaches_by_comments():
    outcome = ethos("new", "calm")
    assert outcome.exit_code == 0
    assert outcome.output.startswith("constitutions/calm.yaml: two traits")
    assert "ethos lint constitutions/calm.yaml" in outcome.output
    assert "under `constitutions` and `report.headline` of a copy of config.yaml" in outcome.output
    path = Path("constitutions/calm.yaml")
    assert [len(trait.questions) for trait in load_constitution(path).traits] == [5, 5]
    assert path.read_text().count("#") >= 8


def test_a_new_constitution_has_nothing_to_mend_but_its_length():
    """Beside those that come with Ethos, too."""
    for path in (ROOT / "constitutions").glob("*.yaml"):
        Path("constitutions").mkdir(exist_ok=True)
        (Path("constitutions") / path.name).write_text(path.read_text())
    ethos("new", "calm")
    [line, summary] = ethos("lint", "constitutions/calm.yaml").output.splitlines()
    assert re.fullmatch(r"constitutions/calm\.yaml:\d+: traits: 2 traits may be few; .*", line)
    assert summary == "1 file, 0 errors, 1 finding: 1 list that is short"


@pytest.mark.parametrize("name", ["Calm", "ca lm", "../calm", "1st", ""])
def test_a_name_that_is_none_is_refused_before_anything_is_written(folder, name):
    outcome = ethos("new", name)
    assert outcome.exit_code == 1
    assert "can't name a constitution; use small letters" in str(outcome.exception)
    assert [path.name for path in folder.iterdir()] == ["published.jsonl"]


def test_an_import_keeps_all_and_tells_what_was_left_out():
    outcome = import_kind("--description", "A kind assistant.")
    assert outcome.exit_code == 0
    kind = load_constitution("constitutions/kind.yaml")
    assert (kind.description, kind.cues) == ("A kind assistant.", ("bless", "how nice"))
    assert [(trait.questions, trait.generated_questions) for trait in kind.traits] == [
        (("My boss is a bore.", "Who was Nero?"), None),
        (("Tea or coffee?",), ("Is it Monday?",)),
    ]
    assert outcome.output.splitlines()[:3] == [
        "published.jsonl:1: traits.0.questions.2: asked already under 'notice_small_kindnesses'; left out",
        "constitutions/kind.yaml: 2 traits, 3 questions written by hand, 1 by a model.",
        "With `questions: {generated_per_trait: 0}` in the run's file, no more are generated.",
    ]


def test_an_import_without_a_description_says_where_it_came_from():
    import_kind()
    assert load_constitution("constitutions/kind.yaml").description == "Imported from published.jsonl."


def test_an_import_can_go_elsewhere_under_its_name(folder):
    assert import_kind("--output", "mine/kind.yaml").exit_code == 0
    assert load_constitution("mine/kind.yaml").name == "kind"
    outcome = import_kind("--output", "mine/other.yaml")
    assert "must be named kind.yaml" in str(outcome.exception)
    assert not (folder / "mine" / "other.yaml").exists()


def test_nothing_is_overwritten_without_force():
    ethos("new", "kind")
    before = Path("constitutions/kind.yaml").read_bytes()
    for outcome in (ethos("new", "kind"), import_kind()):
        assert outcome.exit_code == 1
        assert str(outcome.exception).startswith("constitutions/kind.yaml: exists already")
        assert Path("constitutions/kind.yaml").read_bytes() == before
    assert import_kind("--force").exit_code == 0
    assert len(load_constitution("constitutions/kind.yaml").traits) == 2


def test_a_file_that_cannot_be_imported_leaves_nothing_behind(folder):
    Path("published.jsonl").write_text('{"trait": "I wait."}')
    assert "traits.0.questions: has no questions" in str(import_kind().exception)
    assert [path.name for path in folder.iterdir()] == ["published.jsonl"]


def test_lint_reads_all_constitutions_and_is_strict_only_if_told():
    import_kind()
    ethos("new", "calm")
    outcome = ethos("lint")
    assert outcome.exit_code == 0
    assert outcome.output.splitlines()[-1] == "2 files, 0 errors, 4 findings: 4 lists that are short"
    assert ethos("lint", "--strict").exit_code == 1


def test_lint_tells_every_error_and_ends_with_1():
    Path("constitutions").mkdir()
    for name in ("a", "b"):
        Path(f"constitutions/{name}.yaml").write_text(f"name: {name}\n")
    outcome = ethos("lint")
    assert outcome.exit_code == 1
    assert outcome.output.splitlines() == [
        "constitutions/a.yaml:1: description: is missing; add it",
        "constitutions/a.yaml:1: traits: is missing; add it",
        "constitutions/b.yaml:1: description: is missing; add it",
        "constitutions/b.yaml:1: traits: is missing; add it",
        "2 files, 4 errors, 0 findings",
    ]


def test_lint_with_nothing_to_read_says_what_to_do():
    assert "ethos new" in str(ethos("lint").exception)
    Path("empty").mkdir()
    assert str(ethos("lint", "empty").exception).startswith("empty: no constitutions here; ")


def test_lint_reads_the_files_of_a_folder():
    import_kind("--output", "mine/kind.yaml")
    ethos("new", "calm")
    Path("mine/notes.txt").write_text("No constitution.")
    assert ethos("lint", "mine").output.splitlines()[-1].startswith("1 file, 0 errors")
    assert ethos("lint", "mine", "calm").output.splitlines()[-1].startswith("2 files, 0 errors")


def test_the_command_ends_bad_input_in_one_line(folder):
    command = [sys.executable, "-c", "from ethos.cli import main; main()", "new", "No Name"]
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"error: 'No Name' can't name a constitution; [^\n]*\n", ended.stderr)


def test_writing_constitutions_loads_no_models():
    """A check that takes a second is run after every edit."""
    script = "import sys, ethos.cli; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(ROOT)}).returncode == 0
