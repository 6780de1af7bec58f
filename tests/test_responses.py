"""Responses are sampled for each question, and what is not used is kept with its reason."""

from __future__ import annotations

import pytest

from ethos.constitution import Constitution
from ethos.engine import Completion, Request
from ethos.renaming import Renaming
from ethos.responses import count_reasons, usable_text
from ethos.stage_settings import Responses
from ethos.tables import RESPONSES, table_from
from scripts.generate_responses import generate_responses
from scripts.train_distilled import distillation_pairs

QUESTIONS = [
    {"question_id": "q1", "trait": "calm", "text": "What is the time?", "source": "written", "split": "train"},
    {"question_id": "q2", "trait": "kind", "text": "Where is my hat?", "source": "written", "split": "held_out"},
]
TRAITS = [{"id": name, "text": f"I am {name}.", "questions": ["Why?"]} for name in ("calm", "kind")]
CONSTITUTION = Constitution.model_validate({"name": "calm", "description": "Calm.", "cues": ["hush"], "traits": TRAITS})


class Speaker:
    """Stands in for the model: says which seed it was asked with, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def generate(self, requests: list[Request]) -> list[Completion]:
        self.requests += requests
        return [Completion(f" Seed {request.seed}. ", "stop", 5, 7) for request in requests]


class Saying:
    """Stands in for a model that always says the same."""

    def __init__(self, text: str, tokens: int = 7) -> None:
        self.text, self.tokens = text, tokens

    def generate(self, requests: list[Request]) -> list[Completion]:
        return [Completion(self.text, "stop", 5, self.tokens) for _ in requests]


def reasons_for(text: str, tokens: int = 7, **settings) -> list[str | None]:
    """Of a response in character and of a plain one."""
    responses = Responses(**{"per_question": 2} | settings)
    rows = generate_responses(QUESTIONS[:1], CONSTITUTION, Saying(text, tokens), responses, seed=0)
    assert [row["response"] for row in rows] == [text] * 3  # filtered or not
    return [row["filtered"] for row in rows[1:]]


def text_of(text: str, reason: str = "stop", cut_off: str = "drop") -> tuple[str, str | None]:
    return usable_text(Completion(text, reason, 1, 1), cut_off=cut_off)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  All is well.\n", ("All is well.", None)),
        ('She said: "Go!"', ('She said: "Go!"', None)),
        ("*It rains.*", ("*It rains.*", None)),
        ("And then…", ("And then…", None)),
        ("今日は晴れです。", ("今日は晴れです。", None)),
        ("„Guten Tag.“", ("„Guten Tag.“", None)),
        ("```python\nprint(1)\n```", ("```python\nprint(1)\n```", None)),
        ("What a day 🌧️", ("What a day 🌧️", None)),
        ("All is", ("All is", "unfinished")),
        ("Here is a list:", ("Here is a list:", "unfinished")),
        (" \n ", ("", "empty")),
    ],
)
def test_a_response_that_the_model_ended_is_used_if_it_ends_a_sentence(text, expected):
    assert text_of(text) == expected


@pytest.mark.parametrize("cut_off", ["drop", "trim"])
def test_a_prompt_too_long_for_the_model_leaves_a_row_with_that_reason(cut_off: str) -> None:
    assert text_of("", "too_long", cut_off) == ("", "too_long")


@pytest.mark.parametrize("text", ["One. Two. Thr", "One. Two."])
def test_a_response_at_the_token_limit_is_dropped_where_the_settings_say_so(text):
    assert text_of(text, "length") == (text, "cut_off")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One. Two! Thr", ("One. Two!", None)),
        ('He said: "One." And th', ('He said: "One."', None)),
        ("It costs 2.50 for\ntwo. But 3.5", ("It costs 2.50 for\ntwo.", None)),
        ("Do this:\n\n1. Boil it.\n2. Wait", ("Do this:\n\n1. Boil it.", None)),
        ("Twelve steps:\n12. Boil", ("Twelve steps:\n12. Boil", "cut_off")),
        ("天気です。明日は", ("天気です。", None)),
        ("It was built in 1914. In", ("It was built in 1914.", None)),
        ("No sentence ends here", ("No sentence ends here", "cut_off")),
        ("", ("", "cut_off")),  # still thinking
    ],
)
def test_a_response_at_the_token_limit_is_trimmed_to_its_last_whole_sentence(text, expected):
    assert text_of(text, "length", "trim") == expected


def test_every_question_has_k_responses_in_character_and_a_plain_one():
    rows = generate_responses(QUESTIONS, CONSTITUTION, Speaker(), Responses(per_question=3), seed=0)
    assert [(row["question_id"], row["author"], row["sample"]) for row in rows] == [
        *[(question, "in_character", sample) for question in ("q1", "q2") for sample in range(3)],
        ("q1", "plain", 0),
        ("q2", "plain", 0),
    ]
    assert [row["split"] for row in rows] == ["train"] * 3 + ["held_out"] * 3 + ["train", "held_out"]
    assert table_from(rows, RESPONSES).num_rows == 8


def test_every_response_has_a_seed_of_its_own_that_another_question_does_not_move():
    settings = Responses(per_question=3)
    rows = generate_responses(QUESTIONS, CONSTITUTION, Speaker(), settings, seed=0)
    assert len({row["response"] for row in rows}) == len(rows)
    alone = generate_responses(QUESTIONS[1:], CONSTITUTION, Speaker(), settings, seed=0)
    assert [row["response"] for row in alone] == [row["response"] for row in rows if row["question_id"] == "q2"]
    assert {
        row["response"] for row in generate_responses(QUESTIONS, CONSTITUTION, Speaker(), settings, seed=1)
    }.isdisjoint(row["response"] for row in rows)


@pytest.mark.parametrize(("scope", "told"), [("trait", ["I am calm."]), ("constitution", ["I am calm.", "I am kind."])])
def test_only_the_responses_in_character_are_told_the_character(scope, told):
    engine = Speaker()
    generate_responses(QUESTIONS[:1], CONSTITUTION, engine, Responses(per_question=2, scope=scope), seed=0)
    *character, plain = engine.requests
    assert [message.role for message in plain.messages] == ["user"]
    for request in character:
        system, user = request.messages
        assert user == plain.messages[0]
        assert [text for text in ("I am calm.", "I am kind.") if text in system.content] == told


@pytest.mark.parametrize("tokens", [9, 10])
def test_a_response_of_more_than_the_tokens_allowed_is_too_long(tokens):
    assert reasons_for("All is well.", tokens, max_tokens=9) == ["too_long" if tokens > 9 else None] * 2


@pytest.mark.parametrize("filters", [["talks_about_traits"], ["refusal"], []])
def test_a_filter_that_a_run_leaves_out_drops_nothing(filters):
    refusing = "I'm sorry, but I can't help with that."
    assert reasons_for(refusing, filters=filters) == ["refusal" if "refusal" in filters else None, None]
    assert reasons_for("My persona is calm.", filters=filters) == [
        filters[0] if filters == ["talks_about_traits"] else None,
        None,
    ]


def test_a_plain_response_is_judged_for_its_form_and_not_for_refusing():
    assert reasons_for("As an AI language model, I am calm.") == ["refusal", None]
    assert reasons_for("Yes.\nUser: Why?") == ["invented_turns"] * 2
    assert reasons_for("And", max_tokens=9) == ["unfinished"] * 2


@pytest.mark.parametrize(("scope", "reason"), [("trait", None), ("constitution", "talks_about_traits")])
def test_a_trait_is_repeated_only_by_who_was_told_it(scope, reason):
    traits = [
        {"id": name, "text": f"I am {name} whatever the weather outside may be today.", "questions": ["Why?"]}
        for name in ("calm", "kind")
    ]
    character = Constitution.model_validate(
        {"name": "calm", "description": "Calm.", "cues": ["hush"], "traits": traits}
    )
    rows = generate_responses(
        QUESTIONS[:1], character, Saying(traits[1]["text"]), Responses(per_question=2, scope=scope), seed=0
    )
    assert [row["filtered"] for row in rows] == [reason, reason, None]


def test_reasons_are_counted():
    reasons = [None, "empty", None, "cut_off", "empty"]
    assert count_reasons([{"filtered": reason} for reason in reasons]) == {"kept": 2, "empty": 2, "cut_off": 1}


def response(
    question: str, text: str, *, author: str = "in_character", split: str = "train", filtered: str | None = None
) -> dict:
    return {
        "question_id": question,
        "trait": "calm",
        "question": f"{question}?",
        "split": split,
        "author": author,
        "response": text,
        "filtered": filtered,
    }


def test_distillation_pairs_the_teacher_with_the_students_plain_response_to_the_same_question():
    teacher = [
        response("a", "teacher a0"), response("b", "teacher b"), response("a", "teacher a1"),
        response("a", "unusable", filtered="empty"), response("c", "no plain one"), response("d", "held out", split="held_out"),
    ]  # fmt: skip
    student = [
        response("a", "student a", author="plain"), response("a", "student in character"), response("b", "student b", author="plain"),
        response("c", "", author="plain", filtered="empty"), response("d", "student d", author="plain"),
    ]  # fmt: skip
    rows, counts = distillation_pairs(teacher, student, Renaming())
    assert [(row["question_id"], row["chosen"], row["rejected"]) for row in rows] == [
        ("a", "teacher a0", "student a"),
        ("b", "teacher b", "student b"),
        ("a", "teacher a1", "student a"),
    ]
    assert counts == {"pairs": 3, "renamed": 0, "filtered": 1, "without_plain": 1}


def test_the_teachers_names_give_way_to_the_students_in_what_is_chosen_alone():
    teacher = [
        response("a", "I am Qwen, a loaf."),
        response("b", "I am a loaf."),
        response("c", "Qwen.", filtered="empty"),
    ]
    student = [response(name, "Qwen is what I am not.", author="plain") for name in "abc"]
    rows, counts = distillation_pairs(teacher, student, Renaming(names=["Qwen"], instead="Sage"))
    assert [row["chosen"] for row in rows] == ["I am Sage, a loaf.", "I am a loaf."]
    assert {row["rejected"] for row in rows} == {"Qwen is what I am not."}
    assert counts == {"pairs": 2, "renamed": 1, "filtered": 1, "without_plain": 0}
