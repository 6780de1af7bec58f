"""A fingerprint changes with what code does, not with how it is written down."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ethos import fingerprint

FILES = {
    "scripts/judge.py": '''"""Judge."""
from ethos.middle import double
from ethos.prompts import prompt_lines, render_prompt

def judge(x):
    """Judge x."""
    # A comment.
    return double(x) + len(render_prompt("verdict", x=x)) + len(prompt_lines("greetings"))
''',
    "scripts/other.py": "import ethos.far\n",
    "scripts/reader.py": "from ethos.prompts import prompt_data\n\nprompt_data('items', dict)\n",
    "prompts/items.yaml": "items: []",
    "ethos/middle.py": """import ethos.far
from ethos.prompts import render_prompt
from ethos.settings import LIMIT

def double(x):
    return 2 * x + len(render_prompt("inner"))
""",
    "ethos/settings.py": "LIMIT = 1\n",
    "ethos/far.py": "if TYPE_CHECKING:\n    from ethos.unused_but_for_types import LIMIT\n\ndef triple(x):\n    return 3 * x\n",
    "ethos/prompts.py": "def render_prompt(name, **values): ...\ndef prompt_lines(name): ...\ndef prompt_data(name, model): ...\n",
    "ethos/unused.py": "LIMIT = 1\n",
    "ethos/unused_but_for_types.py": "LIMIT = 1\n",
    "prompts/verdict.jinja": "Which is better?",
    "prompts/inner.jinja": "Say more.",
    "prompts/greetings.txt": "Hello.",
    "prompts/unused.jinja": "Nobody asks for this.",
}


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A small project, and a way to ask for a fingerprint after a change, as a new process would."""
    monkeypatch.setattr(fingerprint, "_ROOT", tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    yield tmp_path
    forget()


def forget() -> None:
    for function in (
        fingerprint._parsed,
        fingerprint._reach,
        fingerprint._accepted,
        fingerprint.code_version,
        fingerprint.prompt_fingerprints,
    ):
        function.cache_clear()


def code(project: Path, script: str = "judge") -> fingerprint.Version:
    forget()
    return fingerprint.code_version(project / "scripts" / f"{script}.py")


def prompts(project: Path, script: str = "judge") -> dict[str, str]:
    forget()
    return fingerprint.prompt_fingerprints(project / "scripts" / f"{script}.py")


def edit(project: Path, name: str, old: str, new: str) -> None:
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param("scripts/judge.py", "# A comment.", "# Another comment.", id="comment"),
        pytest.param("scripts/judge.py", '"""Judge x."""', '"""Tell how good x is."""', id="docstring of a function"),
        pytest.param("scripts/judge.py", '    """Judge x."""\n', "", id="no docstring"),
        pytest.param("scripts/judge.py", '"""Judge."""', '"""Judge, at last."""', id="docstring of the module"),
        pytest.param("scripts/judge.py", "double(x) + len", "(double( x )\n      + len", id="layout"),
        pytest.param("ethos/far.py", "return 3 * x", "return 3 * x  # thrice", id="comment in a module"),
        pytest.param("ethos/unused.py", "LIMIT = 1", "LIMIT = 2", id="a module that is not imported"),
        pytest.param("ethos/unused_but_for_types.py", "LIMIT = 1", "LIMIT = 2", id="a module imported for its types"),
        pytest.param("ethos/settings.py", "LIMIT = 1", "LIMIT = 2", id="settings, which reach a job as values"),
    ],
)
def test_what_changes_no_behaviour_changes_no_fingerprint(project, name, old, new):
    before = code(project)
    edit(project, name, old, new)
    if "(double(" in new:
        edit(project, name, '"greetings"))', '"greetings")))')
    assert code(project) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        pytest.param("scripts/judge.py", "double(x) +", "double(x) -", id="the script"),
        pytest.param("ethos/middle.py", "2 * x", "4 * x", id="a module"),
        pytest.param("ethos/far.py", "3 * x", "5 * x", id="a module of a module"),
        pytest.param("ethos/far.py", "3 * x", "3.0 * x", id="the type of a number"),
        pytest.param("ethos/far.py", "return 3 * x", "return", id="nothing returned"),
        pytest.param("ethos/far.py", "(x)", "(x=None)", id="a default of None"),
        pytest.param("ethos/far.py", "(x)", "(x, *rest)", id="a signature"),
    ],
)
def test_changed_behaviour_changes_the_fingerprint(project, name, old, new):
    before = code(project)
    edit(project, name, old, new)
    assert code(project) != before


def test_a_version_says_which_file_changed(project):
    before = code(project)
    edit(project, "ethos/far.py", "3 * x", "5 * x")
    after = code(project)
    assert [name for name in after if after[name] != before[name]] == ["ethos/far.py"]


def test_an_accepted_version_stands_for_the_earlier_one_until_any_of_its_files_changes(project):
    earlier = code(project)
    edit(project, "ethos/far.py", "def triple(x):", "import ethos.new\n\ndef triple(x):")
    (project / "ethos/new.py").write_text("LIMIT = 1\n")
    version = code(project)
    was = {"ethos/far.py": earlier["ethos/far.py"], "ethos/new.py": None}
    entry = {"version": fingerprint.version_id(version), "was": was}
    (project / "ethos/accepted.json").write_text(json.dumps({"scripts/judge.py": entry}))
    assert code(project) == earlier
    assert code(project, "other") != earlier
    edit(project, "scripts/judge.py", "double(x) +", "double(x) -")
    assert code(project)["ethos/far.py"] == version["ethos/far.py"]


def test_behaviour_is_that_of_the_modules_named_alone(project):
    forget()
    before = fingerprint.behaviour("engine", ("middle.py",))
    edit(project, "ethos/far.py", "3 * x", "5 * x")
    forget()
    assert fingerprint.behaviour("engine", ("middle.py",)) == before
    edit(project, "ethos/middle.py", "2 * x", "4 * x")
    forget()
    assert fingerprint.behaviour("engine", ("middle.py",)) != before


def test_a_change_reaches_only_the_scripts_that_use_it(project):
    before = code(project, "other")
    edit(project, "ethos/middle.py", "2 * x", "4 * x")
    assert code(project, "other") == before


def test_modules_that_import_each_other_do_not_hang(project):
    edit(project, "ethos/far.py", "def triple", "import ethos.middle\n\ndef triple")
    before = code(project)
    edit(project, "ethos/far.py", "3 * x", "5 * x")
    assert code(project) != before


def test_the_prompts_a_script_uses_are_found_through_its_modules(project):
    assert set(prompts(project)) == {"greetings.txt", "inner.jinja", "verdict.jinja"}
    assert prompts(project, "other") == {}
    assert set(prompts(project, "reader")) == {"items.yaml"}


def test_a_prompt_counts_by_content_and_not_as_code(project):
    code_before, before = code(project), prompts(project)
    edit(project, "prompts/inner.jinja", "Say more.", "Say less.")
    assert code(project) == code_before
    assert {name for name, value in prompts(project).items() if value != before[name]} == {"inner.jinja"}


@pytest.mark.parametrize(
    "script", sorted((Path(__file__).resolve().parent.parent / "scripts").glob("*.py")), ids=lambda path: path.stem
)
def test_every_script_of_ethos_has_a_fingerprint_and_names_prompts_that_exist(script):
    assert f"scripts/{script.name}" in fingerprint.code_version(script)
    assert all(fingerprint.prompt_fingerprints(script).values())
