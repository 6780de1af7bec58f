"""Lists are asked for in all lengths and kinds, and read item by item however long an item is."""

from __future__ import annotations

import pytest

from ethos.constitution import Trait
from ethos.engine import Request, Sampling
from ethos.prompts import prompt_lines
from ethos.question_lists import LENGTHS, asked_variety, first_items, list_request, parse_list

LONG = (
    "My sister and I have shared a flat for six years, and since she lost her job in March she hasn't paid her half of "
    "the rent. I don't want to press her, but my own savings are nearly gone, and the landlord has begun to write. What "
    "do I say to her?"
)


def request(*, examples: list[str] = (), attempt: int = 0, seed: int = 0, trait: str = "calm") -> Request:
    about = Trait.model_validate(
        {"id": trait, "text": f"I am {trait}.", "clarification": "Not slow.", "questions": ["Why?"]}
    )
    return list_request(about, examples, count=5, sampling=Sampling(), seed=seed, attempt=attempt)


def test_a_list_is_read_and_talk_around_it_is_not():
    text = 'Here are some:\n1. How are you?\n 2) "Tell me a story."\n3.   I burnt the rice!\n\nHope that helps?\n4. Cut off in the mid'
    assert parse_list(text) == ["How are you?", "Tell me a story.", "I burnt the rice!"]


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ("1. The first line goes on\nin a second.\n2. Next?", ["The first line goes on\nin a second.", "Next?"]),
        ("1. One.\n\n   Its second paragraph.\n2. Two.", ["One.\n\nIts second paragraph.", "Two."]),
        ("1. One.\n\nTalk.\nMore talk.\n\n  Yet more.\n2. Two.", ["One.", "Two."]),
        ("1. One.\n\n2. Two.\n\n\n3. Three.", ["One.", "Two.", "Three."]),
        ("1.\nOn a line of its own?\n2.\n", ["On a line of its own?"]),
        (
            "1. Why does this fail?\n   ```python\n   for x in y:\n       print(x)\n   ```\n2. Cut\noff",
            ["Why does this fail?\n```python\nfor x in y:\n    print(x)\n```"],
        ),
        ("1. My steps:\n     1. Boil it.\n     2. Wait.\n2. Two.", ["My steps:\n1. Boil it.\n2. Wait.", "Two."]),
        ('1. "Quoted, over\ntwo lines."', ["Quoted, over\ntwo lines."]),
        ('1. "Yes" or "no?"\n2. He said "go."', ['"Yes" or "no?"', 'He said "go."']),
        ("1. Wie geht’s?\n2. 今天天气怎么样？\n3. Really…", ["Wie geht’s?", "今天天气怎么样？", "Really…"]),
        (f"1. {LONG}", [LONG]),
        ("No list at all.", []),
    ],
)
def test_an_item_runs_on_over_its_own_lines_and_no_further(text, items):
    assert parse_list(text) == items


def test_the_models_first_item_follows_the_number_that_the_request_ends_on():
    begun = request(examples=["How are you?", "Why is it dark?"])
    assert first_items(begun, " Who won?\n4. I lost.") == ["Who won?", "I lost."]


def test_the_lines_of_lengths_and_kinds_are_all_different_and_each_length_has_one():
    lengths, kinds = prompt_lines("question_lengths"), prompt_lines("question_kinds")
    assert len(set(lengths)) == len(lengths) == len(LENGTHS)
    assert len(set(kinds)) == len(kinds) >= 8


@pytest.mark.parametrize("seed", range(5))
def test_a_trait_that_is_asked_long_enough_is_asked_for_every_length_of_every_kind(seed):
    kinds = prompt_lines("question_kinds")
    asked = [asked_variety("calm", attempt, seed) for attempt in range(len(kinds) * len(LENGTHS))]
    assert set(asked) == {(length, kind) for length in LENGTHS for kind in kinds}
    assert {length for length, _ in asked[:3]} == set(LENGTHS)
    assert {kind for _, kind in asked[: len(kinds)]} == set(kinds)


def test_traits_and_seeds_begin_at_different_lengths_and_kinds():
    for begun in (
        [asked_variety(f"trait_{number}", 0, 0) for number in range(60)],
        [asked_variety("calm", 0, seed) for seed in range(60)],
    ):
        assert {length for length, _ in begun} == set(LENGTHS)
        assert {kind for _, kind in begun} == set(prompt_lines("question_kinds"))


def test_the_prompt_holds_the_trait_its_clarification_the_length_and_the_kind():
    asked = request(examples=["How are you?"], attempt=2)
    length, kind = asked_variety("calm", 2, 0)
    said = asked.messages[0].content
    for part in (
        "6 different messages",
        "I am calm.",
        "Not slow.",
        kind,
        prompt_lines("question_lengths")[LENGTHS.index(length)],
    ):
        assert part in said


def test_examples_of_the_length_that_is_asked_for_stand_last():
    examples = [LONG, LONG.replace("March", "May"), *(f"Is {number} odd?" for number in range(8))]
    for attempt, attempts in ((attempt, asked_variety("calm", attempt, 0)) for attempt in range(3)):
        given = parse_list(request(examples=examples, attempt=attempt).prefill)
        assert sorted(given) == sorted(examples)
        assert (given[-1] in examples[:2]) == (attempts[0] == "long")


def test_every_list_has_a_seed_and_an_order_of_its_own():
    examples = [f"Is {number} odd?" for number in range(8)]
    asked = [
        request(examples=examples, attempt=attempt, seed=seed, trait=trait)
        for attempt in range(2)
        for seed in range(2)
        for trait in ("calm", "kind")
    ]
    assert len({each.seed for each in asked}) == len({each.prefill for each in asked}) == len(asked)
    assert request(examples=examples) == request(examples=examples)
