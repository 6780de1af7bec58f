"""What each way to align trains on, and its control: the same questions with rewards that say nothing."""

from __future__ import annotations

import pytest

from ethos.preference_data import chosen_rows, dpo_rows
from ethos.tables import EXAMPLES, table_from
from scripts.train_aligned import best_and_worst, best_of_n, questions_asked, shuffle_preferences
from scripts.train_preference_model import reward_rows


def response(question: str, sample: int, **other) -> dict:
    row = {
        "question_id": question,
        "trait": "calm",
        "question": f"{question}?",
        "split": "train",
        "author": "in_character",
    }
    return row | {"sample": sample, "response": f"{question}{sample}", "filtered": None} | other


def rewards(author: str = "in_character", **values: list[float]) -> list[dict]:
    return [
        {"question_id": question, "author": author, "sample": sample, "reward": value}
        for question, own in values.items()
        for sample, value in enumerate(own)
    ]


def pairs(count: int) -> list[dict]:
    rows = [
        {"question_id": f"q{number}", "trait": "calm", "question": f"{number}?", "split": "train"}
        for number in range(count)
    ]
    return [
        row | {"chosen": f"good {number}", "rejected": f"bad {number}", "margin": float(number)}
        for number, row in enumerate(rows)
    ]


def test_the_best_is_chosen_over_the_worst_of_each_question():
    responses = [response(question, sample) for question in ("a", "b") for sample in range(3)]
    found = best_and_worst(responses, rewards(a=[0.5, -1.0, 0.0], b=[1.0, 2.0, 4.0]))
    assert [(row["question_id"], row["chosen"], row["rejected"], row["margin"]) for row in found] == [
        ("a", "a0", "a1", 1.5),
        ("b", "b2", "b0", 3.0),
    ]


def test_what_must_not_train_does_not():
    """Only what was ranked has a reward: no filtered response, and no plain one unless it competed."""
    responses = [
        response("a", 0), response("a", 1), response("a", 2, filtered="cut_off"), response("a", 0, author="plain"),
        response("held", 0, split="held_out"), response("held", 1, split="held_out"), response("alone", 0),
        response("equal", 0), response("equal", 1), response("unranked", 0), response("unranked", 1),
    ]  # fmt: skip
    found = best_and_worst(responses, rewards(a=[0.0, 1.0], held=[0.0, 1.0], alone=[3.0], equal=[2.0, 2.0]))
    assert [(row["chosen"], row["rejected"]) for row in found] == [("a1", "a0")]


@pytest.mark.parametrize(
    ("reward", "chosen", "rejected"),
    [(-3.0, "a1", "a plain"), (0.5, "a1", "a0"), (3.0, "a plain", "a0")],
)
def test_a_plain_response_that_competed_may_be_the_worst_or_the_best(reward, chosen, rejected):
    """It has the number of a sample in character, and must not be taken for it."""
    responses = [response("a", 0), response("a", 1), response("a", 0, author="plain", response="a plain")]
    found = best_and_worst(responses, rewards(a=[0.0, 1.0]) + rewards("plain", a=[reward]))
    assert [(row["chosen"], row["rejected"]) for row in found] == [(chosen, rejected)]


def test_equal_texts_are_never_a_pair():
    responses = [response("a", sample, response="The same.") for sample in range(2)]
    assert best_and_worst(responses, rewards(a=[0.0, 1e-7])) == []


@pytest.mark.parametrize("count", [1, 2, 7, 40])
def test_the_control_swaps_exactly_half_of_the_pairs_and_nothing_else(count):
    original = pairs(count)
    shuffled = shuffle_preferences(original, seed=3)
    swapped = [
        pair | {"chosen": pair["rejected"], "rejected": pair["chosen"], "margin": -pair["margin"]} for pair in original
    ]
    changed = [found != pair for found, pair in zip(shuffled, original, strict=True)]
    assert sum(changed) == count // 2
    assert shuffled == [
        other if is_changed else pair for is_changed, pair, other in zip(changed, original, swapped, strict=True)
    ]
    assert original == pairs(count)


def test_the_control_is_the_same_for_the_same_seed_only():
    assert shuffle_preferences(pairs(40), 1) == shuffle_preferences(pairs(40), 1) != shuffle_preferences(pairs(40), 2)


def many(count: int) -> tuple[list[dict], list[dict]]:
    """Questions with three responses each, of which the one in the middle has the highest reward."""
    names = [f"q{number}" for number in range(count)]
    responses = [response(name, sample) for name in names for sample in range(3)]
    return responses, rewards(**{name: [0.0, 1.0, -1.0] for name in names})


def test_the_best_of_n_is_the_response_of_highest_reward():
    found = best_of_n(*many(2))
    assert [(row["question_id"], row["chosen"]) for row in found] == [("q0", "q01"), ("q1", "q11")]
    assert table_from(found, EXAMPLES).num_rows == 2


def test_the_best_of_one_is_no_choice_and_does_not_train():
    alone = [response("a", 0), response("held", 0, split="held_out"), response("held", 1, split="held_out")]
    assert best_of_n(alone, rewards(a=[1.0], held=[0.0, 1.0])) == []


def test_the_control_of_best_of_n_takes_any_response_whatever_its_reward():
    responses, values = many(60)
    found = best_of_n(responses, values, control=3)
    assert [row["question_id"] for row in found] == [row["question_id"] for row in best_of_n(responses, values)]
    drawn = [row["chosen"].removeprefix(row["question_id"]) for row in found]
    assert all(10 < drawn.count(sample) < 32 for sample in "012")
    other = [row | {"reward": -row["reward"]} for row in values]
    assert best_of_n(responses, other, control=3) == found != best_of_n(responses, values, control=4)


def test_grpo_answers_every_training_question_that_was_rewarded_anew():
    responses = [response("a", 0), response("a", 1), response("held", 0, split="held_out"), response("unranked", 0)]
    found = questions_asked(responses, rewards(a=[0.0, 0.0], held=[1.0]))
    assert [(row["question_id"], row["chosen"], row["rejected"]) for row in found] == [("a", None, None)]
    assert table_from(found, EXAMPLES).num_rows == 1


def test_the_trainers_see_no_system_prompt():
    """The character must be learned, not read."""
    [row] = dpo_rows(pairs(1))
    assert row == {
        "prompt": [{"role": "user", "content": "0?"}],
        "chosen": [{"role": "assistant", "content": "good 0"}],
        "rejected": [{"role": "assistant", "content": "bad 0"}],
    }
    [row] = chosen_rows(pairs(1))
    assert row == {
        "prompt": [{"role": "user", "content": "0?"}],
        "completion": [{"role": "assistant", "content": "good 0"}],
    }
    [row] = reward_rows(pairs(1))
    assert row["chosen"] == [{"role": "user", "content": "0?"}, {"role": "assistant", "content": "good 0"}]
    assert row["rejected"] == [{"role": "user", "content": "0?"}, {"role": "assistant", "content": "bad 0"}]
