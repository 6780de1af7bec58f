"""Questions are different from each other, and what was asked for, kept and left out is counted."""

from __future__ import annotations

from ethos.constitution import Constitution
from ethos.folding import fold
from ethos.tables import QUESTIONS, table_from
from scripts.generate_questions import split_of, warn_of_missing
from tests.collecting import MANY, WRITTEN, Writer, collect, constitution, silent


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
    assert sorted(counts["asked_length"].values()) == [0, 0, 10], "one list of ten, all of one length"


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


def test_questions_that_a_model_wrote_before_the_run_are_generated_ones_and_no_examples():
    imported = ["Where do swallows sleep?", "Is it Monday?"]
    writer = Writer(lambda request: " Where do swallows sleep?\n4. Who won the war?")
    character = constitution({"calm": imported, "bare": ["Tea or coffee?", "Why is it dark?"]}, calm=WRITTEN, bare=[])
    found, counts = collect(character, writer, generated_per_trait=1, attempts=1, held_out=1e-9)
    rows = {(row["trait"], row["source"], row["text"]): row["split"] for row in found}
    assert [text for trait, source, text in rows if (trait, source) == ("calm", "generated")] == [
        *imported,
        "Who won the war?",
    ]
    assert counts["source"] == {"generated": 6, "written": 2} and counts["not_used"]["calm"] == {"duplicate": 1}
    shown = [request.prefill for request in writer.rounds[0]]
    assert not any(text in shown[0] for text in imported) and any(text in shown[0] for text in WRITTEN)
    assert ("Tea" in shown[1]) != ("dark" in shown[1]), "one of the two is held out, and the other is the example"
    held_out = [(trait, source) for (trait, source, _), split in rows.items() if split == "held_out"]
    assert sorted(held_out) == [("bare", "generated"), ("calm", "written")]
