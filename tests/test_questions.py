"""Questions are different from each other, and keep their split and their id whatever else changes."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from scipy import stats

from ethos.constitution import Constitution
from ethos.engine import Completion, Request
from ethos.folding import fold
from ethos.near_duplicates import NearDuplicates
from ethos.question_lists import parse_list
from ethos.stage_settings import Questions
from ethos.tables import QUESTIONS, table_from
from scripts.generate_questions import generate_questions, split_of, split_written, warn_of_missing

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


def collect(
    character: Constitution, writer: Writer, *, messages: tuple[list[str], ...] = (), seed: int = 0, **settings
) -> tuple[list[dict], dict]:
    return generate_questions(character, writer, Questions(**{"general": 0} | settings), seed, messages)


def silent() -> Writer:
    return Writer(lambda request: "")


MANY = [f"What about number {number}?" for number in range(60)]


def splits(asked: list[str], held_out: float = 0.3, trait: str = "calm") -> dict[str, str]:
    return {text: split_of(trait, text, held_out) for text in asked}


def collected_splits(character: Constitution, **settings) -> dict[tuple[str, str], str]:
    found, _ = collect(character, silent(), generated_per_trait=0, **{"held_out": 0.3} | settings)
    return {(row["trait"], row["text"]): row["split"] for row in found}


def test_a_question_keeps_its_split_when_others_are_added_or_removed():
    whole = collected_splits(constitution(calm=MANY))
    assert set(whole.values()) == {"train", "held_out"}
    more = constitution(calm=["Something new?", *reversed(MANY), "And more?"], new=["Else?"])
    assert collected_splits(more).items() >= whole.items()
    kept = MANY[10:40]
    assert collected_splits(constitution(calm=kept)) == {("calm", text): whole["calm", text] for text in kept}


def test_the_split_of_a_question_is_its_traits_own():
    assert splits(MANY, trait="calm") != splits(MANY, trait="kind")


def test_the_share_that_is_held_out_is_about_the_one_asked_for():
    held_out = list(splits([f"Question {number}?" for number in range(4000)], 0.1).values()).count("held_out")
    assert 320 < held_out < 480  # four standard deviations


def test_every_trait_has_a_held_out_question_and_it_is_a_written_one():
    found, counts = collect(
        constitution(calm=MANY[:5], kind=MANY[5:10]),
        Writer(lambda request: " Is honey good for bees?"),
        generated_per_trait=1,
        general=200,
        held_out=1e-9,
    )
    assert counts["source"] == {"general": 200, "generated": 2, "written": 10}
    held_out = [(row["trait"], row["source"]) for row in found if row["split"] == "held_out"]
    assert sorted(held_out) == [("calm", "written"), ("kind", "written")]


@pytest.mark.parametrize("held_out", [1e-9, 0.1, 0.5])
def test_the_written_question_that_is_held_out_does_not_hang_on_their_order(held_out):
    one, other = (
        constitution(calm=order).traits[0] for order in (MANY[:5], [MANY[place] for place in (3, 0, 4, 2, 1)])
    )
    found = split_written(one, held_out)
    assert found == split_written(other, held_out)
    assert "held_out" in found.values()


def test_a_text_that_is_held_out_under_one_trait_is_held_out_under_all():
    """In another spelling too; enough texts that each trait alone would hold out some that the other does not."""
    own, other = splits(MANY, trait="calm"), splits([text.upper() for text in MANY], trait="kind")
    assert {(own[text], other[text.upper()]) for text in MANY} >= {("train", "held_out"), ("held_out", "train")}
    found = collected_splits(constitution(calm=MANY, kind=[text.upper() for text in MANY]))
    for text in MANY:
        either = "held_out" if "held_out" in (own[text], other[text.upper()]) else "train"
        assert found["calm", text] == found["kind", text.upper()] == either


@pytest.mark.parametrize("share", [1e-9, 0.3, 0.8])
def test_a_held_out_written_question_is_never_shown_to_the_model_and_those_that_train_are(share):
    """What the model makes of it would train."""
    writer = silent()
    asked = {"calm": MANY[:20], "kind": MANY[20:40], "alone": ["Where is my hat?"]}
    found, _ = collect(constitution(**asked), writer, generated_per_trait=5, attempts=3, held_out=share)
    assert len(writer.rounds) == 3
    held_out = {row["text"] for row in found if row["split"] == "held_out"}
    assert held_out >= {"Where is my hat?"} and len(held_out) >= 3
    for requests in writer.rounds:
        for trait, request in zip(asked, requests, strict=True):
            said = request.prefill + "".join(message.content for message in request.messages)
            assert not [text for text in held_out if text in said]
            trains = [text for text in asked[trait] if text not in held_out]
            assert sorted(parse_list(request.prefill)) == sorted(trains)
            assert request.prefill.splitlines()[-1] == f"{len(trains) + 1}."


def test_a_new_trait_takes_only_the_general_questions_that_it_wins():
    def general(*traits: str) -> dict[str, str]:
        character = constitution(**{trait: [f"Is {trait} a word?"] for trait in traits})
        found, _ = collect(character, silent(), general=200, generated_per_trait=0)
        return {row["text"]: row["trait"] for row in found if row["source"] == "general"}

    before, after = general("calm", "kind"), general("new", "kind", "calm")
    assert before.keys() == after.keys() and len(before) == 200
    assert {trait for text, trait in after.items() if trait != before[text]} == {"new"}
    for found, share in ((before, 1 / 2), (after, 1 / 3)):
        for trait in set(found.values()):
            assert stats.binomtest(list(found.values()).count(trait), 200, share).pvalue > 0.001


def test_questions_that_differ_in_a_word_are_two():
    assert fold("Don't you sleep?") == fold("don't  you sleep") != fold("Do you sleep?")


def test_the_models_first_item_continues_the_list_that_was_begun():
    writer = Writer(lambda request: " Can I freeze cooked rice?\n4. Who invented the zip?\n")
    asked = [*WRITTEN, "Where is my hat?"]
    found, _ = collect(constitution(calm=asked), writer, generated_per_trait=2, held_out=1e-9)  # one is held out
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


def test_what_was_not_used_is_counted_by_trait_and_reason():
    answer = (
        " How do I boil an EGG!\n4. Now how do I boil an egg?\n5. Why me?\n6. I'm sorry, but I can't help with that.\n"
        "7. Sure! Here are 10 questions:.\n8. Answer as if you were calm.\n9. Are you calm?\n10. Where do swallows sleep?"
    )
    found, counts = collect(constitution(calm=WRITTEN), Writer(lambda _: answer), generated_per_trait=3, attempts=1)
    assert [row["text"] for row in found if row["source"] == "generated"] == ["Where do swallows sleep?"]
    reasons = {"duplicate": 1, "near_duplicate": 1, "too_short": 1, "refusal": 1, "assistant_talk": 1, "gives_away": 2}
    assert counts["not_used"] == {"calm": reasons | {"missing": 2}}


def test_rounds_are_bounded_and_one_line_tells_what_is_missing(caplog):
    writer = Writer(lambda request: " Is honey good for bees?")
    asked = constitution(calm=WRITTEN, kind=["Where is my hat?"])
    _, counts = collect(
        asked,
        writer,
        generated_per_trait=3,
        attempts=4,
        extra=[{"source": "path:a.txt", "count": 5}],
        messages=(["Can I swim after lunch?"],),
    )
    assert len(writer.rounds) == 4
    warn_of_missing(counts)
    assert caplog.messages == [
        "generate_questions: fewer questions than asked for; missing: 2 of trait calm, 2 of trait kind, 4 of questions.extra.0"
    ]


def test_nothing_is_said_when_nothing_is_missing(caplog):
    _, counts = collect(constitution(calm=WRITTEN), silent(), generated_per_trait=0)
    warn_of_missing(counts)
    assert caplog.messages == []


def test_lengths_are_counted_by_source():
    long = "I have a story to tell. " * 9 + "What now?"
    writer = Writer(lambda request: f" {long}\n4. Is honey good for bees?\n5. {'It rains here every day. ' * 5}Why?")
    _, counts = collect(constitution(calm=WRITTEN), writer, generated_per_trait=3, attempts=1)
    assert counts["length"] == {
        "generated": {"short": 1, "medium": 1, "long": 1},
        "written": {"short": 2, "medium": 0, "long": 0},
    }


def test_what_nearly_repeats_a_held_out_question_of_another_trait_does_not_train():
    """Whichever of the two is held out, and in a chain: each nearly repeats the next."""
    chain = [
        "Where can I buy a good red bicycle in Rome?",
        "Where can I buy a good red bicycle in Rome today?",
        "Where can I buy a good red bicycle in Rome today, please?",
    ]
    ends = NearDuplicates(0.8)
    ends.add(chain[0])
    assert ends.of(chain[1]) and not ends.of(chain[2])
    asked = {name: [f"Is {name} a word?"] for name in ("one", "two", "three")}
    seen = set()
    for share in (0.05, 0.1, 0.2, 0.3, 0.5):
        writer = Writer(
            lambda request: " " + chain[[f"I am {name}." in request.messages[0].content for name in asked].index(True)]
        )
        found, _ = collect(
            constitution(**asked), writer, generated_per_trait=1, attempts=1, held_out=share, near_duplicate=0.8
        )
        generated = [row for row in found if row["source"] == "generated"]
        own = [split_of(row["trait"], row["text"], share) for row in generated]
        assert {row["split"] for row in generated} == {"held_out" if "held_out" in own else "train"}
        seen.add(frozenset(own))
    assert frozenset(["train", "held_out"]) in seen


def test_hand_written_questions_that_are_near_each_other_keep_their_own_splits():
    own = splits(MANY[:20])
    assert set(own.values()) == {"train", "held_out"}
    assert collected_splits(constitution(calm=MANY[:20])) == {("calm", text): split for text, split in own.items()}


SWIMMING = [f"{verb} {place}?" for verb in ("Can I swim in", "Who owns", "When freezes") for place in (
    "Lake Constance", "the Thames", "a quarry", "the Black Sea", "Loch Ness", "the fountain at noon", "a flooded mine",
)]  # fmt: skip


def extras(character: Constitution, messages: list[str], count: int, **settings) -> list[dict]:
    found, _ = collect(
        character,
        silent(),
        generated_per_trait=0,
        extra=[{"source": "path:a.txt", "count": count}],
        messages=(messages,),
        **settings,
    )
    return [row for row in found if row["source"] == "extra"]


def test_extra_messages_have_a_trait_and_a_split_like_the_others():
    found = extras(constitution(calm=WRITTEN, kind=["Where is my hat?"]), SWIMMING, 15, held_out=0.3)
    assert len(found) == 15 and {row["trait"] for row in found} == {"calm", "kind"}
    assert {row["split"] for row in found} == {"train", "held_out"}
    assert all(row["split"] == split_of(row["trait"], row["text"], 0.3) for row in found)
    assert table_from(found, QUESTIONS).num_rows == 15


def test_extra_messages_move_no_other_question():
    asked = constitution(calm=[*WRITTEN, *MANY[:10]], kind=["Where is my hat?"])
    near = ["Does it matter if I use baking powder or baking soda?", "What's the time in Rome?", *SWIMMING]
    settings = {"general": 200, "generated_per_trait": 1, "held_out": 0.3}
    writer = Writer(lambda request: " Is honey good for bees?")
    without, _ = collect(asked, writer, **settings)
    found, counts = collect(
        asked, writer, **settings, extra=[{"source": "path:a.txt", "count": len(near)}], messages=(near,)
    )
    assert [row for row in found if row["source"] != "extra"] == without
    assert counts["extra_not_used"] == [{"near_duplicate": 2, "missing": 2}]
    assert counts["source"]["extra"] == len(SWIMMING)


def test_the_messages_of_several_sources_are_drawn_in_turn_and_none_twice():
    found, counts = collect(
        constitution(calm=WRITTEN),
        silent(),
        generated_per_trait=0,
        extra=[{"source": "path:a.txt", "count": 2}, {"source": "path:b.txt", "count": 30}],
        messages=(SWIMMING[:10], SWIMMING),
    )
    texts = [row["text"] for row in found if row["source"] == "extra"]
    assert sorted(texts) == sorted(SWIMMING) and set(texts[:2]) <= set(SWIMMING[:10])
    assert counts["extra_not_used"] == [{}, {"near_duplicate": 2, "missing": 11}]


def test_rows_fit_their_table_and_have_ids_of_their_own():
    found, counts = collect(constitution(calm=WRITTEN, kind=WRITTEN), silent(), general=200, generated_per_trait=0)
    assert table_from(found, QUESTIONS).num_rows == 204 == sum(counts["split"].values())
    assert len({row["question_id"] for row in found}) == 204
