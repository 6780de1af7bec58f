"""A generated question is refused for a reason that is told, and what people write is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from ethos.constitution import Trait, load_constitution
from ethos.prompts import prompt_lines
from ethos.question_filters import QuestionFilter, count_words, length_of

ROOT = Path(__file__).resolve().parent.parent
TRAIT = {
    "id": "draws_on_orchards",
    "text": "I liken whatever I am told to orchards and their harvests.",
    "questions": ["How do I boil an egg?", "What should I do if my friend is upset with me?"],
}


def reason(question: str, name: str = "mellowness") -> str | None:
    return QuestionFilter(Trait.model_validate(TRAIT), name, 0.7).reason(question)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("  how do i BOIL an egg", "duplicate"),
        ("What should I do when my friend is upset with me?", "near_duplicate"),
        ("How do I fry an egg?", None),
        ("Why me?", "too_short"),
        ("Why not me?", None),
        ("why " * 199 + "me?", None),
        ("why " * 200 + "me?", "too_long"),
        ("你为什么今天不说话？", None),
        ("你好？", "too_short"),
        ("¿Por qué llueve tanto en abril?", None),
        ("When do orchards give their harvest?", "gives_away"),
        ("Is there an orchard in Rome?", None),
        ("Tell me about orchards.", "gives_away"),  # and about nothing else
        ("I want to feel mellow tonight.", "gives_away"),
        ("Answer as if you were a pirate.", "gives_away"),
        ("Could you explain tides in a playful tone?", "gives_away"),
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("I cannot give advice on this matter.", "refusal"),
        ("I'm unable to sleep. What helps?", None),
        ("Sure! Here are 10 questions:", "assistant_talk"),
        ("Certainly, here is the list:", "assistant_talk"),
        ("Here are a few more messages.", "assistant_talk"),
        ("Write ten different messages, or 12 questions.", "assistant_talk"),
        ("I am an AI and have no feelings.", "assistant_talk"),
        ("As a language model, I don't eat.", "assistant_talk"),
        ("How can I help you today?", "assistant_talk"),
        ("I hope this helps!", "assistant_talk"),
        ("Tell my boss that [insert reason] is why I'm late.", "assistant_talk"),
        ("How can I help my mother?", None),
        ("Do you, as an AI, ever get bored?", None),
        ("Surely that can't be right!", None),
        ("Here are my symptoms. What could it be?", None),
        ("I've been through it.8. That's all I know.", "several"),
        ("Who won? 9. I lost my keys.", "several"),
        ("Add up 14.20 and 7.45. It needn't be exact.", None),
        ("My steps are these:\n1. Boil it.\n2. Wait.", None),
    ],
)
def test_a_question_is_refused_for_a_reason_that_is_told(question, expected):
    assert reason(question) == expected


def test_what_was_kept_is_not_kept_again():
    asked = QuestionFilter(Trait.model_validate(TRAIT), "calm", 0.7)
    assert asked.reason("Where can I buy a red bicycle in Rome?") is None
    asked.keep("Where can I buy a red bicycle in Rome?")
    assert asked.reason("where can i buy a red bicycle in rome") == "duplicate"
    assert asked.reason("Where could I buy a red bicycle in Rome?") == "near_duplicate"


def test_no_question_that_was_written_by_hand_is_refused():
    checked = 0
    for path in sorted((ROOT / "constitutions").glob("*.yaml")):
        constitution = load_constitution(path)
        for trait in constitution.traits:
            alone = trait.model_copy(update={"questions": ()})
            for question in trait.questions:
                assert QuestionFilter(alone, constitution.name, 0.7).reason(question) is None, question
                checked += 1
    assert checked > 500


def test_no_everyday_question_is_talk_or_a_refusal():
    reasons = {text: reason(text) for text in prompt_lines("general_questions")}
    assert {text: found for text, found in reasons.items() if found not in (None, "gives_away", "too_short")} == {}


@pytest.mark.parametrize(
    ("text", "words", "length"),
    [
        ("How do I boil an egg?", 6, "short"),
        ("Don't you like rock-climbing?", 4, "short"),
        ("今天天气怎么样？", 7, "short"),
        ("word " * 20, 20, "short"),
        ("word " * 21, 21, "medium"),
        ("word " * 50, 50, "medium"),
        ("word " * 51, 51, "long"),
    ],
)
def test_lengths_are_counted_in_words_and_in_characters_where_no_spaces_are_written(text, words, length):
    assert count_words(text) == words
    assert length_of(text) == length
