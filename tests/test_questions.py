"""Questions are different from each other, and keep their split and their id whatever else changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from ethos.constitution import Constitution
from ethos.engine import Completion, Request
from ethos.settings import Questions
from ethos.tables import QUESTIONS, table_from
from scripts.generate_questions import fold, generate_questions, parse_list, refusal_reason, split_of

WRITTEN = ["How do I boil an egg?", "What is the time in Rome?"]


class Writer:
    """Stands in for the model: answers each request with a text."""

    def __init__(self, answer: Callable[[Request], str]):
        self.answer, self.rounds = answer, []

    def generate(self, requests: list[Request]) -> list[Completion]:
        if requests:
            self.rounds.append(list(requests))
        return [Completion(self.answer(request), "stop", 1, 1) for request in requests]


def constitution(**questions: list[str]) -> Constitution:
    traits = [{"id": name, "text": f"I am {name}.", "questions": asked} for name, asked in questions.items()]
    return Constitution.model_validate({"name": "calm", "description": "Calm.", "cues": ["hush"], "traits": traits})


def collect(character: Constitution, writer: Writer, **settings) -> tuple[list[dict], dict]:
    return generate_questions(character, writer, Questions(**{"general": 0} | settings), seed=0)


def silent() -> Writer:
    return Writer(lambda request: "")


def rows(*texts: str, trait: str = "calm", source: str = "written") -> list[dict]:
    return [{"trait": trait, "text": text, "source": source} for text in texts]


def splits(questions: list[dict], held_out: float = 0.3) -> dict[str, str]:
    split_of(questions, held_out)
    return {row["text"]: row["split"] for row in questions}


MANY = [f"What about number {number}?" for number in range(60)]


def test_a_question_keeps_its_split_when_others_are_added_or_removed():
    whole = splits(rows(*MANY))
    assert set(whole.values()) == {"train", "held_out"}
    assert (
        splits(rows("Something new?", *reversed(MANY), "And more?") + rows("Else?", trait="new")).items()
        >= whole.items()
    )
    kept = MANY[10:40]
    assert splits(rows(*kept)) == {text: whole[text] for text in kept}


def test_the_share_that_is_held_out_is_about_the_one_asked_for():
    held_out = list(splits(rows(*(f"Question {number}?" for number in range(4000))), 0.1).values()).count("held_out")
    assert 320 < held_out < 480  # four standard deviations


def test_every_trait_has_a_held_out_question_and_it_is_no_general_one():
    questions = rows(*MANY[:5]) + rows(*MANY[5:10], trait="kind") + rows(*MANY[10:], source="general")
    split_of(questions, 1e-9)
    held_out = [(row["trait"], row["source"]) for row in questions if row["split"] == "held_out"]
    assert sorted(held_out) == [("calm", "written"), ("kind", "written")]


def test_a_list_is_read_and_talk_around_it_is_not():
    text = 'Here are some:\n1. How are you?\n 2) "Tell me a story."\n3.   I burnt the rice!\n\nHope that helps?\n4. Cut off in the mid'
    assert parse_list(text) == ["How are you?", "Tell me a story.", "I burnt the rice!"]


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ("  how do i BOIL an egg", "duplicate"),
        ("Why me?", "too_short"),
        ("why " * 60 + "?", None),
        ("why " * 61 + "?", "too_long"),
        ("How do I fry an egg?", None),
    ],
)
def test_a_question_is_refused_for_a_reason_that_is_told(question, reason):
    assert refusal_reason(question.replace(" ?", "?"), {fold("How do I boil an egg?")}) == reason


def test_questions_that_differ_in_a_word_are_two():
    assert fold("Don't you sleep?") == fold("don't  you sleep") != fold("Do you sleep?")


def test_the_models_first_item_continues_the_list_that_was_begun():
    writer = Writer(lambda request: " Can I freeze cooked rice?\n4. Who invented the zip?\n")
    found, _ = collect(constitution(calm=WRITTEN), writer, generated_per_trait=2)
    assert writer.rounds[0][0].prefill.endswith("?\n3.")
    assert [row["text"] for row in found if row["source"] == "generated"] == [
        "Can I freeze cooked rice?",
        "Who invented the zip?",
    ]


def test_no_more_are_kept_than_wanted_and_none_is_asked_for_in_vain():
    writer = Writer(lambda request: "".join(f"\n{n}. Is {n} a lucky number?" for n in range(20)))
    _, counts = collect(constitution(calm=WRITTEN), writer, generated_per_trait=3, attempts=5)
    assert counts["source"] == {"generated": 3, "written": 2}
    assert len(writer.rounds) == 1


def test_only_traits_that_lack_questions_are_asked_again():
    lists = {"calm": " Who is the tallest person?\n4. Why is the sky blue?", "kind": " Is honey good for bees?"}
    writer = Writer(lambda request: lists["calm" if "I am calm." in request.messages[0].content else "kind"])
    _, counts = collect(
        constitution(calm=WRITTEN, kind=["Where is my hat?"]), writer, generated_per_trait=2, attempts=3
    )
    assert [len(asked) for asked in writer.rounds] == [2, 1, 1]
    assert counts["not_used"] == {"calm": {}, "kind": {"duplicate": 2, "missing": 1}}


def test_what_was_written_by_hand_is_not_kept_again_as_generated():
    writer = Writer(lambda request: " how do I boil an EGG.\n4. How do I fry an egg?")
    found, counts = collect(constitution(calm=WRITTEN), writer, generated_per_trait=1, attempts=1)
    assert [row["text"] for row in found if row["source"] == "generated"] == ["How do I fry an egg?"]
    assert counts["not_used"] == {"calm": {"duplicate": 1}}


def test_every_list_is_sampled_with_a_seed_of_its_own():
    writer = silent()
    collect(constitution(calm=WRITTEN, kind=["Where is my hat?"]), writer, generated_per_trait=2, attempts=3)
    requests = [request for asked in writer.rounds for request in asked]
    assert len({request.seed for request in requests}) == len(requests) == 6


def test_an_edited_trait_leaves_the_requests_and_questions_of_the_others_as_they_were():
    def asked_for_kind(calm: list[str]) -> tuple[list[str], list[dict]]:
        writer = Writer(lambda request: " Is honey good for bees?")
        found, _ = collect(constitution(calm=calm, kind=["Where is my hat?"]), writer, generated_per_trait=1)
        keys = [
            request.key("m")
            for asked in writer.rounds
            for request in asked
            if "I am kind." in request.messages[0].content
        ]
        return keys, [row for row in found if row["trait"] == "kind"]

    assert asked_for_kind(WRITTEN) == asked_for_kind(["A new question?", *WRITTEN])


def test_a_general_question_that_is_written_down_already_is_not_asked_twice():
    found, _ = collect(
        constitution(calm=[*WRITTEN, "can i freeze cooked quinoa"]), silent(), general=200, generated_per_trait=0
    )
    assert sum(fold(row["text"]) == fold("Can I freeze cooked quinoa?") for row in found) == 1


def test_rows_fit_their_table_and_have_ids_of_their_own():
    found, counts = collect(constitution(calm=WRITTEN, kind=WRITTEN), silent(), general=200, generated_per_trait=0)
    assert table_from(found, QUESTIONS).num_rows == 204 == sum(counts["split"].values())
    assert len({row["question_id"] for row in found}) == 204
