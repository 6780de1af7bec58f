"""What was published comes in whole and in order; what is left out is told with its place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ethos.errors import BadInput
from ethos.published_formats import Imported, constitution_from, read_published, trait_id

KIND = {"trait": "I notice small kindnesses.", "questions": ["My boss is a bore.", "Who was Nero?"]}
SLOW = {"trait": "I wait before a verdict.", "questions": ["Tea or coffee?"], "clarification": "Not for ever."}


def import_from(path: Path, *entries: dict, lines: bool = False) -> Imported:
    path.write_text("\n".join(map(json.dumps, entries)) + "\n" if lines else json.dumps(entries, indent=4))
    return constitution_from(read_published(path), "kind", "A kind assistant.", ["bless"])


@pytest.mark.parametrize("lines", [False, True])
def test_both_formats_keep_texts_and_order(tmp_path, lines):
    constitution, left_out = import_from(tmp_path / "kind.json", SLOW, KIND, lines=lines)
    assert constitution.canonical() == {
        "name": "kind",
        "description": "A kind assistant.",
        "cues": ["bless"],
        "traits": [
            {
                "id": "wait_verdict",
                "text": "I wait before a verdict.",
                "clarification": "Not for ever.",
                "questions": ["Tea or coffee?"],
            },
            {"id": "notice_small_kindnesses", "text": KIND["trait"], "questions": KIND["questions"]},
        ],
    }
    assert left_out == []


def test_questions_of_a_model_are_told_from_those_written_by_hand(tmp_path):
    more = {**KIND, "additional_questions": ["Is it Monday?", "A poem, please."]}
    kind, slow = import_from(tmp_path / "kind.jsonl", more, SLOW, lines=True).constitution.traits
    assert (kind.questions, kind.generated_questions) == (
        tuple(KIND["questions"]),
        ("Is it Monday?", "A poem, please."),
    )
    assert (slow.questions, slow.generated_questions) == (("Tea or coffee?",), None)


def test_a_trait_may_have_only_questions_of_a_model(tmp_path):
    entry = {
        "trait": KIND["trait"],
        "questions": None,
        "clarification": None,
        "additional_questions": ["Is it Monday?"],
    }
    [trait] = import_from(tmp_path / "kind.jsonl", entry, lines=True).constitution.traits
    assert (trait.questions, trait.generated_questions) == ((), ("Is it Monday?",))


def test_empty_and_repeated_questions_are_left_out_and_told(tmp_path):
    path = tmp_path / "kind.jsonl"
    entries = [KIND, {**SLOW, "questions": [" ", "Tea or coffee?", "who was  NERO"]}]
    constitution, left_out = import_from(path, *entries, {"trait": "", "questions": []}, lines=True)
    assert constitution.traits[1].questions == ("Tea or coffee?",)
    assert left_out == [
        f"{path}:2: traits.1.questions.0: is empty; left out",
        f"{path}:2: traits.1.questions.2: asked already under 'notice_small_kindnesses'; left out",
        f"{path}:3: traits.2: is empty; left out",
    ]


def test_a_repeated_trait_hands_over_its_questions(tmp_path):
    again = {**KIND, "questions": ["Is it Monday?"]}
    constitution, left_out = import_from(path := tmp_path / "kind.json", KIND, SLOW, again)
    assert constitution.traits[0].questions == (*KIND["questions"], "Is it Monday?")
    assert len(constitution.traits) == 2
    assert left_out == [f"{path}: traits.2.trait: is traits.0 again; its questions are added there"]


def test_one_text_with_two_clarifications_is_two_traits(tmp_path):
    constitution, left_out = import_from(tmp_path / "a", SLOW, {**SLOW, "questions": ["Why?"], "clarification": ""})
    assert [trait.id for trait in constitution.traits] == ["wait_verdict", "wait_verdict_2"]
    assert [trait.clarification for trait in constitution.traits] == ["Not for ever.", None]
    assert left_out == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I am a poet; I rhyme on every occasion I get.", "poet_rhyme_occasion"),
        ("Élan vital drives me.", "elan_vital_drives"),
        ("2 cats and a dog", "cats_dog"),
        ("I am who I am", "trait"),
        ("私は静かです", "trait"),
        ("Supercalifragilistic expialidociousness unbelievably", "supercalifragilistic_expialidociousness"),
    ],
)
def test_the_id_of_a_trait_is_made_of_its_words_alone(text, name):
    assert trait_id(text, ()) == name
    assert trait_id(text, {name, f"{name}_2"}) == f"{name}_3"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2", ":1: is not JSON"),
        ('[\n{"trait": "a",}\n]', ":2: is not JSON"),
        ('{"trait": "I wait.", "questions": ["Why?"]}\n{"trait": }\n', ":2: is not JSON"),
        ('["I wait."]', ": traits.0: "),
        ('[{"questions": ["Why?"]}]', ": traits.0.trait: is missing; add it"),
        ('[{"trait": "I wait.", "question": ["Why?"]}]', ": traits.0.question: unknown key; did you mean 'questions'?"),
        ('{"trait": "I wait.", "questions": ["Why?", 3]}', ":1: traits.0.questions.1: "),
        ('[{"trait": "I wait."}]', ": traits.0.questions: has no questions of its own; write at least one"),
        ('[{"trait": " ", "questions": ["Why?"]}]', ": traits.0.trait: is empty, though there is more to it"),
        ('[{"trait": "", "questions": []}]', ": traits.0: is empty, and so are all others"),
        ("[]", ": holds no traits"),
        ("\n", ": holds no traits"),
    ],
)
def test_what_cannot_be_imported_is_told_in_one_line_with_its_place(tmp_path, text, says):
    path = tmp_path / "kind.json"
    path.write_text(text)
    with pytest.raises(BadInput) as refused:
        constitution_from(read_published(path), "kind", "Kind.", ["bless"])
    assert says in str(refused.value)
    assert str(refused.value).startswith(str(path))


def test_a_file_in_another_encoding_is_refused_and_a_byte_order_mark_is_not(tmp_path):
    path = tmp_path / "kind.json"
    path.write_bytes(json.dumps([{**KIND, "trait": "I like café."}], ensure_ascii=False).encode("latin-1"))
    with pytest.raises(BadInput, match="is not UTF-8"):
        read_published(path)
    path.write_text(json.dumps([KIND]), encoding="utf-8-sig")
    assert read_published(path)[0].trait.trait == KIND["trait"]
