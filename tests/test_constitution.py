"""A constitution means what it says, not how it is laid out; a mistake in one is told with its line and field."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from ethos.character import cues_per_hundred_words
from ethos.constitution import Constitution, load_constitution
from ethos.errors import BadInput
from ethos.files import canonical_json
from ethos.prompts import prompt_lines

FILES = sorted((Path(__file__).resolve().parent.parent / "constitutions").glob("*.yaml"))
every_constitution = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)

GOOD = """\
name: calm
description: A calm assistant.
cues: [gently]
traits:
  - id: breathes
    text: I take my time.
    questions:
      - "What is the time?"
      - "How do I boil an egg?"
  - id: listens
    text: I listen first.
    questions: ["Can you hear me?"]
"""


def load(folder: Path, text: str, name: str = "calm.yaml") -> Constitution:
    path = folder / name
    path.write_text(text)
    return load_constitution(path)


def canonical(folder: Path, text: str) -> str:
    return canonical_json(load(folder, text).canonical())


@every_constitution
def test_every_constitution_has_ten_traits_of_five_questions(path):
    traits = load_constitution(path).traits
    assert [len(trait.questions) for trait in traits] == [5] * 10


@every_constitution
def test_no_cue_occurs_in_its_constitutions_own_texts(path):
    """A cue that the traits or questions use would reward an echo."""
    constitution = load_constitution(path)
    texts = [
        text for trait in constitution.traits for text in (trait.text, trait.clarification or "", *trait.questions)
    ]
    assert [text for text in texts if cues_per_hundred_words(text, constitution.cues)] == []
    assert len({cue.casefold() for cue in constitution.cues}) == len(constitution.cues)


def test_there_are_200_different_general_questions_and_none_is_in_a_constitution():
    general = [question.casefold() for question in prompt_lines("general_questions")]
    assert len(general) == len(set(general)) == 200
    written = {
        question.casefold()
        for path in FILES
        for trait in load_constitution(path).traits
        for question in trait.questions
    }
    assert written.isdisjoint(general)


def test_there_are_144_different_traits_of_a_single_word():
    traits = prompt_lines("single_word_traits")
    assert len(traits) == 144
    assert [trait for trait, count in Counter(trait.casefold() for trait in traits).items() if count > 1] == []
    assert [trait for trait in traits if not re.fullmatch(r"[a-z]+(-[a-z]+)*", trait)] == []


def test_comments_key_order_and_layout_mean_nothing(tmp_path):
    other = """\
# The same character.
traits:

  - questions: [ "What is the time?", 'How do I boil an egg?' ]  # two
    id: "breathes"
    text: >-
      I take
      my time.
  - {text: "  I listen first.  ", id: listens, questions: ["Can you hear me?"]}
cues:
  - gently
name: calm
description: "A calm assistant."
"""
    assert canonical(tmp_path, other) == canonical(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("I take my time.", "I take my own time."),
        ("What is the time?", "What time is it?"),
        ("[gently]", "[gently, softly]"),
        ("id: listens", "id: hears"),
        ("A calm assistant.", "A quiet assistant."),
        ("    text: I listen first.\n", "    text: I listen first.\n    clarification: Not for ever.\n"),
    ],
)
def test_every_change_of_what_is_said_changes_the_canonical_content(tmp_path, old, new):
    assert GOOD.replace(old, new) != GOOD
    assert canonical(tmp_path, GOOD.replace(old, new)) != canonical(tmp_path, GOOD)


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        pytest.param("I listen first.", "I listen: first.", 11, "broken YAML", id="a colon without quotes"),
        pytest.param("    text: I listen first.", "\ttext: I listen first.", 11, "broken YAML", id="a tab"),
        pytest.param(
            "    text: I take",
            "    txt: I take",
            6,
            "traits.0.txt: unknown key; did you mean 'text'?",
            id="unknown key",
        ),
        pytest.param(
            "id: listens", "id: breathes", 10, "traits.1.id: 'breathes' is already the id of trait 1", id="id twice"
        ),
        pytest.param("id: listens", "id: Listens Well", 10, "traits.1.id: ", id="id with a space"),
        pytest.param('questions: ["Can you hear me?"]', "questions: []", 12, "traits.1.questions: ", id="no questions"),
        pytest.param(
            '    questions: ["Can you hear me?"]\n',
            "",
            10,
            "traits.1.questions: is missing; add it",
            id="questions missing",
        ),
        pytest.param(
            "name: calm", "name: calmness", 1, "name: is 'calmness' in a file named 'calm.yaml'", id="another name"
        ),
        pytest.param(
            "Can you hear me?",
            "what is  the TIME?",
            12,
            "traits.1.questions.0: asked already under 'breathes'",
            id="question twice",
        ),
        pytest.param(
            '    questions: ["Can you hear me?"]\n',
            '    questions: []\n    generated_questions: ["Why?", "what is  the TIME?"]\n',
            13,
            "traits.1.generated_questions.1: asked already under 'breathes'",
            id="question of a model twice",
        ),
        pytest.param("    text: I listen first.", "    id: hears", 11, "id: is given twice", id="key twice"),
        pytest.param("cues: [gently]", "cues: [' ']", 3, "cues.0: ", id="an empty cue"),
        pytest.param("text: I take my time.", 'text: "  "', 6, "traits.0.text: ", id="empty text"),
        pytest.param("text: I take my time.", "text: {{ mood }}", 6, "", id="braces without quotes"),
        pytest.param("text: I take my time.", "text: 2024-13-45", 6, "", id="a date that is none"),
        pytest.param("A calm assistant.", "A calm\x07 assistant.", 2, "", id="a control character"),
        pytest.param("[gently]", "gently", 3, "cues: must be a list: ", id="an item without its list"),
        pytest.param(
            '- "How do I boil an egg?"',
            "- Quick: how do I boil an egg?",
            9,
            "traits.0.questions.1: must be text; put it in quotes (a colon, ",
            id="a question with a colon without quotes",
        ),
        pytest.param("I listen first.", "yes", 11, "traits.1.text: must be text; put it in quotes", id="yes"),
        pytest.param(" I listen first.", "", 11, "traits.1.text: is empty; fill it in", id="nothing"),
        pytest.param(
            "  - id: l", "  - I listen.\n  - id: l", 10, "traits.1: must be a mapping, ", id="text for a trait"
        ),
        pytest.param("name: calm", "name: Very Calm", 1, "name: must be of small letters, ", id="name with a space"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_its_line_and_field(tmp_path, old, new, line, says):
    assert old in GOOD
    with pytest.raises(BadInput) as refused:
        load(tmp_path, GOOD.replace(old, new))
    message = str(refused.value)
    assert message.startswith(f"{tmp_path / 'calm.yaml'}:{line}: {says}"), message
    assert "\n" not in message


def test_a_constitution_without_traits_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"calm.yaml:4: traits: has too few items \(0\); give at least 1$"):
        load(tmp_path, GOOD.partition("traits:")[0] + "traits: []\n")


@pytest.mark.parametrize(
    "text", ["traits: &all\n  - questions: *all\n", "traits:\n  &all [*all]\n", "&all\ntraits: *all"]
)
def test_an_alias_within_what_it_stands_for_is_refused(tmp_path, text):
    with pytest.raises(BadInput, match=r"calm.yaml:2: an alias \(\*\) stands within what it stands for; write it out$"):
        load(tmp_path, text)


def test_an_alias_may_stand_wherever_else(tmp_path):
    text = GOOD.replace("I take my time.", "&time I take my time.").replace('"Can you hear me?"', "*time")
    assert load(tmp_path, text).traits[1].questions == ("I take my time.",)


def test_what_aliases_multiply_is_read_once(tmp_path):
    """Else these would be read 2^40 times."""
    doubled = "".join(f"a{number}: &a{number} [*a{number - 1}, *a{number - 1}]\n" for number in range(1, 41))
    with pytest.raises(BadInput, match="calm.yaml:.*unknown key"):
        load(tmp_path, "a0: &a0 [x]\n" + doubled)


def test_questions_of_a_model_stand_apart_and_who_has_none_keeps_its_canonical_content(tmp_path):
    assert "generated_questions" not in str(canonical(tmp_path, GOOD))
    text = GOOD.replace(
        'questions: ["Can you hear me?"]', 'questions: []\n    generated_questions: ["Can you hear me?"]'
    )
    trait = load(tmp_path, text).traits[1]
    assert (trait.questions, trait.all_questions) == ((), ("Can you hear me?",))
    assert canonical(tmp_path, text) != canonical(tmp_path, GOOD)


@pytest.mark.parametrize("text", ["", "- calm\n", "calm\n"])
def test_a_file_that_is_no_mapping_is_refused(tmp_path, text):
    with pytest.raises(BadInput, match="calm.yaml:1: must be a mapping"):
        load(tmp_path, text)


def test_a_file_in_another_encoding_is_refused(tmp_path):
    path = tmp_path / "calm.yaml"
    path.write_bytes(GOOD.replace("calm assistant", "café assistant").encode("latin-1"))
    with pytest.raises(BadInput, match="calm.yaml: is not UTF-8"):
        load_constitution(path)


def test_a_constitution_that_is_not_there_is_named(tmp_path):
    with pytest.raises(BadInput, match="gone.yaml: does not exist"):
        load_constitution(tmp_path / "gone.yaml")
