"""A question keeps its split and its id whatever else changes, and what is held out never trains."""

from __future__ import annotations

import pytest
from scipy import stats

from ethos.constitution import Constitution
from ethos.near_duplicates import NearDuplicates
from ethos.question_lists import parse_list
from scripts.generate_questions import split_given, split_of
from tests.collecting import MANY, Writer, collect, constitution, silent


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
    found = split_given(one, held_out)
    assert found == split_given(other, held_out)
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
